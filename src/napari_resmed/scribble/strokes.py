"""Painted voxels: on the grid that is worked on, stroke by stroke, and which of them are learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_resmed.prepare.grid import Grid

__all__ = ["Strokes", "find_strokes", "numbered", "on_own_grid"]

# Voxels learnt from, of all strokes together and of one stroke at least.
MOST, LEAST = 800, 8


@dataclass(frozen=True, eq=False)
class Strokes:
    """Painted voxels on the grid that is worked on.

    Parameters
    ----------
    places:
        ``(n, 3)`` int64, index ``(z, y, x)``.
    classes:
        ``(n,)``: 0.. numbers of classes, in ascending order of their values.
    numbers:
        ``(n,)``: which stroke; a stroke is what hangs together of one class.
    values:
        The value of every class.
    """

    places: NDArray[np.int64]
    classes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    values: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many strokes."""
        return int(self.numbers.max()) + 1

    def map(self, shape: Sequence[int]) -> NDArray[np.int16]:
        """``(z, y, x)``: 0 unpainted, 1.. the number of the class plus one."""
        painted = np.zeros(tuple(shape), np.int16)
        painted[tuple(self.places.T)] = self.classes + 1
        return painted

    def keep(self, which: NDArray[np.bool_]) -> Strokes:
        """Some of the strokes, ``(count,)``; the classes stay."""
        kept = which[self.numbers]
        numbers = np.unique(self.numbers[kept], return_inverse=True)[1]
        return Strokes(self.places[kept], self.classes[kept], numbers, self.values)

    def sample(self, seed: int) -> NDArray[np.int64]:
        """Which voxels to learn from: of every stroke alike many, as far as it has them."""
        generator = np.random.default_rng(seed)
        each = max(LEAST, MOST // self.count)
        order = generator.permutation(len(self.numbers))
        order = order[np.argsort(self.numbers[order], kind="stable")]
        first = np.searchsorted(self.numbers[order], np.arange(self.count))
        rank = np.arange(len(order)) - first[self.numbers[order]]
        chosen: NDArray[np.int64] = order[rank < each]
        return chosen


def find_strokes(painted: NDArray[np.integer], grid: Grid) -> Strokes:
    """Take strokes to the grid that is worked on; none is lost there, not even a single voxel.

    Parameters
    ----------
    painted:
        ``(z, y, x)`` on the image's grid: 0 unpainted, 1.. classes.
    grid:
        Of the image.
    """
    found, values = _painted_voxels(painted, grid)
    known, classes = np.unique(values, return_inverse=True)
    sizes, source, step = (np.array(part) for part in (grid.shape, grid.source_shape, grid.step))
    # Both grids share their centre.
    places = np.rint((found - (source - 1) / 2) / step + (sizes - 1) / 2).astype(np.int64)
    places = places.clip(0, sizes - 1)
    _, first = np.unique(np.ravel_multi_index(tuple(places.T), tuple(sizes)), return_index=True)
    places, classes = places[first], classes[first].astype(np.int64)
    numbers = np.zeros(len(places), np.int64)
    so_far = 0
    for one in range(len(known)):
        there = classes == one
        if there.any():
            numbers[there] = numbered(places[there]) + so_far
            so_far = int(numbers[there].max()) + 1
    return Strokes(places, classes, numbers, tuple(int(value) for value in known))


def on_own_grid(
    painted: NDArray[np.integer], strokes: Strokes, grid: Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every painted voxel of the image's own grid: places ``(n, 3)``, turned as ``grid`` is, and numbers of classes."""
    places, values = _painted_voxels(painted, grid)
    return places, np.searchsorted(strokes.values, values)


def numbered(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which stroke, from 0, each of these voxels ``(n, 3)`` belongs to; what touches is one, at corners too."""
    at = tuple((places - places.min(0)).T)
    mask = np.zeros(places.max(0) - places.min(0) + 1, bool)
    mask[at] = True
    numbers: NDArray[np.int64] = ndimage.label(mask, np.ones((3, 3, 3)))[0][at].astype(np.int64) - 1
    return numbers


def _painted_voxels(painted: NDArray[np.integer], grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    turned = grid.take(painted)
    places = np.argwhere(turned != 0)  # of booleans: a tenth of the time
    return places, turned[tuple(places.T)]
