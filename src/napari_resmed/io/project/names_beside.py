"""The file of names in a folder of images, before anything is brought in."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.folders import NAMES_FILE
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.datasets.table import meaning_in
from napari_resmed.io.project.description import Description
from napari_resmed.io.project.incoming import join
from napari_resmed.io.project.layout import DATASET

__all__ = ["NAMES_FILES", "read_names_beside", "with_names_beside"]

NAMES_FILES = (NAMES_FILE, DATASET)


def read_names_beside(images: Path) -> tuple[Meaning, tuple[tuple[str, str], ...]]:
    """What a file of names in a folder of images says of the labels; and what of it says nothing usable, and why."""
    try:
        return meaning_in(images) or Meaning(), ()
    except InputError as problem:
        return Meaning(), ((_file(images), str(problem)),)


def with_names_beside(description: Description, beside: Meaning, images: Path) -> Description:
    """A project's description with the names that lie beside the labels to come.

    Raises
    ------
    InputError
        If nnU-Net could not train on them, see :meth:`Description.with_labels`.
    """
    if description.regions:
        return description  # its labels are not ours to change
    labels, _ = join(description.labels, beside.labels, ())
    try:
        return description.with_labels(labels)
    except InputError as problem:
        raise InputError(f"{_file(images)} beside the images cannot be used: {problem}") from problem


def _file(images: Path) -> str:
    return NAMES_FILE if (images / NAMES_FILE).is_file() else DATASET
