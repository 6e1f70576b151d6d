"""Layers as they are at one moment, made into cases for a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.train.painted import look_through, why_not
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.parts.label_meanings import labels_in
from napari_resmed.viewer.train.complete_slices import complete_slices
from napari_resmed.viewer.train.pairs import Pair, case_of, in_own_axes
from napari_resmed.viewer.train.patients import origin_of, patients_of

__all__ = ["collect_cases"]


def collect_cases(pairs: Sequence[Pair]) -> Callable[[], list[dict[str, Any]]]:
    """Take what is painted now; what takes long is left to the returned function, for another thread.

    Parameters
    ----------
    pairs:
        Labels and their images, and what is said of them.

    Returns
    -------
    callable
        Gives the cases for :func:`napari_resmed.jobs.train.train`; raises InputError where nothing can be learnt from
        what is painted. Whatever is painted later does not change them.
    """
    taken = []
    said = [(pair.only_painted, pair.patient) for pair in pairs]
    origins = [origin_of(pair.images[0]) for pair in pairs]
    names: set[str] = set()
    for pair in pairs:
        layer = pair.labels
        data = layer.data[0] if layer.multiscale else layer.data
        # The person may paint on, so it is copied: 3 ms for 256³ voxels of uint8, 25 ms of int64.
        labels = data.copy() if isinstance(data, np.ndarray) else data
        images = [(image.data, attributes_of(image)) for image in pair.images]
        marks = [in_own_axes(pair.images[0], axis, index) for axis, index in complete_slices(layer)]
        meanings = SimpleNamespace(features=layer.features.copy(), colormap=layer.colormap)
        taken.append((_unused(pair.images[0].name, names), images, labels, marks, meanings))

    def cases() -> list[dict[str, Any]]:
        painted = [look_through(labels) for _, _, labels, _, _ in taken]
        sets = [LabelSet(labels_in(entry[-1], found.counts)) for entry, found in zip(taken, painted, strict=True)]
        looked = [
            (name, found, len(marks), only)
            for (name, _, _, marks, _), found, (only, _) in zip(taken, painted, said, strict=True)
        ]
        known = {label.value: label.name for labels in sets for label in labels}
        trouble = why_not(looked, known)
        if trouble:
            raise InputError(trouble)
        return [
            case_of(name, images, labels, meaning, only_painted=only, complete_slices=marks, group=typed or patient)
            for (name, images, labels, marks, _), meaning, (only, typed), patient in zip(
                taken, sets, said, patients_of(origins), strict=True
            )
        ]

    return cases


def _unused(name: str, used: set[str]) -> str:
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name} ({number})"
    used.add(free)
    return free
