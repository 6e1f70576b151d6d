from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import load_case, read_dataset
from tests.io.datasets.folders import image, labels, put

DESCRIPTION = {
    "channel_names": {"0": "T1", "1": "FLAIR"},
    "labels": {"background": 0, "edema": 1, "core": 2, "ignore": 3},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return put(
        tmp_path / "Dataset001_Small",
        {
            "dataset.json": DESCRIPTION,
            "imagesTr/a_1_0000.nii.gz": image(1),
            "imagesTr/a_1_0001.nii.gz": image(2),
            "imagesTr/b_0000.nii.gz": image(3),
            "imagesTr/b_0001.nii.gz": image(4),
            "imagesTs/c_0000.nii.gz": image(5),
            "labelsTr/a_1.nii.gz": labels(1, 2),
            "labelsTr/b.nii.gz": labels(2, 3),
        },
    )


def test_everything_that_dataset_json_says(raw: Path) -> None:
    dataset, notes = read_dataset(raw)
    assert [case.name for case in dataset.cases] == ["a_1", "b"]
    assert [[path.name for path in case.images] for case in dataset.cases] == [
        ["a_1_0000.nii.gz", "a_1_0001.nii.gz"],
        ["b_0000.nii.gz", "b_0001.nii.gz"],
    ]
    assert {label.value: label.name for label in dataset.labels} == {1: "edema", 2: "core"}
    assert (dataset.channels, dataset.ignored, dataset.background) == (("T1", "FLAIR"), 3, None)
    assert dataset.name == "Dataset001_Small"
    assert notes == ()


def test_dataset_json_itself_may_be_named(raw: Path) -> None:
    assert read_dataset(raw / "dataset.json")[0] == read_dataset(raw)[0]


def test_channels_lie_in_their_order(raw: Path) -> None:
    dataset, _ = read_dataset(raw)
    loaded, _ = load_case(dataset.cases[0], dataset)
    assert loaded.axes == "czyx"
    assert (loaded.data[0] == image(1).data).all()
    assert (loaded.data[1] == image(2).data).all()


def test_a_missing_channel_is_told_when_the_case_is_opened(raw: Path) -> None:
    (raw / "imagesTr/b_0000.nii.gz").unlink()
    dataset, _ = read_dataset(raw)
    with pytest.raises(InputError, match=r"^its file b_0000.nii.gz is missing$"):
        load_case(dataset.cases[1], dataset)


def test_what_has_no_partner(raw: Path) -> None:
    (raw / "labelsTr/b.nii.gz").rename(raw / "labelsTr/d.nii.gz")
    dataset, notes = read_dataset(raw)
    assert dataset.cases[1].labels is None
    assert notes == ("labels without an image, not used: d",)


def test_a_case_that_ends_like_a_channel(tmp_path: Path) -> None:
    # The Decathlon's own numbers look like nnU-Net's channels: liver_0001_0000.nii.gz.
    folder = put(
        tmp_path,
        {
            "dataset.json": {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}},
            "imagesTr/liver_0001_0000.nii.gz": image(),
            "imagesTr/liver_0002_0000.nii.gz": image(),
            "labelsTr/liver_0001.nii.gz": labels(1),
            "labelsTr/liver_0002.nii.gz": labels(1),
        },
    )
    dataset, notes = read_dataset(folder)
    assert [(case.name, case.labels.name) for case in dataset.cases] == [
        ("liver_0001", "liver_0001.nii.gz"),
        ("liver_0002", "liver_0002.nii.gz"),
    ]
    assert notes == ()


def test_without_dataset_json(raw: Path) -> None:
    (raw / "dataset.json").unlink()
    dataset, _ = read_dataset(raw)
    assert [len(case.images) for case in dataset.cases] == [2, 2]
    assert dataset.channels == ("image 1", "image 2")
    assert [label.name for label in dataset.labels] == ["label 1", "label 2", "label 3"]


def test_cases_listed_under_dataset(raw: Path) -> None:
    listed = {"x": {"images": ["imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz"], "label": "labelsTr/b.nii.gz"}}
    put(raw, {"dataset.json": {**DESCRIPTION, "dataset": listed}})
    (case,) = read_dataset(raw)[0].cases
    assert case.name == "x"
    assert [path.name for path in case.images] == ["b_0000.nii.gz", "b_0001.nii.gz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"background": 0, "whole": [1, 2]}}, "overlapping regions.*'whole' is the values 1, 2"),
        ({"labels": {"background": 0, "a": -1}}, "gives 'a' the label value -1; expected a whole number"),
        ({"labels": {"a": 1, "b": 1}}, "label value 1 stands for two labels"),
        ({"labels": "liver"}, "names no structures"),
        ({"channel_names": 3}, "has channel names 3, expected"),
        ({"training": ["a.nii.gz"]}, "lists 'a.nii.gz' under \"training\""),
    ],
)
def test_what_dataset_json_cannot_say(raw: Path, change: dict[str, object], message: str) -> None:
    put(raw, {"dataset.json": {**DESCRIPTION, **change}})
    with pytest.raises(InputError, match=message):
        read_dataset(raw)


def test_broken_json(raw: Path) -> None:
    put(raw, {"dataset.json": '{"labels": '})
    with pytest.raises(InputError, match="dataset.json is not valid JSON"):
        read_dataset(raw)


def test_pictures_cannot_be_read(tmp_path: Path) -> None:
    folder = put(tmp_path, {"imagesTr/a_0000.png": "no", "labelsTr/a.png": "no", "dataset.json": DESCRIPTION})
    with pytest.raises(
        InputError, match=r"imagesTr holds no image that can be read; .* 1 other files, e.g. a_0000.png"
    ):
        read_dataset(folder)
