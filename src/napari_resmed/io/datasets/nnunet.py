"""nnU-Net's raw layout, version 2: ``imagesTr/CASE_0000.nii.gz``, ``labelsTr/CASE.nii.gz``, ``dataset.json``.

https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

from __future__ import annotations

from pathlib import Path

from napari_resmed.io.datasets.description import Description
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.pairing import pair

__all__ = ["find"]


def find(folder: Path, description: Description) -> Found | None:
    """The cases, or None where this is another layout.

    Raises
    ------
    InputError
        If ``imagesTr`` holds no image that can be read.
    """
    images, labels = folder / "imagesTr", folder / "labelsTr"
    if not (images.is_dir() and labels.is_dir()):
        return None
    cases, notes = pair(images, labels, len(description.channels))
    return Found(cases, description.meaning, description.channels, notes)
