"""nnU-Net's raw layout, version 2: ``imagesTr/CASE_0000.nii.gz``, ``labelsTr/CASE.nii.gz``, ``dataset.json``.

https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_resmed.io.datasets.description import Description
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.pairing import pair
from napari_resmed.io.project.index import read_index
from napari_resmed.io.umlauts import in_one_way

__all__ = ["find"]


def find(folder: Path, description: Description) -> Found | None:
    """The cases, or None where this is another layout.

    In a project, what is unpainted in a case with complete slices is unknown beside them.

    Raises
    ------
    InputError
        If ``imagesTr`` holds no image that can be read, or a project's index is damaged.
    """
    images, labels = folder / "imagesTr", folder / "labelsTr"
    if not (images.is_dir() and labels.is_dir()):
        return None
    cases, notes = pair(images, labels, len(description.channels))
    records = read_index(folder).cases  # of a project of ours; of any other there are none
    marks = {in_one_way(name): record.complete_slices for name, record in records.items() if record.complete_slices}
    cases = tuple(
        replace(case, only_painted=True, complete_slices=marks[case.name]) if case.name in marks else case
        for case in cases
    )
    return Found(cases, description.meaning, description.channels, notes)
