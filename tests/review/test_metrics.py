"""Against the field's own implementations: MONAI and SimpleITK."""

from __future__ import annotations

from pathlib import Path

import monai.metrics as mm
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from napari_resmed.io import read
from napari_resmed.review.metrics import METRICS, LabelScore, compare
from tests.affines import make_affine
from tests.review.shapes import ball, blobs, disturbed

ANISOTROPIC = (3.0, 0.8, 1.1)
# MONAI interpolates percentiles in float32.
FLOAT32 = 1e-5


def scores(
    prediction: np.ndarray, truth: np.ndarray, spacing_mm: tuple = ANISOTROPIC, **options
) -> dict[int, LabelScore]:
    values = sorted(set(np.unique(prediction).tolist()) | set(np.unique(truth).tolist()) - {0})
    found = compare(prediction, truth, make_affine(spacing_mm=spacing_mm), values, **options)
    return {score.value: score for score in found}


def one_hot(labels: np.ndarray, values: list[int]) -> torch.Tensor:
    return torch.from_numpy(np.stack([labels == value for value in values])[None].astype(np.float32))


def of_monai(
    prediction: np.ndarray, truth: np.ndarray, values: list[int], spacing_mm: tuple, tolerance_mm: float
) -> dict:
    y_pred, y = one_hot(prediction, values), one_hot(truth, values)
    every = {"include_background": True}
    found = {
        "dice": mm.compute_dice(y_pred, y, **every),
        "iou": mm.compute_iou(y_pred, y, **every),
        "hausdorff_95_mm": mm.compute_hausdorff_distance(y_pred, y, percentile=95, spacing=spacing_mm, **every),
        "mean_surface_distance_mm": mm.compute_average_surface_distance(
            y_pred, y, symmetric=True, spacing=spacing_mm, **every
        ),
        "surface_dice": mm.compute_surface_dice(y_pred, y, [tolerance_mm] * len(values), spacing=spacing_mm, **every),
    }
    return {key: dict(zip(values, figures[0].tolist(), strict=True)) for key, figures in found.items()}


def agree_with_monai(prediction: np.ndarray, truth: np.ndarray, spacing_mm: tuple, tolerance_mm: float) -> int:
    ours = scores(prediction, truth, spacing_mm, tolerance_mm=tolerance_mm)
    both = [value for value, score in ours.items() if score.status == "compared"]
    theirs = of_monai(prediction, truth, both, spacing_mm, tolerance_mm)
    for key, figures in theirs.items():
        for value, figure in figures.items():
            assert ours[value].figure(key) == pytest.approx(figure, rel=FLOAT32, abs=FLOAT32), (key, value)
    return len(both)


class TestAgainstMonai:
    @pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), ANISOTROPIC, (5.0, 0.4, 0.4)])
    @pytest.mark.parametrize("seed", range(4))
    def test_smooth_regions(self, seed: int, spacing_mm: tuple) -> None:
        truth = blobs(seed)
        assert agree_with_monai(disturbed(truth, seed), truth, spacing_mm, 1.5) == 3

    @pytest.mark.parametrize("seed", range(3))
    def test_noise(self, seed: int) -> None:
        one, two = np.random.default_rng(seed).integers(0, 4, (2, 9, 11, 10)).astype(np.uint8)
        assert agree_with_monai(one, two, ANISOTROPIC, 1.0) == 3

    def test_a_real_head_and_neck(self, shared_data: Path) -> None:
        labels = read(shared_data / "headneck_ct/labels/pt_104.nii.gz")
        truth = np.asarray(labels.data)
        prediction = np.roll(truth, (1, 0, -1), (0, 1, 2))
        assert agree_with_monai(prediction, truth, labels.spacing_mm, 3.0) >= 5

    def test_nikolovs_weights_by_area_are_another_figure(self) -> None:
        """On voxels of 3×1×1 mm a border voxel at a pole stands for more surface than one at the side.

        MONAI's ``use_subvoxels`` is DeepMind's implementation; ours, like MONAI's default, counts voxels.
        """
        spacing_mm = (3.0, 1.0, 1.0)
        one = ball((16, 44, 44), (8, 22, 22), 18, spacing_mm)
        two = ball((16, 44, 44), (8.5, 23, 22), 18, spacing_mm)
        [ours] = scores(one.astype(np.uint8), two.astype(np.uint8), spacing_mm, tolerance_mm=1.0).values()
        y_pred, y = (one_hot(mask.astype(np.uint8), [1]) for mask in (one, two))
        theirs = mm.compute_surface_dice(
            y_pred, y, [1.0], include_background=True, spacing=spacing_mm, use_subvoxels=True
        )
        assert ours.surface_dice is not None
        assert 0.01 < abs(ours.surface_dice - theirs.item()) < 0.2


