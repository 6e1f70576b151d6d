"""What is told by every voxel of a structure: how many, where, and how bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Inside", "Intensity"]


@dataclass(frozen=True)
class Intensity:
    """The image within a structure; voxels that are not finite do not count.

    ``sd`` is the standard deviation with n - 1 below, as in ITK; None for a single voxel.
    """

    mean: float
    sd: float | None
    min: float
    max: float
    median: float


class Inside:
    """Collects the voxels of ``count`` structures in a grid of ``shape``, slab by slab."""

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        self._count = count
        # How many voxels each structure has in every plane across each axis; row 0 is background.
        self._planes = tuple(np.zeros((count + 1, size), np.int64) for size in shape)
        self._values: list[list[NDArray[Any]]] = [[] for _ in range(count + 1)]

    def add(self, start: int, numbers: NDArray[Any], image: NDArray[Any] | None) -> None:
        """Take in a slab of numbers 0 to ``count``, ``(z, y, x)``, C order, and the image there."""
        depth, height, width = numbers.shape
        flat = numbers.reshape(-1)
        at = np.flatnonzero(flat).astype(np.int32 if flat.size < 2**31 else np.int64)
        if not len(at):
            return
        own = flat[at]
        row = at // width
        column = at - row * width
        plane = row // height
        row -= plane * height
        wide = own.astype(np.intp)
        for axis, (place, size) in enumerate(((plane, depth), (row, height), (column, width))):
            found = np.bincount(wide * size + place, minlength=(self._count + 1) * size).reshape(-1, size)
            part = self._planes[axis]
            if axis == 0:
                part = part[:, start : start + depth]
            part += found
        if image is not None:
            order = np.argsort(own, kind="stable")
            values = image.reshape(-1)[at][order]
            ends = np.cumsum(np.bincount(own, minlength=self._count + 1))
            for number in np.unique(own).tolist():
                # A copy, so that a small structure does not keep the whole slab in memory.
                self._values[number].append(values[ends[number - 1] : ends[number]].copy())

    def voxels(self, number: int) -> int:
        """How many."""
        return int(self._planes[0][number].sum())

    def middle(self, number: int) -> NDArray[np.float64]:
        """Mean index ``(z, y, x)``."""
        count = self.voxels(number)
        return np.array([float(planes[number] @ np.arange(planes.shape[1])) / count for planes in self._planes])

    def box(self, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """First index and size ``(z, y, x)`` of the smallest box that holds it."""
        ends = [np.flatnonzero(planes[number])[[0, -1]].tolist() for planes in self._planes]
        return tuple(first for first, _ in ends), tuple(last - first + 1 for first, last in ends)

    def intensity(self, number: int) -> Intensity | None:
        """The image within it; None where no voxel of the image is finite."""
        values = np.concatenate(self._values[number])
        self._values[number] = []
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not len(values):
            return None
        return Intensity(
            float(values.mean(dtype=np.float64)),
            float(values.std(dtype=np.float64, ddof=1)) if len(values) > 1 else None,
            float(values.min()),
            float(values.max()),
            float(np.median(values)),
        )
