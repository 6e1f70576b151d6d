from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.datasets import load_case, read_dataset
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.small import picture


def put_labels(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        write(LabelMap(picture(seed)[1], make_affine()), folder / f"{name}.nii.gz")


def put_images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        write(Volume(picture(seed)[0], make_affine()), folder / f"{name}.nii.gz")


class TestAlone:
    @pytest.mark.parametrize("place", ["", "labels", "labelsTr"])
    def test_stand_in_their_images_place(self, place: str, tmp_path: Path) -> None:
        put_labels(tmp_path / place, "b", "a")
        (tmp_path / "labels.json").write_text(json.dumps({"labels": {"ball": 1, "box": 5}}))
        dataset, notes = read_dataset(tmp_path)
        assert [case.name for case in dataset.cases] == ["a", "b"]
        assert not any(case.has_image for case in dataset.cases)
        assert [label.name for label in dataset.labels] == ["ball", "box"]
        assert notes == ("there are 2 label maps and no images: training paints images for them",)
        image, labels = load_case(dataset.cases[0], dataset)
        assert np.array_equal(image.data, labels.data)

    def test_images_alone_are_none(self, tmp_path: Path) -> None:
        put_images(tmp_path, "a", "b")
        with pytest.raises(InputError, match="holds the files a.nii.gz, b.nii.gz; expected dataset.json"):
            read_dataset(tmp_path)

    def test_one_that_is_empty_or_broken_hides_no_others(self, tmp_path: Path) -> None:
        put_labels(tmp_path, "c", "d")
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
        (tmp_path / "b.nii.gz").write_bytes(b"torn")
        dataset, _ = read_dataset(tmp_path)
        assert [case.name for case in dataset.cases] == ["a", "b", "c", "d"]

    def test_files_that_cannot_be_read_are_none(self, tmp_path: Path) -> None:
        (tmp_path / "a.nii.gz").write_bytes(b"torn")
        with pytest.raises(InputError, match="or label maps alone, of whole numbers from 0 on"):
            read_dataset(tmp_path)

    @pytest.mark.parametrize("place", ["", "labels"])
    def test_a_list_of_cases_speaks_of_them(self, place: str, tmp_path: Path) -> None:
        put_labels(tmp_path / place, "a", "b", "c")
        (tmp_path / "cases.csv").write_text("case,split,patient\na,train,A\nb,train,A\nc,validation,B\n")
        dataset, _ = read_dataset(tmp_path)
        assert [(case.split, case.group) for case in dataset.cases] == [
            ("train", "A"),
            ("train", "A"),
            ("validation", "B"),
        ]
        assert not any(case.has_image for case in dataset.cases)

    def test_a_table_of_something_else_may_lie_beside_them(self, tmp_path: Path) -> None:
        put_labels(tmp_path, "a", "b")
        (tmp_path / "volumes.csv").write_text("value,name,voxels,volume_ml\n1,ball,523,0.5\n")
        dataset, _ = read_dataset(tmp_path)
        assert [case.name for case in dataset.cases] == ["a", "b"]

    def test_they_do_not_say_what_images_are(self, tmp_path: Path) -> None:
        write(LabelMap(picture(0)[1], make_affine()), tmp_path / "a.mha")
        data = (tmp_path / "a.mha").read_bytes()
        (tmp_path / "a.mha").write_bytes(data.replace(b"ElementType", b"Modality = MET_MOD_CT\nElementType", 1))
        dataset, _ = read_dataset(tmp_path)
        assert dataset.channels == ("image",)


class TestLonely:
    def test_count_where_they_are_wanted(self, tmp_path: Path) -> None:
        put_images(tmp_path / "images", "a", "b")
        put_labels(tmp_path / "labels", "a", "b", "c")
        known, notes = read_dataset(tmp_path)
        assert [case.name for case in known.cases] == ["a", "b"]
        assert notes == ("labels without an image, not used: c",)
        every, notes = read_dataset(tmp_path, lonely_labels=True)
        assert [(case.name, case.has_image, case.split) for case in every.cases] == [
            ("a", True, ""), ("b", True, ""), ("c", False, "train"),
        ]  # fmt: skip
        assert notes == ("1 label maps have no image: training paints images for them",)

    @pytest.mark.parametrize("hidden", [(), (".DS_Store",)])
    def test_an_empty_folder_of_images_is_none_where_they_are_wanted(
        self, hidden: tuple[str, ...], tmp_path: Path
    ) -> None:
        put_images(tmp_path / "images")
        put_labels(tmp_path / "labels", "a", "b")
        for name in hidden:
            (tmp_path / "images" / name).touch()
        with pytest.raises(InputError, match="the folder images is empty; put images there, or have them painted"):
            read_dataset(tmp_path)
        dataset, notes = read_dataset(tmp_path, lonely_labels=True)
        assert [(case.name, case.has_image) for case in dataset.cases] == [("a", False), ("b", False)]
        assert notes == ("there are 2 label maps and no images: training paints images for them",)

    def test_a_folder_of_images_that_cannot_be_read_is_still_one(self, tmp_path: Path) -> None:
        put_labels(tmp_path / "labels", "a")
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "a.jpg").touch()
        with pytest.raises(InputError, match=r"images holds no image that can be read; .* e.g. a.jpg"):
            read_dataset(tmp_path, lonely_labels=True)

    def test_may_be_held_out_where_there_is_one_image(self, tmp_path: Path) -> None:
        put_images(tmp_path / "images", "a")
        put_labels(tmp_path / "labels", "a", "c")
        dataset, _ = read_dataset(tmp_path, lonely_labels=True)
        assert [case.split for case in dataset.cases] == ["", ""]

    @pytest.mark.parametrize(
        ("rows", "splits"),
        [
            ("a,train\nb,train\nc,train\nd,train\n", ["", "", "train", "train"]),
            ("a,\nb,\nc,\nd,\n", ["", "", "train", "train"]),
            ("a,train\nb,train\n", ["train", "train", "train", "train"]),
            ("a,train\nb,validation\nc,validation\nd,test\n", ["train", "validation", "validation", "test"]),
        ],
    )
    def test_a_list_of_cases_does_not_hold_them_out_by_chance(
        self, rows: str, splits: list[str], tmp_path: Path
    ) -> None:
        put_images(tmp_path / "images", "a", "b")
        put_labels(tmp_path / "labels", "a", "b", "c", "d")
        (tmp_path / "cases.csv").write_text(f"case,split\n{rows}")
        dataset, _ = read_dataset(tmp_path, lonely_labels=True)
        assert [case.split for case in dataset.cases] == splits
