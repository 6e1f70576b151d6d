"""What is painted in labels: which values, how much, on which slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.labels import count_values

__all__ = ["BACKGROUND", "Painted", "look_through", "why_not"]

# A label of this name was painted as background on purpose.
BACKGROUND = "background"
# Voxels looked at in one go: some milliseconds, so that the window gets its turns.
_AT_A_TIME = 2_000_000
# Paint on at most this share of the slices between the first and the last is paint on single slices.
GAPS = 0.6
# Paint that reaches less than this share as far across the slices as within them is paint on a few slices.
FLAT = 0.25


@dataclass(frozen=True)
class Painted:
    """What is painted.

    Parameters
    ----------
    counts:
        Voxels of every value but 0.
    slices:
        For each of the three axes ``(z, y, x)`` of the layer, bool ``(size,)``: whether anything is painted there.
    everywhere:
        Whether no voxel is 0.
    """

    counts: Mapping[int, int]
    slices: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
    everywhere: bool = False

    @property
    def axis(self) -> int:
        """The axis across which slices were painted: the one on which the smallest share of slices was."""
        return int(np.argmin([painted.mean() for painted in self.slices]))

    def is_partly(self, spacing_mm: Sequence[float] = (1, 1, 1)) -> bool:
        """Whether it looks like paint on single slices rather than like whole structures.

        A guess to propose "only what is painted" by: slices between painted ones are empty, or the paint is flat.
        """
        if not self.counts:
            return False
        reach = []
        for painted in self.slices:
            places = np.flatnonzero(painted)
            span = int(places[-1] - places[0]) + 1
            if span > 2 and len(places) <= GAPS * span:
                return True
            reach.append(span)
        edges = [size * mm for size, mm in zip(reach, spacing_mm, strict=True)]
        return any(
            edge < FLAT * min(edges[k] for k in range(3) if k != axis) and len(self.slices[axis]) > 2 * reach[axis]
            for axis, edge in enumerate(edges)
        )


def look_through(data: Any) -> Painted:
    """Look through labels part by part; meant for a thread beside the window's.

    Parameters
    ----------
    data:
        Whole numbers ``(z, y, x)``, or ``(y, x)``; lazy arrays are computed part by part.
    """
    shape = (1,) * (3 - len(data.shape)) + tuple(data.shape)
    slices = tuple(np.zeros(size, bool) for size in shape)
    counts: Counter[int] = Counter()
    empty = 0
    step = max(1, _AT_A_TIME // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        part = np.asarray(data if len(data.shape) == 2 else data[start : start + step])
        part = part.reshape(-1, *shape[1:])
        mask = part != 0
        number = int(np.count_nonzero(mask))
        empty += mask.size - number
        if not number:
            continue
        slices[0][start : start + step] = mask.any((1, 2))
        slices[1][:] |= mask.any((0, 2))
        slices[2][:] |= mask.any((0, 1))
        for value, count in zip(*count_values(part[mask]), strict=True):
            counts[int(value)] += int(count)
    return Painted(dict(sorted(counts.items())), (slices[0], slices[1], slices[2]), empty == 0)


def why_not(cases: Sequence[tuple[str, Painted, int, bool]], names: Mapping[int, str]) -> str:
    """Why nothing can be learnt from what is painted, in one sentence; empty where something can.

    Parameters
    ----------
    cases:
        Name of the Labels layer, what is painted in it, how many of its slices are marked as complete, and whether
        what is not painted in it is unknown.
    names:
        Of the values.
    """
    if not cases:
        return "There is nothing to learn from: tick the labels to learn from."
    for name, painted, _, _ in cases:
        if not painted.counts:
            return f"Nothing is painted in {name}: paint the structure on a few slices, or untick it."
    for name, painted, _, _ in cases:
        if min(painted.counts) < 0:
            return f"{name} holds the label {min(painted.counts)}; labels are 0 or more."
    values = {value for _, painted, _, _ in cases for value in painted.counts}
    background = {value for value in values if names.get(value, "").casefold().strip() == BACKGROUND}
    if values == background:
        return "Only background is painted: paint the structure too."
    if len(values) > 1:
        return ""
    if any(marked if only_painted else not painted.everywhere for _, painted, marked, only_painted in cases):
        return ""
    if any(only_painted for *_, only_painted in cases):
        (value,) = values
        return (
            f"Only “{names.get(value, f'label {value}')}” is painted, and nothing to tell it from: mark slices as "
            "complete, or paint some of the rest with a label named “background”."
        )
    return "One label covers everything, so there is nothing to tell it from: leave the rest unpainted."
