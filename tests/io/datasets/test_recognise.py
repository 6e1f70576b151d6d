from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import read_dataset
from tests.io.datasets.folders import image, put


@pytest.mark.parametrize(
    ("files", "asked", "message"),
    [
        ({}, "", r"holds nothing; expected dataset.json with imagesTr and labelsTr"),
        ({"cats/1.nii": "", "dogs/2.nii": "", "notes.txt": ""}, "", "holds the folders cats, dogs and the files notes.txt; expected"),
        ({"images/a.nii.gz": ""}, "", "holds the folders images; expected"),
        ({"images/x.txt": "", "labels/a.nii": ""}, "", "images holds no image that can be read; .* e.g. x.txt"),
        ({"a.csv": "image,label", "b.csv": "image,label"}, "", "holds the files a.csv, b.csv; expected"),
        ({"m.npz": ""}, "m.npz", "m.npz looks like a MedMNIST file, which is for classification"),
        ({"notes.txt": ""}, "notes.txt", "notes.txt is no training data; expected"),
        ({"a.nii.gz": image()}, "a.nii.gz", "a.nii.gz is one image; expected"),
        ({}, "nowhere", "nowhere does not exist"),
    ],
)  # fmt: skip
def test_what_is_none_of_the_layouts(files: dict[str, str], asked: str, message: str, tmp_path: Path) -> None:
    put(tmp_path, files)
    with pytest.raises(InputError, match=message) as caught:
        read_dataset(tmp_path / asked)
    assert "\n" not in str(caught.value)
