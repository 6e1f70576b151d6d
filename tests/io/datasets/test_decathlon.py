from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import ChannelsError, load_case, read_dataset
from tests.io.datasets.folders import SHAPE, image, labels, put


def description(*cases: str, **more: Any) -> dict[str, Any]:
    listed = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases]
    return {
        "name": "Small",
        "tensorImageSize": "4D",
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "edema", "2": "enhancing tumour"},
        "training": listed,
        "test": ["./imagesTs/x.nii.gz"],
        **more,
    }


def test_four_dimensions_are_channels(tmp_path: Path) -> None:
    both = image(1, (2, *SHAPE), axes="tzyx")  # as NIfTI stores it: the fourth dimension
    put(tmp_path, {"dataset.json": description("a"), "imagesTr/a.nii.gz": both, "labelsTr/a.nii.gz": labels(1, 2)})
    dataset, notes = read_dataset(tmp_path)
    loaded, found = load_case(dataset.cases[0], dataset)
    assert dataset.channels == ("FLAIR", "T1w")
    assert [label.name for label in dataset.labels] == ["edema", "enhancing tumour"]
    assert loaded.axes == "czyx"
    assert np.array_equal(loaded.data, both.data)
    assert np.array_equal(found.data, labels(1, 2).data)
    assert notes == ()


def test_another_number_of_frames(tmp_path: Path) -> None:
    three = image(1, (3, *SHAPE), axes="tzyx")
    put(tmp_path, {"dataset.json": description("a"), "imagesTr/a.nii.gz": three, "labelsTr/a.nii.gz": labels(1)})
    dataset, _ = read_dataset(tmp_path)
    with pytest.raises(ChannelsError, match=r"it has 3 channels, expected 2 \(FLAIR, T1w\)"):
        load_case(dataset.cases[0], dataset)


def test_nnunet_1_stores_what_it_lists_channel_by_channel(tmp_path: Path) -> None:
    files = {f"imagesTr/a_000{channel}.nii.gz": image(channel) for channel in (0, 1)}
    put(tmp_path, {"dataset.json": description("a"), **files, "labelsTr/a.nii.gz": labels(1)})
    dataset, _ = read_dataset(tmp_path)
    assert dataset.cases[0].name == "a"
    assert [path.name for path in dataset.cases[0].images] == ["a_0000.nii.gz", "a_0001.nii.gz"]


def test_missing_files_are_cases_all_the_same(tmp_path: Path) -> None:
    two = image(1, (2, *SHAPE), axes="tzyx")
    put(tmp_path, {"dataset.json": description("a", "b"), "imagesTr/a.nii.gz": two})
    dataset, _ = read_dataset(tmp_path)
    assert [case.name for case in dataset.cases] == ["a", "b"]
    with pytest.raises(InputError, match=r"^its file a.nii.gz is missing$"):
        load_case(dataset.cases[0], dataset)
    with pytest.raises(InputError, match=r"^its file b.nii.gz is missing$"):
        load_case(dataset.cases[1], dataset)


def test_monais_validation_list_is_a_split(tmp_path: Path) -> None:
    listed = [{"image": ["v/t1.nii.gz", "v/flair.nii.gz"], "label": "v/seg.nii.gz"}]
    put(tmp_path, {"dataset.json": description("a", validation=listed)})
    dataset, _ = read_dataset(tmp_path)
    assert [(case.name, case.split) for case in dataset.cases] == [("a", "train"), ("t1", "validation")]
    assert [path.name for path in dataset.cases[1].images] == ["t1.nii.gz", "flair.nii.gz"]


def test_a_folder_per_patient_gives_the_names(tmp_path: Path) -> None:
    listed = [{"image": f"p{number}/ct.nii.gz", "label": f"p{number}/seg.nii.gz"} for number in (1, 2)]
    put(tmp_path, {"dataset.json": description(training=listed, modality={"0": "CT"})})
    assert [case.name for case in read_dataset(tmp_path)[0].cases] == ["p1", "p2"]


def test_several_label_files_for_one_case(tmp_path: Path) -> None:
    put(tmp_path, {"dataset.json": description(training=[{"image": "a.nii", "label": ["x.nii", "y.nii"]}])})
    with pytest.raises(InputError, match="lists 2 label files for a.nii, expected one"):
        read_dataset(tmp_path)
