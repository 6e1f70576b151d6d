"""Where structures end: how often lines cross their surface, and the corners between which they are widest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.review.measure.crofton import DIRECTIONS

__all__ = ["Borders", "Corners"]


@dataclass(frozen=True, eq=False)
class Corners:
    """Voxels among which are the ends of every structure's largest diameters.

    A voxel that lies halfway between two others of its structure is never such an end.

    Parameters
    ----------
    index:
        ``(n, 3)``, ``(z, y, x)``, one structure after the other.
    ends:
        Where each structure's begin, and where the last one's end.
    in_space:
        ``(n,)``: whether it may be an end in 3D too, and not only within its own slice.
    """

    index: NDArray[np.int32]
    ends: list[int]
    in_space: NDArray[np.bool_]


class Borders:
    """Collects the borders of ``count`` structures, slab by slab.

    Parameters
    ----------
    count:
        How many structures there are.
    axial_axis:
        The array axis that runs from slice to slice.
    """

    def __init__(self, count: int, axial_axis: int) -> None:
        self.crossings = np.zeros((len(DIRECTIONS), count), np.int64)
        self._within = DIRECTIONS[:, axial_axis] == 0
        self._found: list[tuple[NDArray[Any], NDArray[np.int32], NDArray[np.bool_]]] = []

    def add(self, start: int, padded: NDArray[Any]) -> None:
        """Take in a slab.

        Parameters
        ----------
        start:
            Index of its first slice.
        padded:
            Numbers 0 to ``count``, ``(z + 2, y + 2, x + 2)``: the slab with one voxel of what lies around it.
        """
        inner = padded[1:-1, 1:-1, 1:-1]
        z, y, x = np.nonzero(~_among_their_own(padded) & (inner != 0))
        flat = padded.reshape(-1)
        steps = np.array(padded.strides) // padded.itemsize
        at = np.stack([z, y, x], 1) @ steps + steps.sum()
        own = flat[at]
        halfway, halfway_in_slice = np.zeros(len(at), bool), np.zeros(len(at), bool)
        size = self.crossings.shape[1] + 1
        for number, direction in enumerate(DIRECTIONS):
            step = int(direction @ steps)
            ahead, behind = flat[at + step] == own, flat[at - step] == own
            for same in (ahead, behind):
                self.crossings[number] += np.bincount(own[~same], minlength=size)[1:]
            both = ahead & behind
            halfway |= both
            if self._within[number]:
                halfway_in_slice |= both
        keep = ~halfway_in_slice
        index = np.stack([z[keep] + start, y[keep], x[keep]], 1).astype(np.int32)
        self._found.append((own[keep], index, ~halfway[keep]))

    def corners(self) -> Corners:
        """Those of every slab so far."""
        numbers, index, in_space = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        order = np.argsort(numbers, kind="stable")
        counts = np.bincount(numbers, minlength=self.crossings.shape[1] + 1)
        return Corners(index[order], np.cumsum(counts).tolist(), in_space[order])


def _among_their_own(padded: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all 26 neighbours have the voxel's own number; without the rim."""
    alike, centres = None, padded
    for axis in (2, 1, 0):
        before, middle, after = (_part(axis, start, stop) for start, stop in ((0, -2), (1, -1), (2, None)))
        same = (centres[middle] == centres[before]) & (centres[middle] == centres[after])
        if alike is not None:
            same &= alike[before]
            same &= alike[middle]
            same &= alike[after]
        alike, centres = same, centres[middle]
    return np.asarray(alike)


def _part(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, stop))