class TestAgainstSimpleITK:
    @pytest.mark.parametrize("seed", range(4))
    def test_overlap(self, seed: int) -> None:
        truth = blobs(seed)
        prediction = disturbed(truth, seed)
        filter_ = sitk.LabelOverlapMeasuresImageFilter()
        filter_.Execute(sitk.GetImageFromArray(prediction), sitk.GetImageFromArray(truth))
        for value, score in scores(prediction, truth).items():
            assert score.dice == pytest.approx(filter_.GetDiceCoefficient(value))
            assert score.iou == pytest.approx(filter_.GetJaccardCoefficient(value))
            # Their "false positive error" is relative to the background, which nobody's recall or precision is.
            assert 1 - score.precision == pytest.approx(filter_.GetFalseDiscoveryRate(value))
            assert 1 - score.recall == pytest.approx(filter_.GetFalseNegativeError(value))
            # Theirs is relative to the mean of both volumes, ours to the truth.
            relative = score.volume_error_ml / ((score.predicted_ml + score.truth_ml) / 2)
            assert abs(relative) == pytest.approx(abs(filter_.GetVolumeSimilarity(value)))
            assert score.volume_error_percent == pytest.approx(
                (score.predicted_voxels / np.count_nonzero(truth == value) - 1) * 100
            )

    @pytest.mark.parametrize("centre", [(8.0, 16.0, 16.0), (9.0, 13.0, 18.0), (10.0, 20.0, 10.0)])
    def test_largest_distance_of_solid_shapes(self, centre: tuple) -> None:
        one = ball((18, 34, 34), (8, 16, 16), 10, (2.0, 1.0, 1.0))
        two = ball((18, 34, 34), centre, 7, (2.0, 1.0, 1.0))
        assert largest(one, two, (2.0, 1.0, 1.0)) == pytest.approx(of_itk(one, two, (2.0, 1.0, 1.0)), abs=1e-5)

    def test_a_cavity_is_where_the_definitions_part(self) -> None:
        """A shell of 4 mm around a cavity of 6 mm, against the full ball.

        SimpleITK measures from the ball's centre to the shell; our surface of the ball is its outside alone, and the
        cavity's is as far from it as the shell is thick.
        """
        full = ball((25,) * 3, (12,) * 3, 10, (1.0, 1.0, 1.0))
        shell = full & ~ball((25,) * 3, (12,) * 3, 6, (1.0, 1.0, 1.0))
        assert of_itk(full, shell, (1.0, 1.0, 1.0)) == pytest.approx(6.5, abs=0.6)
        assert largest(full, shell, (1.0, 1.0, 1.0)) == pytest.approx(3.5, abs=0.6)


def largest(one: np.ndarray, two: np.ndarray, spacing_mm: tuple) -> float:
    from napari_resmed.review.surface import surface_distances

    return surface_distances(one, two, make_affine(spacing_mm=spacing_mm)).hausdorff_mm(100)


def of_itk(one: np.ndarray, two: np.ndarray, spacing_mm: tuple) -> float:
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (one, two)]
    for image in images:
        image.SetSpacing(spacing_mm[::-1])
    filter_ = sitk.HausdorffDistanceImageFilter()
    filter_.Execute(*images)
    return float(filter_.GetHausdorffDistance())


class TestWhereAFigureHasNoMeaning:
    truth = np.zeros((4, 5, 6), np.uint8)
    truth[1:3, 1:4, 2] = 1
    found = np.zeros_like(truth)
    found[2:, 3:, 3:] = 2

    def test_missed(self) -> None:
        score = scores(self.found, self.truth)[1]
        assert score.status == "missed"
        assert (score.dice, score.iou, score.recall, score.surface_dice) == (0, 0, 0, 0)
        assert (score.precision, score.hausdorff_95_mm, score.mean_surface_distance_mm) == (None, None, None)
        assert score.volume_error_percent == -100
        assert score.volume_error_ml == -score.truth_ml == pytest.approx(-6 * 3 * 0.8 * 1.1 / 1000)

    def test_false_alarm(self) -> None:
        score = scores(self.found, self.truth)[2]
        assert score.status == "false alarm"
        assert (score.dice, score.iou, score.precision, score.surface_dice) == (0, 0, 0, 0)
        assert (score.recall, score.hausdorff_95_mm, score.mean_surface_distance_mm) == (None, None, None)
        assert (score.volume_error_percent, score.absolute_volume_error_percent) == (None, None)
        assert score.volume_error_ml == score.predicted_ml > 0

    def test_absent(self) -> None:
        [score] = compare(self.found, self.truth, make_affine(), [7])
        assert score.status == "absent"
        assert all(score.figure(metric) is None for metric in METRICS)

    def test_not_annotated_keeps_what_was_predicted(self) -> None:
        score = scores(self.found, self.truth)[2].not_annotated()
        assert all(score.figure(metric) is None for metric in METRICS)
        assert score.predicted_voxels == np.count_nonzero(self.found)


