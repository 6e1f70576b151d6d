from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.io import write
from napari_resmed.io.dicom.write import write_series
from napari_resmed.io.project import Project, create_project, read_images
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine

PLACE = make_affine((1, 2, 0), (1, -1, 1), spacing_mm=(2, 1, 3))


def finish(steps: Generator[Any, None, Any]) -> Any:
    """What a generator returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def make_image(seed: int = 0, name: str = "") -> Volume:
    data = np.random.default_rng(seed).normal(100, 20, (6, 7, 8)).astype(np.float32)
    return Volume(data, PLACE, name=name)


def write_dicom(folder: Path, seed: int, description: str = "T1") -> np.ndarray:
    """A DICOM series, and its voxels."""
    data = np.random.default_rng(seed).integers(0, 99, (3, 4, 5)).astype(np.int16)
    meta = {"format": "DICOM", "description": description}
    folder.parent.mkdir(exist_ok=True)
    write_series(Volume(data, np.diag([3.0, 3, 3, 1])[[2, 1, 0, 3]], "zyx", "MR", meta=meta), folder)
    return data


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four images, each in another format or with another name than nnU-Net's."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed, name in enumerate(("a.nii.gz", "b b.nii", "c.nrrd", "d.mha")):
        write(make_image(seed), folder / name)
    return folder


@pytest.fixture
def project(images: Path, tmp_path: Path) -> Project:
    made = finish(create_project(images, tmp_path / "Dataset501_scans"))
    assert isinstance(made, Project)
    return made


@pytest.fixture
def paint(project: Project) -> Callable[..., LabelMap]:
    """A label map for a case, with one value in one place."""

    def make(name: str, value: int = 1, row: int = 2) -> LabelMap:
        image = read_images(project, name)[0]
        data = np.zeros(image.shape, np.uint8)
        data[row, 1:4, 2:5] = value
        return LabelMap(data, image.affine)

    return make


def description(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
    return found


def what_nnunet_sees(folder: Path) -> list[str]:
    """Cases that nnU-Net would train on; fails where it would refuse the folder.

    The rules of nnunetv2.experiment_planning.verify_dataset_integrity (version 2.8.1), without reading voxels.
    """
    told = description(folder)
    assert {"labels", "channel_names", "numTraining", "file_ending"} <= set(told)
    ending = told["file_ending"]
    files = [path.name for path in (folder / "imagesTr").iterdir() if path.name.endswith(ending)]
    names = sorted({name[: -len(ending) - 5] for name in files})
    assert len(names) == told["numTraining"]
    for name in names:
        for channel in range(len(told["channel_names"])):
            assert (folder / "imagesTr" / f"{name}_{channel:04d}{ending}").is_file()
        assert (folder / "labelsTr" / f"{name}{ending}").is_file()
    assert len(files) == len(names) * len(told["channel_names"])
    values = sorted(told["labels"].values())
    assert values == list(range(len(values)))
    assert len(values) > 1
    return names
