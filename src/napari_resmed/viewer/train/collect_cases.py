"""Layers as they are at one moment, made into cases for a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.train.painted import BACKGROUND, look_through, why_not
from napari_resmed.viewer.layer_place import attributes_of, last_three
from napari_resmed.viewer.parts.complete_slices import complete_slices, in_own_axes
from napari_resmed.viewer.parts.grids import spatial_shape
from napari_resmed.viewer.parts.label_meanings import labels_in
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.viewer.train.pairs import Pair, case_of
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
    taken: list[_Taken] = []
    names: set[str] = set()
    for pair in pairs:
        layer = pair.labels
        data = layer.data[0] if layer.multiscale else layer.data
        taken.append(
            _Taken(
                pair,
                _unused(pair.images[0].name, names),
                [(image.data, attributes_of(image)) for image in pair.images],
                # The person may paint on, so it is copied: 3 ms for 256³ voxels of uint8, 25 ms of int64.
                data.copy() if isinstance(data, np.ndarray) else data,
                in_own_axes(
                    complete_slices(layer), last_three(attributes_of(pair.images[0])), spatial_shape(pair.images[0])
                ),
                SimpleNamespace(features=layer.features.copy(), colormap=layer.colormap),
                origin_of(pair.images[0]),
            )
        )

    def cases() -> list[dict[str, Any]]:
        painted = [look_through(one.labels) for one in taken]
        sets = [LabelSet(labels_in(one.meanings, found.counts)) for one, found in zip(taken, painted, strict=True)]
        known = {label.value: label.name for labels in sets for label in labels}
        trouble = why_not(
            [
                (one.name, found, len(one.marks), one.pair.only_painted)
                for one, found in zip(taken, painted, strict=True)
            ],
            known,
        )
        if trouble:
            raise InputError(trouble)
        structures = {value for value, name in known.items() if name.casefold().strip() != BACKGROUND}
        patients = patients_of([one.origin for one in taken])
        return [
            case_of(
                one.name,
                one.images,
                one.labels,
                labels,
                only_painted=one.pair.only_painted,
                complete_slices=one.marks,
                group=patient if one.pair.patient is None else one.pair.patient,
                annotated=_annotated(structures, one.pair.unsought - found.counts.keys()),
            )
            for one, found, labels, patient in zip(taken, painted, sets, patients, strict=True)
        ]

    return cases


@dataclass(frozen=True, eq=False)
class _Taken:
    """A pair as it was at the click."""

    pair: Pair
    name: str
    images: list[tuple[Any, dict[str, Any]]]
    labels: Any
    marks: list[tuple[int, int]]
    meanings: Any
    origin: Origin | None


def _annotated(structures: set[int], unsought: Set[int]) -> list[int] | None:
    """The structures that were looked for; None: all."""
    return sorted(structures - unsought) if structures & unsought else None


def _unused(name: str, used: set[str]) -> str:
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name} ({number})"
    used.add(free)
    return free
