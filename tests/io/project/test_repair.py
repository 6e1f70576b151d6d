"""A crash between any two steps, and what opening makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.project import (
    NO_LABELS,
    Project,
    State,
    accept,
    list_cases,
    open_project,
    read_index,
    read_labels,
    write_labels,
    write_prediction,
)
from napari_resmed.labels import LabelMap
from tests.io.project.conftest import make_image, what_nnunet_sees

Paint = Callable[..., LabelMap]

# Dies in the middle: after so many of the moves and writes that accepting is made of.
CRASH = """
import os, sys
from pathlib import Path
from napari_resmed.io.project import accept, open_project, read_labels, reopen
steps = int(sys.argv[3])
project = open_project(Path(sys.argv[1]))
token = read_labels(project, "a")[1]
replace = os.replace
def counted(here, there, *rest, **more):
    global steps
    if steps == 0:
        os._exit(9)
    steps -= 1
    return replace(here, there, *rest, **more)
# pathlib calls os.replace by this name: every move and every whole file goes through it.
os.replace = counted
{"accept": accept, "reopen": reopen}[sys.argv[2]](project, "a", token)
"""


def states(project: Project) -> dict[str, State]:
    return {case.name: case.state for case in list_cases(project)}


class TestCrash:
    @pytest.mark.parametrize("steps", range(5))
    @pytest.mark.parametrize("what", ["accept", "reopen"])
    def test_between_any_two_moves(self, what: str, steps: int, project: Project, paint: Paint) -> None:
        token = write_labels(project, "a", paint("a"), NO_LABELS).token
        if what == "reopen":
            accept(project, "a", token)
        done = subprocess.run(
            [sys.executable, "-c", CRASH, str(project.folder), what, str(steps)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ.copy(),
        )
        # Index, label file, image, dataset.json: four moves, so that the fifth row lets it come to its end.
        assert done.returncode == (0 if steps == 4 else 9), done.stderr
        again = open_project(project.folder)
        finished = steps > 0  # once the index says so, opening goes on with it
        after = State.ACCEPTED if (what == "accept") == finished else State.CORRECTED
        assert states(again)["a"] is after
        assert what_nnunet_sees(project.folder) == (["a"] if after is State.ACCEPTED else [])
        assert read_labels(again, "a")[1] == token

    def test_a_prediction_that_never_came(self, project: Project, paint: Paint) -> None:
        write_prediction(project, "a", paint("a"), 0.3)
        project.layout.labels("a", State.PREDICTED).unlink()
        (case, *_) = list_cases(open_project(project.folder))
        assert case.state is State.NOT_STARTED
        assert case.uncertainty is None

    def test_what_a_dead_program_was_writing_goes_after_a_day(self, project: Project) -> None:
        old = project.layout.being_written("a", "dead")
        new = project.layout.being_written("c", "alive")
        for file in (old, new):
            file.write_bytes(b"x")
        long_ago = time.time() - 2 * 24 * 3600
        os.utime(old, (long_ago, long_ago))
        open_project(project.folder)
        assert not old.exists()
        assert new.exists()


class TestNnunetFolder:
    @pytest.fixture
    def raw(self, project: Project, paint: Paint, tmp_path: Path) -> Path:
        """Raw data of nnU-Net: two cases with labels, one without, and a test set."""
        folder = tmp_path / "Dataset007_raw"
        for place in ("imagesTr", "labelsTr", "imagesTs"):
            (folder / place).mkdir(parents=True)
        for seed, name in enumerate(("x", "y", "z")):
            write(make_image(seed), folder / "imagesTr" / f"{name}_0000.nii.gz")
        for name in ("x", "y"):
            write(paint("a"), folder / "labelsTr" / f"{name}.nii.gz")
        write(make_image(8), folder / "imagesTs" / "t_0000.nii.gz")
        (folder / "dataset.json").write_text(
            '{"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "numTraining": 3, '
            '"file_ending": ".nii.gz", "licence": "ours"}'
        )
        return folder

    def test_labelled_cases_are_accepted(self, raw: Path) -> None:
        project = open_project(raw)
        assert states(project) == {"x": State.ACCEPTED, "y": State.ACCEPTED, "z": State.NOT_STARTED}
        assert what_nnunet_sees(raw) == ["x", "y"]
        assert project.channels == ("CT",)

    def test_what_is_none_of_ours_stays(self, raw: Path) -> None:
        open_project(raw)
        assert '"licence": "ours"' in (raw / "dataset.json").read_text()
        assert (raw / "imagesTs" / "t_0000.nii.gz").exists()

    def test_a_lost_index_is_made_anew(self, raw: Path) -> None:
        before = states(open_project(raw))
        (raw / "resmed.json").unlink()
        assert states(open_project(raw)) == before

    def test_a_case_put_there_by_hand_is_found(self, raw: Path, paint: Paint) -> None:
        open_project(raw)
        write(make_image(6), raw / "imagesUn" / "new_0000.nii.gz")
        write(paint("a"), raw / "labelsUn" / "z.nii.gz")
        found = states(open_project(raw))
        assert found["new"] is State.NOT_STARTED
        assert found["z"] is State.CORRECTED

    def test_a_case_whose_image_is_gone_is_not_counted(self, raw: Path) -> None:
        open_project(raw)
        (raw / "imagesTr" / "x_0000.nii.gz").unlink()
        assert list(states(open_project(raw))) == ["y", "z"]
        assert what_nnunet_sees(raw) == ["y"]


class TestNoProject:
    def test_some_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is no project"):
            open_project(tmp_path)

    def test_a_damaged_index(self, project: Project) -> None:
        (project.folder / "resmed.json").write_text('{"format": 1, "cases": {"a": {"st')
        with pytest.raises(InputError, match="cannot be read; rename it and open the project again"):
            open_project(project.folder)

    def test_an_index_of_a_newer_program(self, project: Project) -> None:
        (project.folder / "resmed.json").write_text('{"format": 99, "cases": {}}')
        with pytest.raises(InputError, match="format 99, expected 1; update"):
            open_project(project.folder)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{", "no readable dataset.json"),
            ('{"modality": {"0": "MRI"}, "labels": {}, "training": []}', "not of nnU-Net v2"),
            ('{"channel_names": {"0": "a"}, "labels": {"b": 1}, "file_ending": ".png"}', "end in .png"),
            ('{"channel_names": {}, "labels": {"b": 1}, "file_ending": ".nii.gz"}', "names no channel"),
            ('{"channel_names": 1, "labels": {"b": 1}, "file_ending": ".nii.gz"}', "nothing usable"),
            (
                '{"channel_names": {"0": "a"}, "labels": {}, "file_ending": ".nii.gz", "dataset": {}}',
                "one by one",
            ),
        ],
    )
    def test_another_dataset_json(self, text: str, expected: str, project: Project) -> None:
        (project.folder / "dataset.json").write_text(text)
        with pytest.raises(InputError, match=expected):
            open_project(project.folder)

    def test_a_read_only_project(self, project: Project, locked_disk: Path) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(locked_disk)], check=True)
        shutil.copytree(project.folder, locked_disk / "p")
        subprocess.run(["mount", "-o", "remount,ro", str(locked_disk)], check=True)
        with pytest.raises(InputError, match="cannot write to the project p: writing is not allowed there"):
            open_project(locked_disk / "p")


def test_an_image_that_comes_back_finds_what_was_said_of_it(project: Project, paint: Paint) -> None:
    labels = paint("a")
    write_labels(project, "a", replace(labels, meta={"complete_slices": [[0, 2]]}), NO_LABELS)
    write_prediction(project, "c", paint("c"), 0.25, "model 1")
    before = [case for case in list_cases(project) if case.name in ("a", "c")]
    images = [project.layout.find_images(name, State.NOT_STARTED)[0] for name in ("a", "c")]
    for image in images:
        image.rename(project.folder.parent / image.name)
    assert set(states(open_project(project.folder))) == {"b_b", "d"}
    assert set(states(open_project(project.folder))) == {"b_b", "d"}
    for image in images:
        (project.folder.parent / image.name).rename(image)
    again = open_project(project.folder)
    assert [case for case in list_cases(again) if case.name in ("a", "c")] == before
    assert (before[0].complete_slices, before[1].uncertainty) == (1, 0.25)


def test_a_folder_whose_umlauts_another_system_wrote_anew(tmp_path: Path) -> None:
    folder = tmp_path / "Dataset501_x"
    for kind in ("images", "labels"):
        (folder / f"{kind}Tr").mkdir(parents=True)
    write(make_image(), folder / "imagesTr" / "M\u00fcller_0000.nii.gz")
    names = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "a": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(names))
    project = open_project(folder)
    image = make_image()
    labels = LabelMap(np.ones(image.shape, np.uint8), image.affine, meta={"complete_slices": [[0, 2]]})
    write_labels(project, "M\u00fcller", labels, NO_LABELS)
    for file in (*folder.glob("images*/M*"), *folder.glob("labels*/M*")):
        file.rename(file.with_name(unicodedata.normalize("NFD", file.name)))
    (case,) = list_cases(open_project(folder))
    assert (case.name, case.complete_slices) == ("Mu\u0308ller", 1)
    assert read_index(folder).away == {}