class TestCompare:
    def test_perfect(self) -> None:
        for score in scores(blobs(3), blobs(3)).values():
            assert (score.dice, score.iou, score.precision, score.recall, score.surface_dice) == (1, 1, 1, 1, 1)
            assert (score.hausdorff_95_mm, score.mean_surface_distance_mm, score.volume_error_percent) == (0, 0, 0)

    @pytest.mark.parametrize("largest", [255, 2035, 65_535, 2_000_000])
    @pytest.mark.parametrize(
        "dtypes", [(np.uint8, np.uint8), (np.int16, np.uint16), (np.uint32, np.int64), (np.uint64, np.int32)]
    )
    def test_large_values_and_any_type(self, largest: int, dtypes: tuple) -> None:
        if largest > min(np.iinfo(dtype).max for dtype in dtypes):
            pytest.skip("the type does not hold the value")
        truth = blobs(1)
        prediction = disturbed(truth, 1)
        values = np.array([0, 1, largest - 1, largest])
        expected = scores(prediction, truth)
        found = scores(values[prediction].astype(dtypes[0]), values[truth].astype(dtypes[1]))
        assert list(found) == [1, largest - 1, largest]
        for one, two in zip(expected.values(), found.values(), strict=True):
            assert [one.figure(metric) for metric in METRICS] == [two.figure(metric) for metric in METRICS]

    def test_slab_by_slab_is_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        truth = blobs(2)
        prediction = disturbed(truth, 2)
        whole = scores(prediction, truth)
        monkeypatch.setattr("napari_resmed.review.metrics._SLAB_VOXELS", 1000)
        assert scores(prediction, truth) == whole

    def test_turned_views_are_the_same(self) -> None:
        truth = blobs(4)
        prediction = disturbed(truth, 4)
        straight = scores(prediction, truth)
        stored = np.ascontiguousarray(prediction[::-1].transpose(2, 0, 1))
        assert scores(stored.transpose(1, 2, 0)[::-1], truth) == straight

    def test_only_what_was_asked_for(self) -> None:
        truth = blobs(5)
        found = list(compare(disturbed(truth, 5), truth, make_affine(), [3, 1]))
        assert [score.value for score in found] == [1, 3]

    def test_ignored_voxels_change_nothing(self) -> None:
        truth = blobs(6)
        prediction = truth.copy()
        prediction[:, :10] = 2  # wrong, but nobody knows
        unsure = truth.copy()
        unsure[:, :10] = 9
        found = {s.value: s for s in compare(prediction, unsure, make_affine(), [1, 2, 3, 9], ignore=9)}
        assert list(found) == [1, 2, 3]
        assert all(score.dice == 1 and score.hausdorff_95_mm == 0 for score in found.values())
        assert scores(prediction, truth)[2].dice < 1

    def test_a_single_slice_has_an_outline(self) -> None:
        """As MONAI's in 2D."""
        truth = blobs(7, (1, 40, 36))
        prediction = disturbed(truth, 7)
        ours = scores(prediction, truth, (9.0, 0.8, 1.1), tolerance_mm=1.0)
        theirs = of_monai(prediction[0], truth[0], [1, 2, 3], (0.8, 1.1), 1.0)
        for key, figures in theirs.items():
            assert [ours[value].figure(key) for value in figures] == pytest.approx(list(figures.values()), rel=1e-5)

    def test_maps_of_different_shapes_are_no_pair(self) -> None:
        with pytest.raises(ValueError, match="on one grid"):
            list(compare(blobs(1), blobs(1)[1:], make_affine(), [1]))

    def test_sheared_volume(self) -> None:
        affine = make_affine(spacing_mm=(2, 1, 1), shear=(0.5, 0, 0))
        [score] = compare(np.ones((3, 3, 3), np.uint8), np.ones((3, 3, 3), np.uint8), affine, [1])
        assert score.truth_ml == pytest.approx(27 * 2 / 1000)
