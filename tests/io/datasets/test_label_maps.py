from __future__ import annotations

import json
from pathlib import Path

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

    def test_may_be_held_out_where_there_is_one_image(self, tmp_path: Path) -> None:
        put_images(tmp_path / "images", "a")
        put_labels(tmp_path / "labels", "a", "c")
        dataset, _ = read_dataset(tmp_path, lonely_labels=True)
        assert [case.split for case in dataset.cases] == ["", ""]
