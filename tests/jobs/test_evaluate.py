from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.io import read, write
from napari_resmed.jobs import find_job
from napari_resmed.jobs.evaluate import evaluate
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.review.scores import Evaluation
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.review.shapes import blobs, disturbed

AFFINE = make_affine(spacing_mm=(2, 1, 1))
ORGANS = LabelSet(
    tuple(Label(value, name, (value, 0, 0)) for value, name in enumerate(("Liver", "Spleen", "Aorta"), 1))
)


def run(*paths: Path, **options: Any) -> tuple[list[Event], Evaluation]:
    steps = evaluate(*paths, **options)
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def refusal(*paths: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        run(*paths, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def put(folder: Path, name: str, data: np.ndarray, affine: np.ndarray = AFFINE, labels: LabelSet | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    volume = Volume(data, affine) if labels is None else LabelMap(data, affine, labels=labels)
    write(volume, folder / name)
    return folder / name


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Three cases as ``segment`` writes them, against plain truths."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for number, name in enumerate(("a", "b", "c")):
        truth = blobs(number, (10, 24, 22))
        put(theirs, f"{name}.nii.gz", truth)
        put(ours, f"{name}_seg.nii.gz", disturbed(truth, number), labels=ORGANS)
    return ours, theirs


class TestFolders:
    def test_every_case_and_label(self, places: tuple[Path, Path]) -> None:
        events, found = run(*places)
        assert [case.name for case in found.cases] == ["a", "b", "c"]
        assert [(label.value, label.name) for label in found.labels] == [(1, "Liver"), (2, "Spleen"), (3, "Aorta")]
        assert all(score.status == "compared" for case in found.cases for score in case.labels)
        assert 0.5 < found.mean["dice"] < 1
        assert isinstance(events[0], Started)
        shares = [event.done for event in events if isinstance(event, Progress)]
        assert shares == sorted(shares)
        assert not [event for event in events if isinstance(event, Warning)]
        assert (found.predictions, found.truth) == ("ours", "theirs")

    def test_in_two_processes_the_same(self, places: tuple[Path, Path]) -> None:
        assert run(*places, processes=2)[1].cases == run(*places)[1].cases

    def test_stopping_leaves_nothing_running(self, places: tuple[Path, Path]) -> None:
        import psutil

        steps = evaluate(*places, processes=2)
        next(steps)
        next(steps)
        steps.close()
        # The resource tracker of multiprocessing lives as long as we do.
        left = [child.cmdline() for child in psutil.Process(os.getpid()).children()]
        assert not [words for words in left if any("spawn_main" in word for word in words)]

    def test_another_axis_order_changes_nothing(self, places: tuple[Path, Path]) -> None:
        before = run(*places)[1]
        path = places[0] / "b_seg.nii.gz"
        stored = read(path)
        turned = np.ascontiguousarray(stored.data.transpose(2, 0, 1)[::-1])
        affine = AFFINE.copy()
        affine[:3, :3] = AFFINE[:3, :3][:, [2, 0, 1]] * [-1, 1, 1]
        affine[:3, 3] = AFFINE[:3, 3] + AFFINE[:3, 2] * (stored.shape[2] - 1)
        put(places[0], "b_seg.nii.gz", turned, affine, ORGANS)
        assert run(*places)[1].cases == before.cases

    def test_one_bad_case_does_not_stop_the_others(self, places: tuple[Path, Path]) -> None:
        put(places[0], "b_seg.nii.gz", blobs(0, (9, 24, 22)))
        events, found = run(*places)
        assert [case.name for case in found.cases] == ["a", "c"]
        assert list(found.failed) == ["b"]
        assert "another grid" in found.failed["b"]
        assert any("b could not be compared and is in no mean" in e.message for e in events if isinstance(e, Warning))
        _, resampled = run(*places, resample=True)
        assert not resampled.failed
        assert [case.resampled for case in resampled.cases] == [False, True, False]
        assert any("resampled" in warning for warning in resampled.warnings)

    def test_a_truth_without_a_prediction_counts(self, places: tuple[Path, Path]) -> None:
        whole = run(*places)[1]
        (places[0] / "b_seg.nii.gz").unlink()
        found = run(*places)[1]
        assert found.cases[1].prediction is None
        assert {score.status for score in found.cases[1].labels} == {"missed"}
        assert found.mean["dice"] < whole.mean["dice"]
        assert found.warnings[0].startswith("1 truth has no prediction, counted as one that found nothing: b.nii.gz")
        without = run(*places, only_predicted=True)[1]
        assert [case.name for case in without.cases] == ["a", "c"]
        assert "no prediction, left out: b.nii.gz" in without.warnings[0]

    def test_a_prediction_without_a_truth_is_told(self, places: tuple[Path, Path]) -> None:
        (places[1] / "c.nii.gz").unlink()
        found = run(*places)[1]
        assert found.predictions_alone == ("c_seg.nii.gz",)
        assert found.warnings == ("1 prediction has no truth, left out: c_seg.nii.gz",)


class TestLabels:
    def test_chosen_and_named(self, places: tuple[Path, Path]) -> None:
        _, found = run(*places, labels=(1, 3, 8), names={3: "Vessel"})
        assert [(label.value, label.name) for label in found.labels] == [(1, "Liver"), (3, "Vessel"), (8, "label 8")]
        assert found.labels[2].absent == 3
        assert found.labels[2].statistics["dice"].mean is None

    def test_that_one_side_lacks_are_told(self, tmp_path: Path) -> None:
        truth = blobs(0, (10, 24, 22))
        ours = put(tmp_path, "p.nii.gz", np.where(truth == 2, 0, np.where(truth == 3, 4, truth)).astype(np.uint8))
        _, found = run(ours, put(tmp_path, "t.nii.gz", truth))
        by_value = {label.value: label for label in found.labels}
        assert by_value[4].false_alarms == by_value[2].missed == by_value[3].missed == 1
        assert [score.dice for score in found.cases[0].labels] == [1, 0, 0, 0]
        words = " ".join(found.warnings)
        assert "only the predictions hold label 4" in words
        assert "only the truth holds label 2, label 3" in words

    def test_of_two_meanings_are_told(self, places: tuple[Path, Path]) -> None:
        other = LabelSet((Label(1, "Kidney", (1, 1, 1)), Label(2, "spleen", (1, 1, 1))))
        put(places[1], "a.nii.gz", blobs(0, (10, 24, 22)), labels=other)
        [warning] = run(*places)[1].warnings
        assert warning.startswith("label 1 is 'Kidney' in the truth and 'Liver' in the predictions")

    def test_ignored(self, places: tuple[Path, Path]) -> None:
        truth = blobs(0, (10, 24, 22))
        unsure = np.where(disturbed(truth, 0) == truth, truth, 9).astype(np.uint8)
        put(places[1], "a.nii.gz", unsure)
        _, found = run(*places, ignore=9)
        assert [score.dice for score in found.cases[0].labels] == [1, 1, 1]
        assert [label.value for label in found.labels] == [1, 2, 3]
        assert found.ignore == 9

    def test_a_fine_tolerance_is_told(self, places: tuple[Path, Path]) -> None:
        assert "finer than a voxel of 1 mm" in run(*places, tolerance_mm=0.5)[1].warnings[0]
        assert run(*places, tolerance_mm=3)[1].mean["surface_dice"] > run(*places)[1].mean["surface_dice"]


class TestPartlyAnnotated:
    def test_is_left_out_where_nobody_looked(self, places: tuple[Path, Path], tmp_path: Path) -> None:
        table = tmp_path / "cases.csv"
        table.write_text("case,Liver,Spleen\na,1,0\nb,1,1\n")
        _, found = run(*places, annotated=table)
        spleen = found.labels[1]
        assert (spleen.not_annotated, spleen.statistics["dice"].cases) == (1, 2)
        assert found.cases[0].labels[1].dice is None
        words = " ".join(found.warnings)
        assert "cases.csv has no row for c" in words
        assert "no column for Aorta" in words

    def test_needs_names(self, places: tuple[Path, Path], tmp_path: Path) -> None:
        table = tmp_path / "cases.csv"
        table.write_text("case,Kidney\na,1\n")
        assert "is the name of a label (Liver, Spleen, Aorta)" in refusal(*places, annotated=table)

    def test_real_cases(self, shared_data: Path, tmp_path: Path) -> None:
        """Against themselves: perfect where annotated, nothing elsewhere."""
        source = shared_data / "headneck_ct"
        (tmp_path / "t").mkdir()
        for name in ("pt_4", "pt_13", "pt_104"):
            (tmp_path / "t" / f"{name}.nii.gz").symlink_to(source / f"labels/{name}.nii.gz")
        organs = "Brainstem SpinalCord RightParotid LeftParotid Esophagus Larynx Mandible".split()
        names = dict(enumerate(organs, 1))
        _, found = run(tmp_path / "t", tmp_path / "t", annotated=source / "cases.csv", names=names, tolerance_mm=4)
        assert found.mean["dice"] == found.mean["surface_dice"] == 1
        assert found.mean["hausdorff_95_mm"] == 0
        assert not found.warnings


class TestRefusals:
    def test_of_parameters(self, places: tuple[Path, Path]) -> None:
        for options, reason in (
            ({"tolerance_mm": -1}, "the tolerance is -1 mm, expected 0 or more"),
            ({"tolerance_mm": float("nan")}, "the tolerance is nan mm"),
            ({"labels": (0, 1)}, "found the label 0, expected 1 or more"),
            ({"labels": (1,), "ignore": 1}, "to be compared and to be ignored"),
            ({"ignore": 0}, "found 0 to ignore"),
            ({"processes": 0}, "found 0 processes"),
            ({"images": places[0] / "none"}, "does not exist"),
            ({"annotated": places[0] / "none.csv"}, "cannot be read as a table"),
        ):
            assert reason in refusal(*places, **options)

    def test_where_no_case_can_be_compared(self, tmp_path: Path) -> None:
        small, large = blobs(0, (9, 24, 22)), blobs(0, (10, 24, 22))
        alone = refusal(put(tmp_path, "p.nii.gz", small), put(tmp_path, "t.nii.gz", large))
        assert alone.startswith("the prediction lies on another grid than the truth (9×24×22 at 2×1×1 mm against")
        for name in ("a", "b"):
            put(tmp_path / "p", f"{name}.nii.gz", small)
            put(tmp_path / "t", f"{name}.nii.gz", large)
        assert refusal(tmp_path / "p", tmp_path / "t").startswith("no case could be compared; a: the prediction lies")

    def test_where_there_is_no_label(self, tmp_path: Path) -> None:
        empty = put(tmp_path, "t.nii.gz", np.zeros((4, 5, 6), np.uint8))
        assert "every voxel is 0" in refusal(empty, empty)


def test_a_face_finds_the_job() -> None:
    assert find_job("evaluate") is evaluate
