from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read, write
from napari_resmed.io.dicom.write import write_series
from napari_resmed.io.project import (
    NO_LABELS,
    Project,
    State,
    add_images,
    create_project,
    find_project_of,
    list_cases,
    open_project,
    read_images,
    read_index,
    read_label_set,
    suggest_folder,
    write_label_set,
    write_labels,
)
from napari_resmed.io.provenance import write_provenance
from napari_resmed.labels import LEFT, Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.io.project.conftest import PLACE, description, finish, make_image, what_nnunet_sees, write_dicom

KIDNEY = Code("SCT", "64033007", "Kidney")
CASES = ("x0", "x1", "x2")


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file with what is in it and when it was last changed."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def save_named(data: np.ndarray, names: tuple[str, ...], path: Path) -> None:
    """A label file, with a note that names its values from 1 on."""
    labels = LabelSet(tuple(Label(value, name, (value, 2, 3)) for value, name in enumerate(names, 1)))
    write(LabelMap(data, PLACE, labels=labels), path)
    write_provenance(path, LabelMap(data, PLACE, labels=labels))


class TestCreate:
    def test_every_image_is_a_case_that_is_not_started(self, project: Project) -> None:
        assert [(case.name, case.state) for case in list_cases(project)] == [
            (name, State.NOT_STARTED) for name in ("a", "b_b", "c", "d")
        ]

    def test_images_are_the_same_voxels_at_the_same_place(self, project: Project) -> None:
        for seed, case in enumerate(list_cases(project)):
            (image,) = read_images(project, case.name)
            assert np.array_equal(image.data, make_image(seed).data)
            assert image.same_grid(make_image(seed))
            assert image.name == case.name

    def test_the_folder_of_images_is_not_touched(self, images: Path, tmp_path: Path) -> None:
        before = contents(images)
        finish(create_project(images, tmp_path / "p"))
        assert contents(images) == before

    def test_what_has_the_right_form_takes_no_room(self, images: Path, project: Project) -> None:
        linked = project.layout.images("a", State.NOT_STARTED)[0]
        assert linked.samefile(images / "a.nii.gz")

    def test_nnunet_is_not_shown_what_is_not_accepted(self, project: Project) -> None:
        assert what_nnunet_sees(project.folder) == []

    def test_progress_ends_at_one(self, images: Path, tmp_path: Path) -> None:
        done = [step.done for step in create_project(images, tmp_path / "p")]
        assert done == sorted(done)
        assert done[-1] == 1
        assert len(done) == 4

    def test_stopped_half_way_nothing_is_left(self, images: Path, tmp_path: Path) -> None:
        steps = create_project(images, tmp_path / "p")
        next(steps)
        steps.close()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["scans"]

    def test_sources_are_noted_relative(self, project: Project) -> None:
        index = read_index(project.folder)
        assert index.source == "../scans"
        assert index.cases["c"].source == "../scans/c.nrrd"

    def test_channels_by_name(self, tmp_path: Path) -> None:
        folder = tmp_path / "two"
        folder.mkdir()
        for case in range(3):
            for channel in range(2):
                write(make_image(10 * case + channel), folder / f"p{case}_{channel:04d}.nii.gz")
        project = finish(create_project(folder, tmp_path / "p"))
        assert [case.name for case in list_cases(project)] == ["p0", "p1", "p2"]
        first, second = read_images(project, "p1")
        assert np.array_equal(first.data, make_image(10).data)
        assert np.array_equal(second.data, make_image(11).data)
        assert len(project.channels) == 2

    def test_colour_channels_become_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "colour"
        folder.mkdir()
        data = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 6)).astype(np.uint8)
        write(Volume(data, PLACE, "czyx"), folder / "x.nii.gz")
        project = finish(create_project(folder, tmp_path / "p"))
        assert [image.data.tolist() for image in read_images(project, "x")] == [one.tolist() for one in data]

    def test_names_of_files_in_folders_are_made_apart(self, tmp_path: Path) -> None:
        folder = tmp_path / "bids"
        for subject in ("sub-01", "sub-02"):
            (folder / subject).mkdir(parents=True)
            write(make_image(), folder / subject / "T1.nii.gz")
        write(make_image(), folder / "other.nii.gz")
        project = finish(create_project(folder, tmp_path / "p"))
        assert [case.name for case in list_cases(project)] == ["other", "sub-01_T1", "sub-02_T1"]

    def test_dicom_folders_are_named_by_what_they_show(self, tmp_path: Path) -> None:
        folder = tmp_path / "dicom"
        for number, patient in enumerate(("DOE_JOHN", "ROE_JANE")):
            data = np.arange(number, 60 + number).reshape(3, 4, 5).astype(np.int16)
            folder.mkdir(exist_ok=True)
            write_series(
                Volume(data, np.diag([3.0, 3, 3, 1])[[2, 1, 0, 3]], "zyx", "CT", "t1 mprage"), folder / patient
            )
        project = finish(create_project(folder, tmp_path / "p"))
        names = [case.name for case in list_cases(project)]
        assert len(names) == 2
        everything = (
            "".join(str(path) for path in project.folder.rglob("*")) + (project.folder / "resmed.json").read_text()
        )
        assert "DOE" not in everything
        assert "JANE" not in everything

    def test_a_file_and_a_series_of_one_name_are_two_cases(self, tmp_path: Path) -> None:
        folder = tmp_path / "both"
        folder.mkdir()
        write(make_image(), folder / "T1.nii.gz")
        shown = write_dicom(folder / "study", 3)
        project = finish(create_project(folder, tmp_path / "p"))
        assert [case.name for case in list_cases(project)] == ["T1", "T1_2"]
        assert np.array_equal(read_images(project, "T1")[0].data, make_image().data)
        assert np.array_equal(read_images(project, "T1_2")[0].data, shown)


