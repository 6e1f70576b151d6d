from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io import read, write
from napari_resmed.io.datasets import load_case, read_dataset
from napari_resmed.io.project import (
    NO_LABELS,
    Project,
    State,
    accept,
    list_cases,
    open_project,
    read_images,
    read_label_set,
    read_labels,
    reopen,
    write_label_set,
    write_labels,
    write_prediction,
)
from napari_resmed.labels import LEFT, Code, Label, LabelMap, LabelSet
from napari_resmed.train.case_facts import known_voxels
from tests.io.project.conftest import description, what_nnunet_sees

Paint = Callable[..., LabelMap]


def state_of(project: Project, name: str) -> State:
    return next(case.state for case in list_cases(project) if case.name == name)


class TestLabels:
    def test_a_case_has_none_at_first(self, project: Project) -> None:
        assert read_labels(project, "a") == (None, NO_LABELS)

    def test_what_is_written_is_read_in_the_images_place(self, project: Project, paint: Paint) -> None:
        labels = paint("a", 3)
        written = write_labels(project, "a", labels, NO_LABELS)
        assert written.conflict is None
        assert written.state is State.CORRECTED
        back, token = read_labels(project, "a")
        assert back is not None
        assert np.array_equal(back.data, labels.data)
        assert back.same_grid(read_images(project, "a")[0])
        assert token == written.token
        assert state_of(project, "a") is State.CORRECTED

    def test_an_empty_map_is_read_as_labels(self, project: Project, paint: Paint) -> None:
        write_labels(project, "a", paint("a", 0), NO_LABELS)
        back, _ = read_labels(project, "a")
        assert isinstance(back, LabelMap)
        assert not back.data.any()

    def test_painted_values_get_a_name_for_nnunet(self, project: Project, paint: Paint) -> None:
        write_label_set(project, LabelSet((Label(1, "liver", (1, 2, 3)),)))
        write_labels(project, "a", paint("a", 3), NO_LABELS)
        assert description(project.folder)["labels"] == {"background": 0, "liver": 1, "unused 2": 2, "label 3": 3}
        assert read_label_set(project)[1] == Label(1, "liver", (1, 2, 3))

    def test_what_another_window_added_stays(self, project: Project, paint: Paint) -> None:
        before = LabelSet((Label(1, "liver", (1, 2, 3)), Label(3, "spleen", (3, 2, 1))))
        write_label_set(project, before)
        write_labels(project, "a", paint("a", 2), NO_LABELS)  # the other window's
        write_label_set(project, LabelSet((before[1].called("Liver lobe"), before[3])), before)
        assert [(label.value, label.name) for label in read_label_set(project)] == [
            (1, "Liver lobe"), (2, "label 2"), (3, "spleen"),
        ]  # fmt: skip

    def test_two_windows_give_a_new_label_one_value(self, project: Project) -> None:
        before = LabelSet((Label(1, "liver", (1, 2, 3)),))
        write_label_set(project, before)
        write_label_set(project, LabelSet((*before, Label(2, "spleen", (3, 2, 1)))), before)
        with pytest.raises(InputError, match="another window has just added 'spleen' as label 2; add yours again"):
            write_label_set(project, LabelSet((*before, Label(2, "kidney", (4, 2, 1)))), before)
        assert [label.name for label in read_label_set(project)] == ["liver", "spleen"]

    def test_another_name_is_another_structure(self, project: Project, paint: Paint) -> None:
        code = Code("SCT", "64033007", "Kidney")
        kidney = Label(1, "Left kidney", (1, 2, 3), code, modifier=LEFT)
        write_label_set(project, LabelSet((kidney,)))
        told = description(project.folder)
        (project.folder / "dataset.json").write_text(json.dumps(told | {"labels": {"background": 0, "left_kidney": 1}}))
        assert read_label_set(project)[1].modifier == LEFT
        (project.folder / "dataset.json").write_text(json.dumps(told | {"labels": {"background": 0, "Spleen": 1}}))
        assert read_label_set(project)[1] == Label(1, "Spleen", (1, 2, 3))

    def test_a_value_too_high_to_fill_the_gaps_below(self, project: Project, paint: Paint) -> None:
        with pytest.raises(InputError, match="the label 300000 would leave 299999 values below it unused"):
            write_label_set(project, LabelSet((Label(300_000, "x", (1, 2, 3)),)))

    def test_a_case_that_is_not_there(self, project: Project, paint: Paint) -> None:
        with pytest.raises(InputError, match="no case zzz"):
            write_labels(project, "zzz", paint("a"), NO_LABELS)

    def test_a_file_that_is_no_label_map(self, project: Project) -> None:
        (image,) = read_images(project, "a")
        write(image, project.layout.labels("a", State.CORRECTED))
        with pytest.raises(InputError, match="holds no labels"):
            read_labels(project, "a")

    def test_a_full_disk_leaves_what_was_there(
        self, project: Project, paint: Paint, small_disk: Callable[..., object]
    ) -> None:
        written = write_labels(project, "a", paint("a"), NO_LABELS)
        noise = np.random.default_rng(0).integers(0, 200, (60, 60, 60)).astype(np.uint8)
        with small_disk(), pytest.raises(WorkError):  # type: ignore[attr-defined]
            write_labels(project, "a", LabelMap(noise, np.eye(4)), written.token)
        back, token = read_labels(project, "a")
        assert token == written.token
        assert back is not None
        assert np.array_equal(back.data, paint("a").data)
        assert not project.layout.left_overs()


