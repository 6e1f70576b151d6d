"""A MedMNIST file: ``train_images``, ``train_labels``, ``val_images``, ... in one NumPy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.archives import read_array
from napari_resmed.io.datasets.found import Found

__all__ = ["find"]

_PARTS = (("train", "train"), ("val", "validation"), ("test", "test"))


def find(path: Path) -> Found:
    """The cases of a file; their classes are the numbers in it.

    Raises
    ------
    InputError
        If it is damaged, has no such arrays, or gives an image several labels.
    """
    cases: list[Case] = []
    for part, split in _PARTS:
        try:
            labels = read_array(path, f"{part}_labels")
        except InputError:
            if part == "train":
                raise
            continue  # test sets are often kept apart
        labels = np.asarray(labels)
        if labels.ndim > 2 or (labels.ndim == 2 and labels.shape[1] != 1):
            raise InputError(
                f"{path.name} gives every image {labels.shape[-1]} labels, expected one; several at a time cannot be "
                "learnt yet"
            )
        if labels.dtype.kind not in "iub":
            raise InputError(f"{path.name} has labels of type {labels.dtype}, expected whole numbers")
        cases += [
            Case(f"{part}_{number}", (path / part / str(number),), split=split, class_name=str(int(label)))
            for number, label in enumerate(labels.reshape(-1))
        ]
    return Found(tuple(cases))