class TestLeftOut:
    def test_what_cannot_be_used_is_listed_with_the_reason(self, images: Path, tmp_path: Path) -> None:
        holes = make_image().data.copy()
        holes[0, 0, 0] = np.nan
        write(make_image().with_data(holes), images / "holes.nii.gz")
        labels = np.zeros((6, 7, 8), np.uint8)
        labels[2:4] = 1
        write(LabelMap(labels, PLACE), images / "seg.nii.gz")
        write(Volume(np.zeros((4, 6, 7, 8)), PLACE, "tzyx"), images / "movie.nii.gz")
        (images / "broken.nii.gz").write_bytes(b"no")
        project = finish(create_project(images, tmp_path / "p"))
        assert len(list_cases(project)) == 4
        left_out = dict(read_index(project.folder).left_out)
        assert "NaN" in left_out["holes"]
        assert "labels" in left_out["seg"]
        assert "4 time points" in left_out["movie"]
        assert "broken.nii.gz" in left_out["broken"]

    def test_nothing_usable_is_one_sentence_and_no_project(self, tmp_path: Path) -> None:
        folder = tmp_path / "bad"
        folder.mkdir()
        (folder / "x.nii.gz").write_bytes(b"no")
        with pytest.raises(InputError, match="none of the 1 images can be used: x.nii.gz"):
            finish(create_project(folder, tmp_path / "p"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bad"]

    def test_no_images_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match="holds no image"):
            finish(create_project(tmp_path / "empty", tmp_path / "p"))

    def test_a_place_that_is_taken(self, images: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="there already"):
            finish(create_project(images, images))

    def test_a_place_where_nothing_can_be_written(self, images: Path, locked_disk: Path) -> None:
        with pytest.raises(InputError, match="cannot make the project .* writing is not allowed there"):
            finish(create_project(images, locked_disk / "p"))


class TestWithLabels:
    @pytest.fixture
    def pair(self, tmp_path: Path) -> Path:
        folder = tmp_path / "pair"
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        for seed in range(3):
            write(make_image(seed), folder / "images" / f"x{seed}.nii.gz")
        return folder

    def test_labelled_cases_are_accepted(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[2, 2:4] = 2
        write(LabelMap(data, PLACE), pair / "labels" / "x1.nii.gz")
        project = finish(create_project(pair, tmp_path / "p"))
        states = {case.name: case.state for case in list_cases(project)}
        assert states == {"x0": State.NOT_STARTED, "x1": State.ACCEPTED, "x2": State.NOT_STARTED}
        assert what_nnunet_sees(project.folder) == ["x1"]
        assert np.array_equal(read(project.folder / "labelsTr" / "x1.nii.gz").data, data)
        assert description(project.folder)["labels"] == {"background": 0, "unused 1": 1, "label 2": 2}
        assert read_label_set(project).values == (2,)

    def test_labels_on_another_grid_are_left_out_and_their_image_is_not(self, pair: Path, tmp_path: Path) -> None:
        write(LabelMap(np.ones((6, 7, 9), np.uint8), PLACE), pair / "labels" / "x1.nii.gz")
        project = finish(create_project(pair, tmp_path / "p"))
        assert {case.state for case in list_cases(project)} == {State.NOT_STARTED}
        assert "another grid (6×7×9 voxels, the image has 6×7×8)" in dict(read_index(project.folder).left_out)["x1"]

    @pytest.mark.parametrize("ending", ["_seg", "_label", "-label", "_mask", ".seg"])
    def test_what_labels_are_called(self, ending: str, pair: Path, tmp_path: Path) -> None:
        write(LabelMap(np.ones((6, 7, 8), np.uint8), PLACE), pair / "labels" / f"x1{ending}.nrrd")
        project = finish(create_project(pair, tmp_path / "p"))
        assert what_nnunet_sees(project.folder) == ["x1"]
        assert read_index(project.folder).left_out == ()

    def test_names_come_along(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[2, 2:4], data[3], data[4] = 2, 3, 5
        own = LabelSet((Label(2, "Left kidney", (9, 8, 7), KIDNEY, modifier=LEFT),))
        write(LabelMap(data, PLACE, labels=own), pair / "labels" / "x1.nrrd")
        write_provenance(pair / "labels" / "x1.nrrd", LabelMap(data, PLACE, labels=own))
        (pair / "labels.json").write_text(json.dumps({"background": 0, "Milz": 3, "Left Kidney": 5}))
        project = finish(create_project(pair, tmp_path / "p"))
        assert description(project.folder)["labels"] == {
            "background": 0, "unused 1": 1, "label 2": 2, "Milz": 3, "unused 4": 4, "Left Kidney": 5,
        }  # fmt: skip
        (pair / "labels.json").unlink()
        named = read_label_set(finish(create_project(pair, tmp_path / "q")))
        assert [label.name for label in named] == ["Left kidney", "label 3", "label 5"]
        assert named[2] == own[2]

    def test_one_name_is_one_structure_whatever_its_number(self, pair: Path, tmp_path: Path) -> None:
        """Slicer numbers segments by the order in which they were drawn."""
        data = np.zeros((6, 7, 8), np.uint8)
        data[1], data[2] = 1, 2
        for case, names in (("x0", ("Liver", "Spleen")), ("x1", ("spleen", "LIVER")), ("x2", ("Tumour", "Liver"))):
            save_named(data, names, pair / "labels" / f"{case}.nrrd")
        project = finish(create_project(pair, tmp_path / "p"))
        assert [(label.value, label.name) for label in read_label_set(project)] == [
            (1, "Liver"), (2, "Spleen"), (3, "Tumour"),
        ]  # fmt: skip
        assert read_index(project.folder).left_out == ()
        first = {case: read(project.folder / "labelsTr" / f"{case}.nii.gz").data[1:3, 0, 0].tolist() for case in CASES}
        assert first == {"x0": [1, 2], "x1": [2, 1], "x2": [3, 1]}

    def test_a_name_like_that_of_a_nameless_value_is_none(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[1], data[2] = 1, 2
        save_named(data, ("label 2",), pair / "labels" / "x1.nrrd")
        project = finish(create_project(pair, tmp_path / "p"))
        assert description(project.folder)["labels"] == {"background": 0, "label 1": 1, "label 2": 2}

    def test_two_values_of_one_name_stay_two(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[1], data[2] = 1, 2
        save_named(data, ("Lesion", "Lesion"), pair / "labels" / "x1.nrrd")
        project = finish(create_project(pair, tmp_path / "p"))
        assert [label.name for label in read_label_set(project)] == ["Lesion", "Lesion 2"]

    def test_a_nameless_value_that_is_another_structures(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[1], data[2] = 1, 2
        save_named(data, ("Liver", "Spleen"), pair / "labels" / "x0.nrrd")
        save_named(data, ("Spleen",), pair / "labels" / "x1.nrrd")
        project = finish(create_project(pair, tmp_path / "p"))
        assert what_nnunet_sees(project.folder) == ["x0"]
        why = dict(read_index(project.folder).left_out)["x1"]
        assert "its labels call 1 Spleen, which is 2 here, and give 2 no name" in why

    @pytest.mark.parametrize(
        ("names", "why"),
        [
            ([{"id": 1}], "found the label entry"),
            ({"labels": {"background": 0, "whole": [1, 2]}}, "overlapping regions"),
        ],
    )
    def test_a_file_of_names_that_says_nothing_usable(
        self, names: object, why: str, pair: Path, tmp_path: Path
    ) -> None:
        write(LabelMap(np.ones((6, 7, 8), np.uint8), PLACE), pair / "labels" / "x1.nii.gz")
        (pair / "labels.json").write_text(json.dumps(names))
        project = finish(create_project(pair, tmp_path / "p"))
        assert what_nnunet_sees(project.folder) == ["x1"]
        assert why in dict(read_index(project.folder).left_out)["labels.json"]

    def test_places_left_open_are_no_structure(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[1], data[2] = 1, 2
        write(LabelMap(data, PLACE), pair / "labels" / "x1.nii.gz")
        write(LabelMap(np.minimum(data, 1), PLACE), pair / "labels" / "x2.nii.gz")
        (pair / "labels.json").write_text(json.dumps({"liver": 1, "ignore": 2}))
        project = finish(create_project(pair, tmp_path / "p"))
        assert what_nnunet_sees(project.folder) == ["x2"]
        assert "leave places open" in dict(read_index(project.folder).left_out)["x1"]
        (pair / "labels.json").write_text(json.dumps({"liver": 1, "background": 2}))
        project = finish(create_project(pair, tmp_path / "q"))
        assert np.array_equal(read(project.folder / "labelsTr" / "x1.nii.gz").data, data * (data == 1))

    def test_a_value_too_high_is_left_out_with_its_labels_alone(self, pair: Path, tmp_path: Path) -> None:
        write(LabelMap(np.full((6, 7, 8), 300_000, np.uint32), PLACE), pair / "labels" / "x1.nii.gz")
        write(LabelMap(np.ones((6, 7, 8), np.uint8), PLACE), pair / "labels" / "x2.nii.gz")
        project = finish(create_project(pair, tmp_path / "p"))
        assert what_nnunet_sees(project.folder) == ["x2"]
        assert "the label 300000 would leave" in dict(read_index(project.folder).left_out)["x1"]

    def test_labels_in_another_order_of_axes_are_turned(self, pair: Path, tmp_path: Path) -> None:
        data = np.zeros((6, 7, 8), np.uint8)
        data[2, 2:4, 1:3] = 1
        turned = PLACE @ np.array([[0, 0, -1, 5], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
        other = LabelMap(np.flip(data, 0).transpose(2, 1, 0).copy(), turned)
        write(other, pair / "labels" / "x1.nii.gz")
        project = finish(create_project(pair, tmp_path / "p"))
        assert read_index(project.folder).left_out == ()
        assert np.array_equal(read(project.folder / "labelsTr" / "x1.nii.gz").data, data)

    def test_labels_of_no_image_are_told(self, pair: Path, tmp_path: Path) -> None:
        for value, name in enumerate(("x1.nii.gz", "x1_seg.nii.gz", "y_mask.nii.gz"), start=1):
            write(LabelMap(np.full((6, 7, 8), value, np.uint8), PLACE), pair / "labels" / name)
        project = finish(create_project(pair, tmp_path / "p"))
        assert read(project.folder / "labelsTr" / "x1.nii.gz").data.max() == 1
        left_out = dict(read_index(project.folder).left_out)
        assert list(left_out) == ["x1_seg.nii.gz", "y_mask.nii.gz"]
        assert "no image is called like these labels" in left_out["y_mask.nii.gz"]


class TestPlace:
    def test_beside_the_images_under_a_name_that_nnunet_takes(self, tmp_path: Path) -> None:
        (tmp_path / "liver" / "images").mkdir(parents=True)
        assert suggest_folder(tmp_path / "liver" / "images") == tmp_path / "Dataset501_liver"
        (tmp_path / "Dataset501_x").mkdir()
        assert suggest_folder(tmp_path / "liver" / "images") == tmp_path / "Dataset502_liver"
        (tmp_path / "liver" / "labels").mkdir()
        assert suggest_folder(tmp_path / "liver") == tmp_path / "Dataset502_liver"

    def test_a_project_is_found_again_by_its_images(self, images: Path, tmp_path: Path) -> None:
        assert find_project_of(images) is None
        place = suggest_folder(images)
        finish(create_project(images, place))
        assert find_project_of(images) == place


class TestAdd:
    def test_new_images_come_in_and_known_ones_are_passed_over(self, images: Path, project: Project) -> None:
        write(make_image(9), images / "e.nii.gz")
        assert finish(add_images(project, images)) == ()
        assert [case.name for case in list_cases(project)] == ["a", "b_b", "c", "d", "e"]
        assert np.array_equal(read_images(project, "e")[0].data, make_image(9).data)

    def test_known_images_stay_known_where_the_project_was_moved(self, images: Path, project: Project) -> None:
        moved = project.folder.parent / "elsewhere"
        moved.mkdir()
        project.folder.rename(moved / "p")
        again = open_project(moved / "p")
        assert finish(add_images(again, images)) == ()
        assert [case.name for case in list_cases(again)] == ["a", "b_b", "c", "d"]

    def test_labels_come_along(self, project: Project, tmp_path: Path) -> None:
        more = tmp_path / "more"
        for name in ("images", "labels"):
            (more / name).mkdir(parents=True)
        for seed in (7, 8, 9):
            write(make_image(seed), more / "images" / f"x{seed}.nii.gz")
        data = np.zeros((6, 7, 8), np.uint8)
        data[2, 2:4] = 2
        write(LabelMap(data, PLACE, labels=LabelSet((Label(2, "liver", (1, 2, 3)),))), more / "labels" / "x7.nii.gz")
        write(LabelMap(np.ones((6, 7, 9), np.uint8), PLACE), more / "labels" / "x8.nii.gz")
        write(LabelMap(data, PLACE), more / "labels" / "y.nii.gz")
        left_out = dict(finish(add_images(project, more)))
        assert set(left_out) == {"x8", "y.nii.gz"}
        assert "another grid" in left_out["x8"]
        assert dict(read_index(project.folder).left_out) == left_out
        states = {case.name: case.state for case in list_cases(project) if case.name.startswith("x")}
        assert states == {"x7": State.ACCEPTED, "x8": State.NOT_STARTED, "x9": State.NOT_STARTED}
        assert what_nnunet_sees(project.folder) == ["x7"]
        assert read_label_set(project)[2].name == "liver"
        assert np.array_equal(read(project.folder / "labelsTr" / "x7.nii.gz").data, data)

    def test_labels_that_come_or_are_corrected_later(self, project: Project, tmp_path: Path) -> None:
        more = tmp_path / "more"
        for name in ("images", "labels"):
            (more / name).mkdir(parents=True)
        for seed in (7, 8):
            write(make_image(seed), more / "images" / f"x{seed}.nii.gz")
        write(LabelMap(np.ones((6, 7, 9), np.uint8), PLACE), more / "labels" / "x8.nii.gz")
        assert list(dict(finish(add_images(project, more)))) == ["x8"]
        for seed in (7, 8):
            save_named(np.ones((6, 7, 8), np.uint8), ("Liver",), more / "labels" / f"x{seed}.nrrd")
        (more / "labels" / "x8.nii.gz").unlink()
        assert finish(add_images(project, more)) == ()
        assert read_index(project.folder).left_out == ()
        assert what_nnunet_sees(project.folder) == ["x7", "x8"]
        assert finish(add_images(project, more)) == ()

    def test_labels_under_other_numbers(self, project: Project, tmp_path: Path) -> None:
        write_label_set(project, LabelSet((Label(1, "Liver", (1, 2, 3)),)))
        more = tmp_path / "more"
        for name in ("images", "labels"):
            (more / name).mkdir(parents=True)
        write(make_image(7), more / "images" / "x7.nii.gz")
        save_named(np.ones((6, 7, 8), np.uint8), ("Tumour",), more / "labels" / "x7.nrrd")
        assert finish(add_images(project, more)) == ()
        assert [(label.value, label.name) for label in read_label_set(project)] == [(1, "Liver"), (2, "Tumour")]
        assert read(project.folder / "labelsTr" / "x7.nii.gz").data.min() == 2

    def test_the_same_image_under_another_name_is_told(self, images: Path, project: Project) -> None:
        shutil.copy(images / "a.nii.gz", images / "other.nii.gz")
        assert finish(add_images(project, images)) == (("other", "its image is there already, as a"),)

    def test_one_that_cannot_be_read_holds_nobody_up(
        self, images: Path, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for seed, name in ((8, "e"), (9, "f")):
            write(make_image(seed), images / f"{name}.nii.gz")
        opened = Path.open

        def refuse(path: Path, *args: Any, **options: Any) -> Any:
            if path.name == "e.nii.gz":
                raise PermissionError(13, "Permission denied")
            return opened(path, *args, **options)

        monkeypatch.setattr(Path, "open", refuse)
        assert finish(add_images(project, images)) == (("e", "e.nii.gz cannot be read: permission denied"),)
        assert "f" in [case.name for case in list_cases(project)]

    def test_an_image_that_was_away_is_the_case_it_was(self, images: Path, project: Project, tmp_path: Path) -> None:
        painted = LabelMap(np.ones((6, 7, 8), np.uint8), PLACE, meta={"complete_slices": [[0, 2]]})
        write_labels(project, "a", painted, NO_LABELS)
        was = read_index(project.folder).cases["a"]
        for path in (project.folder / "imagesUn").glob("a_*"):
            path.unlink()
        open_project(project.folder)
        assert "a" in read_index(project.folder).away
        more = tmp_path / "more"
        more.mkdir()
        write(make_image(9), more / "A.nii.gz")
        for folder in (more, images):
            assert finish(add_images(project, folder)) == ()
        now = read_index(project.folder)
        assert now.cases["a"] == was
        assert now.away == {}
        assert now.cases["A_2"].state is State.NOT_STARTED

    def test_a_name_that_is_taken_gets_a_number(self, project: Project, tmp_path: Path) -> None:
        more = tmp_path / "more"
        more.mkdir()
        write(make_image(7), more / "A.nii.gz")
        finish(add_images(project, more))
        assert "A_2" in [case.name for case in list_cases(project)]

    def test_another_number_of_channels_is_left_out(self, project: Project, tmp_path: Path) -> None:
        more = tmp_path / "more"
        more.mkdir()
        write(Volume(np.ones((3, 4, 5, 6), np.uint8), PLACE, "czyx"), more / "rgb.nii.gz")
        ((name, why),) = finish(add_images(project, more))
        assert name == "rgb"
        assert "3 channels, the other cases have 1" in why
        finish(add_images(project, more))
        assert read_index(project.folder).left_out == (("rgb", why),)

    def test_a_dicom_series_comes_in_once(self, tmp_path: Path) -> None:
        folder = tmp_path / "scans"
        folder.mkdir()
        write_dicom(folder / "DOE_JOHN", 1)
        project = finish(create_project(folder, tmp_path / "p"))
        new = write_dicom(folder / "ROE_JANE", 2, "T2")
        folder.rename(tmp_path / "moved")
        for _ in range(2):
            assert finish(add_images(project, tmp_path / "moved")) == ()
        assert [case.name for case in list_cases(open_project(project.folder))] == ["T1", "T2"]
        assert np.array_equal(read_images(project, "T2")[0].data, new)
        assert "DOE" not in (project.folder / "resmed.json").read_text()

    def test_dicom_without_uids_comes_in_once(self, tmp_path: Path) -> None:
        for seed in (1, 2):
            write_dicom(tmp_path / "scans" / f"p{seed}", seed)
            for file in (tmp_path / "scans" / f"p{seed}").iterdir():
                image = pydicom.dcmread(file)
                del image.SOPInstanceUID
                image.save_as(file)
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        (tmp_path / "scans").rename(tmp_path / "moved")
        for _ in range(2):
            assert finish(add_images(project, tmp_path / "moved")) == ()
        assert [case.name for case in list_cases(project)] == ["T1", "T1_2"]

    def test_a_copy_of_a_series_is_told(self, tmp_path: Path) -> None:
        write_dicom(tmp_path / "scans" / "a", 1)
        shutil.copytree(tmp_path / "scans" / "a", tmp_path / "scans" / "b")
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        assert [case.name for case in list_cases(project)] == ["T1"]
        assert read_index(project.folder).left_out == (("T1_2", "its image is there already, as T1"),)

    def test_a_project_without_fingerprints_opens(self, tmp_path: Path) -> None:
        write_dicom(tmp_path / "scans", 1)
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        index = json.loads((project.folder / "resmed.json").read_text())
        assert len(index["cases"]["T1"].pop("fingerprint")) == 64
        (project.folder / "resmed.json").write_text(json.dumps(index))
        assert [case.name for case in list_cases(open_project(project.folder))] == ["T1"]

    def test_nothing_is_written_over(self, project: Project, tmp_path: Path) -> None:
        """A file that the index does not know of, as a program that died may leave."""
        more = tmp_path / "more"
        more.mkdir()
        write(make_image(7), more / "new.nrrd")
        there = project.layout.images("new", State.NOT_STARTED)[0]
        write(make_image(8), there)
        ((name, why),) = finish(add_images(project, more))
        assert (name, why) == ("new", f"the project has a file {there.name} already; give the image another name")
        assert np.array_equal(read(there).data, make_image(8).data)


class TestRealImages:
    def test_hippocampus(self, shared_data: Path, tmp_path: Path) -> None:
        project = finish(create_project(shared_data / "hippocampus", tmp_path / "p"))
        cases = list_cases(project)
        assert len(cases) == 127
        assert len(what_nnunet_sees(project.folder)) == sum(case.state is State.ACCEPTED for case in cases) > 120
        assert json.loads((project.folder / "resmed.json").read_text())["format"] == 1

    def test_a_project_opens_as_it_was(self, shared_data: Path, tmp_path: Path) -> None:
        made = finish(create_project(shared_data / "hippocampus" / "images", tmp_path / "p"))
        before = (made.folder / "resmed.json").read_bytes()
        again = open_project(made.folder)
        assert list_cases(again) == list_cases(made)
        assert (made.folder / "resmed.json").read_bytes() == before
