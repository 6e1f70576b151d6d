from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.review.compare_files import Compared, Measure, compare_files, read_maps
from napari_resmed.review.pairing import Pair
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.review.shapes import blobs, disturbed

AFFINE = make_affine(spacing_mm=(3, 1, 1), degrees=(5, 0, 0))


def pair(place: Path, prediction: np.ndarray | None, truth: np.ndarray) -> Pair:
    """As other programs write them: plain NIfTI, which does not say what it is."""
    write(Volume(truth, AFFINE), place / "truth.nii.gz")
    if prediction is None:
        return Pair("case", place / "truth.nii.gz", None)
    write(Volume(prediction, AFFINE), place / "prediction.nii.gz")
    return Pair("case", place / "truth.nii.gz", place / "prediction.nii.gz")


def to_end(case: Pair, measure: Measure) -> Compared:
    steps = compare_files(case, measure)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            result = end.value
            break
    assert shares == sorted(shares)
    return result


def compared(place: Path, prediction: np.ndarray | None, truth: np.ndarray, **measure) -> Compared:
    return to_end(pair(place, prediction, truth), Measure(**measure))


class TestWhatIsTaken:
    def test_smooth_maps(self, tmp_path: Path) -> None:
        found = compared(tmp_path, disturbed(blobs(0), 0), blobs(0))
        assert list(found.scores) == [1, 2, 3]
        assert found.spacing_mm == pytest.approx((3, 1, 1))

    def test_noise_of_few_values(self, tmp_path: Path) -> None:
        one, two = np.random.default_rng(0).integers(0, 5, (2, 8, 9, 10)).astype(np.int16)
        assert list(compared(tmp_path, one, two).scores) == [1, 2, 3, 4]

    def test_whole_numbers_stored_as_real_ones(self, tmp_path: Path) -> None:
        found = compared(tmp_path, blobs(0).astype(np.float64), blobs(0).astype(np.float32))
        assert [score.dice for score in found.scores.values()] == [1, 1, 1]

    def test_a_prediction_without_anything(self, tmp_path: Path) -> None:
        found = compared(tmp_path, np.zeros((14, 30, 26), np.uint8), blobs(0))
        assert {score.status for score in found.scores.values()} == {"missed"}

    def test_a_truth_without_anything(self, tmp_path: Path) -> None:
        found = compared(tmp_path, blobs(0), np.zeros((14, 30, 26), np.uint8))
        assert {score.status for score in found.scores.values()} == {"false alarm"}

    def test_no_prediction_at_all(self, tmp_path: Path) -> None:
        found = compared(tmp_path, None, blobs(0))
        assert {score.status for score in found.scores.values()} == {"missed"}

    def test_only_some_labels(self, tmp_path: Path) -> None:
        found = compared(tmp_path, blobs(1), blobs(0), labels=(2, 9))
        assert list(found.scores) == [2]
        assert found.truth_values == found.predicted_values == {1, 2, 3}

    def test_names_are_those_that_say_something(self, tmp_path: Path) -> None:
        case = pair(tmp_path, blobs(0), blobs(0))
        named = LabelSet((Label(1, "Liver", (1, 2, 3)), Label(2, "label 2", (1, 2, 3))))
        write(LabelMap(blobs(0), AFFINE, labels=named), case.prediction)
        found = to_end(case, Measure())
        assert (found.truth_names, found.predicted_names) == ({}, {1: "Liver"})


class TestWhatIsNot:
    def refused(self, place: Path, prediction: np.ndarray, truth: np.ndarray) -> str:
        with pytest.raises(InputError) as caught:
            read_maps(pair(place, prediction, truth))
        return str(caught.value)

    def test_images(self, tmp_path: Path) -> None:
        smooth = blobs(0).astype(np.int16) * 300 + np.arange(blobs(0).size, dtype=np.int16).reshape(14, 30, 26) % 397
        assert "prediction.nii.gz is an image" in self.refused(tmp_path, smooth, blobs(0))
        assert "truth.nii.gz is an image" in self.refused(tmp_path, blobs(0), smooth / 7)
        assert "truth.nii.gz is an image" in self.refused(tmp_path, blobs(0), -smooth)

    def test_eight_bits_of_grey(self, tmp_path: Path) -> None:
        grey = np.random.default_rng(0).integers(0, 256, (14, 30, 26)).astype(np.uint8)
        assert "prediction.nii.gz is an image" in self.refused(tmp_path, grey, blobs(0))

    def test_several_times(self, tmp_path: Path) -> None:
        assert "1 channels and 3 time points" in self.refused(tmp_path, np.stack([blobs(0)] * 3), blobs(0))

    def test_another_grid(self, tmp_path: Path) -> None:
        assert "--resample" in self.refused(tmp_path, blobs(0, (14, 30, 25)), blobs(0))