def marked(labels: LabelMap, *slices: tuple[int, int]) -> LabelMap:
    return replace(labels, meta={"complete_slices": [list(place) for place in slices]})


class TestCompleteSlices:
    def test_stay_with_the_case_however_it_moves(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", marked(paint("a"), (0, 2), (2, 5)), NO_LABELS).token
        for move in (accept, reopen, accept):
            assert move(project, "a", token).token == token
            back, found = read_labels(open_project(project.folder), "a")
            assert found == token
            assert back is not None
            assert back.meta["complete_slices"] == [[0, 2], [2, 5]]
        (case,) = (one for one in list_cases(project) if one.name == "a")
        assert case.complete_slices == 2
        write_labels(project, "a", paint("a"), token)
        back, _ = read_labels(project, "a")
        assert back is not None
        assert "complete_slices" not in back.meta

    def test_marks_are_somebodys_work_too(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token
        theirs = write_labels(open_project(project.folder), "a", marked(paint("a"), (0, 2)), token)
        assert theirs.token != token
        assert accept(project, "a", token).state is State.CORRECTED
        assert write_labels(project, "a", paint("a", 2), token).conflict is not None
        assert read_labels(project, "a")[1] == theirs.token

    def test_are_not_said_of_labels_that_could_not_be_written(
        self, project: Project, paint: Paint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token

        def full(*_: object) -> None:
            raise WorkError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("napari_resmed.io.project.cases._replace", full)
            with pytest.raises(WorkError, match="full"):
                write_labels(project, "a", marked(paint("a", 2), (0, 2)), token)
        assert read_labels(project, "a")[1] == token
        assert write_labels(project, "a", marked(paint("a", 2), (0, 2)), token).conflict is None

    def test_training_takes_the_rest_for_unknown(self, project: Project, paint: Paint) -> None:
        for name, slices in (("a", [(0, 2), (1, 6)]), ("c", [])):
            token = write_labels(project, name, marked(paint(name), *slices), NO_LABELS).token
            accept(project, name, token)
        dataset, _ = read_dataset(project.folder)
        one, other = dataset.cases
        assert (one.only_painted, one.complete_slices) == (True, ((0, 2), (1, 6)))
        assert (other.only_painted, other.complete_slices) == (False, ())
        _, labels = load_case(one, dataset)
        known = known_voxels(labels, one, dataset)
        expected = labels.data != 0
        expected[2] = expected[:, 6] = True
        assert np.array_equal(known, expected)

    def test_one_that_is_not_there_leaves_the_case_out(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", marked(paint("a"), (0, 60)), NO_LABELS).token
        accept(project, "a", token)
        dataset, _ = read_dataset(project.folder)
        with pytest.raises(InputError, match="slice 60 along axis 0 is said to be complete"):
            load_case(dataset.cases[0], dataset)


class TestPrediction:
    def test_fills_what_is_not_started(self, project: Project, paint: Paint) -> None:
        assert write_prediction(project, "a", paint("a"), 0.25, "m 1.0")
        (case,) = (one for one in list_cases(project) if one.name == "a")
        assert case.state is State.PREDICTED
        assert case.uncertainty == 0.25

    def test_never_replaces_what_somebody_began(self, project: Project, paint: Paint) -> None:
        written = write_labels(project, "a", paint("a", 1), NO_LABELS)
        assert not write_prediction(project, "a", paint("a", 2), 0.1)
        assert read_labels(project, "a")[1] == written.token

    def test_painting_over_it_corrects_it(self, project: Project, paint: Paint) -> None:
        write_prediction(project, "a", paint("a"))
        _, token = read_labels(project, "a")
        assert write_labels(project, "a", paint("a", 1, 3), token).state is State.CORRECTED


class TestAccept:
    def test_only_accepted_cases_are_nnunets(self, project: Project, paint: Paint) -> None:
        for name in ("a", "c"):
            token = write_labels(project, name, paint(name), NO_LABELS).token
            if name == "c":
                assert accept(project, name, token).state is State.ACCEPTED
        assert what_nnunet_sees(project.folder) == ["c"]
        back, _ = read_labels(project, "c")
        assert back is not None
        assert back.same_grid(read_images(project, "c")[0])

    def test_painting_on_an_accepted_case_keeps_it_accepted(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token
        token = accept(project, "a", token).token
        written = write_labels(project, "a", paint("a", 1, 4), token)
        assert written.state is State.ACCEPTED
        assert read(project.folder / "labelsTr" / "a.nii.gz").data[4].any()

    def test_it_can_be_taken_back(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token
        accept(project, "a", token)
        assert reopen(project, "a", token).state is State.CORRECTED
        assert what_nnunet_sees(project.folder) == []
        assert read_labels(project, "a")[1] == token

    def test_without_labels_there_is_nothing_to_accept(self, project: Project) -> None:
        with pytest.raises(InputError, match="a has no labels yet"):
            accept(project, "a", NO_LABELS)

    def test_not_what_somebody_else_wrote_meanwhile(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token
        other = open_project(project.folder)
        write_labels(other, "a", paint("a", 2), token)
        assert accept(project, "a", token).state is State.CORRECTED
        assert what_nnunet_sees(project.folder) == []


class TestTwoWindows:
    def test_theirs_stays_and_ours_is_kept_beside(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a", 1), NO_LABELS).token
        other = open_project(project.folder)
        theirs = write_labels(other, "a", paint("a", 2), token)
        ours = write_labels(project, "a", paint("a", 3), token)
        assert ours.conflict == project.folder / "labelsUn" / f"a.conflict-{project.session}.nii.gz"
        assert 3 in read(ours.conflict).data
        back, now = read_labels(project, "a")
        assert now == theirs.token
        assert back is not None
        assert 2 in back.data

    def test_a_conflict_file_is_no_case(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a", 1), NO_LABELS).token
        write_labels(project, "a", paint("a", 2), token)
        write_labels(project, "a", paint("a", 3), token)
        assert len(list_cases(open_project(project.folder))) == 4

    def test_accepting_does_not_hinder_who_has_it_open(self, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a", 1), NO_LABELS).token
        accept(open_project(project.folder), "a", token)
        written = write_labels(project, "a", paint("a", 2), token)
        assert written.conflict is None
        assert written.state is State.ACCEPTED

    def test_states_set_by_both_survive(self, project: Project, paint: Paint) -> None:
        other = open_project(project.folder)
        for mine, name in ((project, "a"), (other, "c"), (project, "d")):
            token = write_labels(mine, name, paint(name), NO_LABELS).token
            accept(mine, name, token)
        assert what_nnunet_sees(project.folder) == ["a", "c", "d"]


# One of two windows: it paints its own cases and the shared one, again and again, and says what became of each write.
WINDOW = """
import json, sys, time
import numpy as np
from pathlib import Path
from napari_resmed.errors import ResMedError
from napari_resmed.io.project import *
from napari_resmed.io.project import lock
from napari_resmed.labels import LabelMap
lock.WAIT_SECONDS = 600  # the other one may be kept from working while it holds the lock
folder, own, mark, rounds = Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])
project = open_project(folder)
print("ready", flush=True)
sys.stdin.readline()
kept = conflicts = 0
last = None
for turn in range(rounds):
    for name in own:
        image = read_images(project, name)[0]
        before, token = read_labels(project, name)
        data = np.zeros(image.shape, np.uint8)
        data[turn % image.shape[0]] = mark
        written = write_labels(project, name, LabelMap(data, image.affine), token)
        assert written.conflict is None, name
        accept(project, name, written.token)
    image = read_images(project, "shared")[0]
    labels, token = read_labels(project, "shared")
    data = np.zeros(image.shape, np.uint8) if labels is None else np.array(labels.data)
    # Everyone adds one stroke to what they read: a stroke that is lost was destroyed by the other.
    free = np.flatnonzero(data.reshape(-1) == 0)[0]
    data.reshape(-1)[free] = mark
    written = write_labels(project, "shared", LabelMap(data, image.affine), token)
    if written.conflict is None:
        kept += 1
    else:
        conflicts += 1
        assert (read_labels is not None) and written.conflict.exists()
print(json.dumps({"kept": kept, "conflicts": conflicts}), flush=True)
"""


class TestTwoProcesses:
    def test_no_stroke_is_lost(self, images: Path, tmp_path: Path) -> None:
        from napari_resmed.io.project import create_project
        from tests.io.project.conftest import finish, make_image

        write(make_image(5), images / "shared.nii.gz")
        project = finish(create_project(images, tmp_path / "p"))
        rounds = 12
        windows = [
            subprocess.Popen(
                [sys.executable, "-c", WINDOW, str(project.folder), own, str(mark), str(rounds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ.copy(),
            )
            for mark, own in ((1, "a,b_b"), (2, "c,d"))
        ]
        for window in windows:
            assert window.stdout is not None
            assert window.stdout.readline() == "ready\n", window.stderr.read() if window.stderr else ""
        for window in windows:
            assert window.stdin is not None
            window.stdin.write("go\n")
            window.stdin.flush()
        said = []
        for window in windows:
            out, err = window.communicate(timeout=800)
            assert window.returncode == 0, err
            said.append(json.loads(out))
        data = read_labels(project, "shared")[0]
        assert data is not None
        for mark, one in enumerate(said, start=1):
            assert one["kept"] + one["conflicts"] == rounds
            assert (data.data == mark).sum() == one["kept"]
        assert what_nnunet_sees(project.folder) == ["a", "b_b", "c", "d"]
        assert state_of(project, "shared") is State.CORRECTED
        assert not project.layout.left_overs()
