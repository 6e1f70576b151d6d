"""Which case an image is, what is written down of it, and what is left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read, write
from napari_resmed.io.project import (
    NO_LABELS,
    Project,
    State,
    add_images,
    create_project,
    list_cases,
    open_project,
    read_images,
    read_index,
    read_labels,
    write_labels,
)
from napari_resmed.io.project import add as adding
from napari_resmed.io.project.index import write_index
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.io.project.conftest import PLACE, finish, make_image, what_nnunet_sees


def mark(value: int = 1, shape: tuple[int, int, int] = (6, 7, 8)) -> LabelMap:
    """A label map with one value in one place."""
    data = np.zeros(shape, np.uint8)
    data[2, 2:4] = value
    return LabelMap(data, PLACE)


def make_study(folder: Path, **seeds: int) -> Path:
    """A folder of ``images`` and ``labels``; no labels in it yet."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for name, seed in seeds.items():
        write(make_image(seed), folder / "images" / f"{name}.nii.gz")
    return folder


def states(project: Project) -> dict[str, State]:
    return {case.name: case.state for case in list_cases(project)}


class TestWhichCaseItIs:
    def test_an_umlaut_written_in_another_way(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A", **{"M\u00fcller": 1})
        project = finish(create_project(study, tmp_path / "p"))
        (study / "images" / "M\u00fcller.nii.gz").rename(study / "images" / "Mu\u0308ller.nii.gz")
        write(mark(), study / "labels" / "M\u00fcller.nii.gz")
        assert finish(add_images(project, study)) == ()
        assert states(project) == {"M_ller": State.ACCEPTED}

    def test_images_behind_links(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A")
        write(make_image(1), tmp_path / "0815.nii.gz")
        try:
            (study / "images" / "x.nii.gz").symlink_to(tmp_path / "0815.nii.gz")
        except OSError:
            pytest.skip("this system lets nobody make links")
        project = finish(create_project(study, tmp_path / "p"))
        (tmp_path / "elsewhere").mkdir()
        project = open_project(project.folder.rename(tmp_path / "elsewhere" / "p"))
        write(mark(), study / "labels" / "x.nii.gz")
        assert finish(add_images(project, study)) == ()
        assert states(project) == {"x": State.ACCEPTED}

    def test_another_study_laid_out_alike(self, tmp_path: Path) -> None:
        first, second = make_study(tmp_path / "A", x=1), make_study(tmp_path / "B", x=2)
        write(mark(), second / "labels" / "x.nii.gz")
        finish(create_project(first, first / "p"))
        shutil.copytree(first / "p", second / "p")
        project = open_project(second / "p")
        assert finish(add_images(project, second)) == ()
        assert states(project) == {"x": State.NOT_STARTED, "x_2": State.ACCEPTED}
        assert np.array_equal(read_images(project, "x_2")[0].data, make_image(2).data)

    def test_another_image_in_the_place_of_a_former_one(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A", x=1, y=2)
        project = finish(create_project(study, tmp_path / "p"))
        other = Volume(np.random.default_rng(5).normal(size=(8, 9, 10)).astype(np.float32), PLACE)
        write(other, study / "images" / "x.nii.gz")
        write(mark(shape=(8, 9, 10)), study / "labels" / "x.nii.gz")
        for _ in range(2):
            assert finish(add_images(project, study)) == ()
        assert states(project) == {"x": State.NOT_STARTED, "x_2": State.ACCEPTED, "y": State.NOT_STARTED}
        assert what_nnunet_sees(project.folder) == ["x_2"]
        assert np.array_equal(read_images(project, "x")[0].data, make_image(1).data)
        assert np.array_equal(read_images(project, "x_2")[0].data, other.data)

    def test_labels_are_compared_with_the_image_of_the_project(self, tmp_path: Path) -> None:
        """An older program noted no fingerprint, so that the place is all there is to go by."""
        study = make_study(tmp_path / "A", x=1)
        project = finish(create_project(study, tmp_path / "p"))
        index = read_index(project.folder)
        write_index(project.folder, index.with_case("x", fingerprint=""))
        write(Volume(np.ones((8, 9, 10), np.float32), PLACE), study / "images" / "x.nii.gz")
        write(mark(shape=(8, 9, 10)), study / "labels" / "x.nii.gz")
        ((name, why),) = finish(add_images(project, study))
        assert (name, states(project)) == ("x", {"x": State.NOT_STARTED})
        assert "another grid (8×9×10 voxels, the image has 6×7×8)" in why

    def test_files_of_one_name_on_another_drive(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> str:
            raise ValueError("path is on mount 'D:', start on mount 'C:'")

        for seed, name in ((7, "more"), (8, "again")):
            (tmp_path / name).mkdir()
            write(make_image(seed), tmp_path / name / "x.nii.gz")
        monkeypatch.setattr(os.path, "relpath", refuse)
        for name in ("more", "again", "more"):
            assert finish(add_images(project, tmp_path / name)) == ()
        assert [case.name for case in list_cases(project)] == ["a", "b_b", "c", "d", "x", "x_2"]

    def test_labels_of_the_same_image_under_another_name_stay_there(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A", p10=1)
        project = finish(create_project(study, tmp_path / "p"))
        shutil.copy(study / "images" / "p10.nii.gz", study / "images" / "p1.nii.gz")
        for value, name in ((1, "p1"), (2, "p10")):
            write(mark(value), study / "labels" / f"{name}.nii.gz")
        assert finish(add_images(project, study)) == (("p1", "its image is there already, as p10"),)
        labels, _ = read_labels(project, "p10")
        assert labels is not None
        assert labels.data.max() == 2

    def test_labels_that_no_image_has_are_not_taken_for_a_new_ones(self, project: Project, tmp_path: Path) -> None:
        more = make_study(tmp_path / "more", new=7)
        write(mark(), project.folder / "labelsUn" / "new.nii.gz")
        ((name, why),) = finish(add_images(project, more))
        assert (name, "the project has a file new.nii.gz already" in why) == ("new", True)
        open_project(project.folder)
        assert "new" not in states(project)

    def test_several_layers_of_labels_are_none_of_an_image(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A", x=1, y=2)
        for name, layers in (("x", 3), ("y", 1)):
            write(mark(), study / "labels" / f"{name}.nii.gz")
            found = nib.load(study / "labels" / f"{name}.nii.gz")
            several = nib.Nifti1Image(np.stack([np.asarray(found.dataobj)] * layers, -1), found.affine)
            several.header.set_intent("label")
            nib.save(several, study / "labels" / f"{name}.nii.gz")
        project = finish(create_project(study, tmp_path / "p"))
        assert states(project) == {"x": State.NOT_STARTED, "y": State.ACCEPTED}
        assert "x.nii.gz holds 3 layers of labels, expected one" in dict(read_index(project.folder).left_out)["x"]
        assert nib.load(project.folder / "labelsTr" / "y.nii.gz").shape == (8, 7, 6)


@pytest.mark.parametrize("ending", [".nrrd", ".nii", ".mha"])
def test_a_project_of_another_ending_holds_what_its_names_say(ending: str, tmp_path: Path) -> None:
    raw = tmp_path / "Dataset001_a"
    (raw / "imagesTr").mkdir(parents=True)
    write(make_image(1), raw / "imagesTr" / f"a_0000{ending}")
    told = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ending}
    (raw / "dataset.json").write_text(json.dumps(told | {"numTraining": 0}))
    (tmp_path / "more").mkdir()
    write(make_image(2), tmp_path / "more" / "b.nii.gz")
    project = open_project(raw)
    assert finish(add_images(project, tmp_path / "more")) == ()
    assert np.array_equal(read_images(project, "b")[0].data, make_image(2).data)


class TestWhatIsWrittenDown:
    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        """More images of which every second has labels."""
        study = make_study(tmp_path / "many", **{f"x{seed}": seed + 10 for seed in range(8)})
        for seed in range(0, 8, 2):
            write(mark(), study / "labels" / f"x{seed}.nii.gz")
        return study

    @pytest.mark.parametrize("steps", range(1, 9))
    def test_killed_anywhere_nothing_comes_twice(
        self, steps: int, project: Project, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program that dies leaves everything as it is, and notes nothing more."""
        with monkeypatch.context() as patch:
            patch.setattr(adding._Adding, "note", lambda _: None)
            running = add_images(project, many)
            for _ in range(steps):
                next(running)
            running.close()
        again = open_project(project.folder)
        came = {name: state for name, state in states(again).items() if name.startswith("x")}
        assert came == {f"x{n}": State.NOT_STARTED if n % 2 else State.ACCEPTED for n in range(steps)}
        assert finish(add_images(again, many)) == ()
        assert len(states(again)) == 4 + 8
        assert read_index(again.folder).away == {}
        assert what_nnunet_sees(again.folder) == ["x0", "x2", "x4", "x6"]

    def test_what_did_not_come_is_forgotten(self, project: Project, many: Path) -> None:
        (many / "images" / "x1.nii.gz").write_bytes(b"no")
        running = add_images(project, many)
        for _ in range(3):
            next(running)
        running.close()
        index = read_index(project.folder)
        assert index.away == {}
        assert [name for name in index.cases if name.startswith("x")] == ["x0", "x2"]
        assert [name for name, _ in index.left_out] == ["x1"]

    def test_the_index_is_written_a_few_times_for_many_images(
        self, project: Project, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[int] = []

        def count(folder: Path, index: Any) -> None:
            written.append(len(index.cases))
            write_index(folder, index)

        monkeypatch.setattr(adding, "write_index", count)
        monkeypatch.setattr(adding, "NOTE_SECONDS", 60.0)
        finish(add_images(project, many))
        assert len(written) == 5  # before 1, 2, 4 and the rest, and at the end
        assert written[-1] == 12
        for path in (project.folder / "imagesUn").glob("x*"):
            path.unlink()
        open_project(project.folder)
        written.clear()
        assert finish(add_images(project, many)) == ()
        assert len(written) <= 5
        assert written[-1] == 12

    def test_no_batch_is_long_in_being_looked_at(
        self, project: Project, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        begin = adding._Adding.begin

        def count(self: Any, batch: Any) -> Any:
            sizes.append(len(batch))
            return begin(self, batch)

        monkeypatch.setattr(adding._Adding, "begin", count)
        monkeypatch.setattr(adding, "NOTE_SECONDS", 60.0)
        monkeypatch.setattr(adding, "BATCH_BYTES", 1)
        assert finish(add_images(project, many)) == ()
        assert sizes == [1] * 8

    def test_two_windows_add_one_folder(self, project: Project, many: Path) -> None:
        runs = [add_images(one, many) for one in (project, open_project(project.folder))]
        for run in runs:
            next(run)
        assert [finish(run) for run in runs] == [(), ()]
        assert len(states(project)) == 4 + 8
        assert read_index(project.folder).left_out == ()

    def test_what_somebody_paints_meanwhile_stays(
        self, project: Project, many: Path, paint: Callable[..., LabelMap]
    ) -> None:
        running = add_images(project, many)
        next(running)
        next(running)
        write_labels(project, "x0", replace(mark(3), affine=read_images(project, "x0")[0].affine), token_of(project))
        finish(running)
        assert read(project.folder / "labelsTr" / "x0.nii.gz").data.max() == 3
        write_labels(project, "a", paint("a"), NO_LABELS)
        assert states(project)["a"] is State.CORRECTED

    def test_what_was_left_out_and_comes_in_is_said_no_more(self, project: Project, tmp_path: Path) -> None:
        more = make_study(tmp_path / "more", a1=7)
        (more / "images" / "a2.nii.gz").write_bytes(b"no")
        write(mark(), more / "labels" / "a3_seg.nii.gz")
        (more / "labels.json").write_text("{")
        left_out = finish(add_images(project, more))
        assert {name for name, _ in left_out} == {"a2", "a3_seg.nii.gz", "labels.json"}
        for name in ("a2", "a3"):
            write(make_image(ord(name[1])), more / "images" / f"{name}.nii.gz")
        (more / "labels.json").unlink()
        assert finish(add_images(project, more)) == ()
        assert read_index(project.folder).left_out == ()

    def test_names_that_nnunet_could_not_train_on_are_told_first(self, tmp_path: Path) -> None:
        study = make_study(tmp_path / "A", x=1)
        (study / "labels.json").write_text(json.dumps({"background": 0, "liver": 1, "odd": 20_000}))
        with pytest.raises(InputError, match="labels.json .* the label 20000 would leave"):
            next(create_project(study, tmp_path / "p"))
        (tmp_path / "more").mkdir()
        write(make_image(9), tmp_path / "more" / "m.nii.gz")
        project = finish(create_project(tmp_path / "more", tmp_path / "p"))
        with pytest.raises(InputError, match="labels.json .* the label 20000 would leave"):
            next(add_images(project, study))


def token_of(project: Project) -> str:
    return read_labels(project, "x0")[1]
