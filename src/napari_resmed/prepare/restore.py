"""From the network's grid back to the image's, row by row as the network finishes them.

Scores are interpolated and decided on the way: a volume of scores at the image's resolution never exists. The image is
gone through in blocks, and in each only the classes are interpolated that can win there. A weighted mean lies between
the least and the greatest of what it is the mean of; so a class whose greatest score in the block is below another's
least cannot be the largest anywhere in it. Nearly all blocks of a real answer are left with one class or a few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.labels import smallest_integer_type
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.resample import along

__all__ = ["LabelRestorer", "restore_labels", "restore_map"]

# Edge of a block in voxels of the image: as large as its scores stay in the processor's cache, as small as that few
# classes meet in it.
BLOCK = 48
# Slices of the image that are gone through at a time.
SLICES = 16
# Interpolation in float32 may overshoot by rounding.
SLACK = 1e-5


class LabelRestorer:
    """Takes rows of class scores in order and gives labels on the image's grid.

    Parameters
    ----------
    grid:
        From :func:`napari_resmed.prepare.grid.prepare`.
    values:
        Label value of every class. The first is background.
    overlapping:
        Whether classes may overlap: each after the first then says by a score above 0 that it is there, and of several
        the later one is written (nnU-Net's order of regions). The first class has no score then.
    order:
        Of classes that overlap: the values in the order in which they are written, if it is another.
    """

    def __init__(self, grid: Grid, values: Sequence[int], overlapping: bool = False, order: Sequence[int] = ()) -> None:
        self._grid = grid
        self._overlapping = overlapping
        self._rank = {value: rank for rank, value in enumerate(order)}
        self._values = np.array(values[1:] if overlapping else values, smallest_integer_type(max(values)))
        self._labels = np.zeros(grid.source_shape, self._values.dtype)
        self._weights = grid.weights_back
        self._needed = [_span(row) for row in self._weights[0]]  # rows of scores for every slice of the image
        self._rows: Tensor | None = None
        self._first = 0  # number of the first row kept
        self._next = 0  # slice of the image to do next

    @property
    def share_done(self) -> float:
        """0..1."""
        return self._next / self._grid.source_shape[0]

    def add(self, scores: Tensor) -> None:
        """Take the next rows.

        Parameters
        ----------
        scores:
            ``(class, rows, y, x)`` on the network's grid, any floating type; nothing of it is kept but copies.
        """
        lent = self._rows is None or not self._rows.shape[1]
        self._rows = scores if lent or self._rows is None else torch.cat([self._rows, scores], 1)
        there = self._first + self._rows.shape[1]
        slices, last = self._grid.source_shape[0], self._next
        while last < slices and self._needed[last][1] <= there:
            last += 1
        for start in range(self._next, last, SLICES):
            self._do(start, min(last, start + SLICES))
        self._next = last
        drop = (self._needed[last][0] if last < slices else there) - self._first
        if drop > 0 or lent:
            # A copy of its own: what was lent is used again, and of what was cut from a larger piece all would stay.
            self._rows = self._rows[:, drop:].clone()
            self._first += drop

    def finish(self) -> NDArray[np.unsignedinteger]:
        """Labels ``(z, y, x)`` on the image's grid in its own axis order, smallest unsigned type."""
        if self._next < self._grid.source_shape[0]:
            missing = self._grid.shape[0] - self._first
            raise ValueError(f"{missing} of {self._grid.shape[0]} rows of scores are missing")
        return self._grid.put_back(self._labels)

    def _do(self, start: int, stop: int) -> None:
        assert self._rows is not None
        low, high = self._needed[start][0], max(high for _, high in self._needed[start:stop])
        rows = self._rows[:, low - self._first : high - self._first]
        if self._grid.is_source:
            self._labels[start:stop] = self._decided(rows.float(), range(rows.shape[0]))
            return
        along_z = self._weights[0][start:stop, low:high]
        for y, across_y in _blocks(self._weights[1]):
            for x, across_x in _blocks(self._weights[2]):
                block = rows[:, :, across_y, across_x]
                classes = self._candidates(block)
                if len(classes) == 1 and not self._overlapping:
                    self._labels[start:stop, y, x] = self._values[classes[0]]
                elif len(classes):
                    scores = block[classes].float()
                    for axis, weights in enumerate(
                        (along_z, self._weights[1][y, across_y], self._weights[2][x, across_x]), 1
                    ):
                        scores = along(scores, axis, weights)
                    self._labels[start:stop, y, x] = self._decided(scores, classes)

    def _candidates(self, block: Tensor) -> list[int]:
        """Classes that can be written anywhere in a block."""
        flat = block.reshape(block.shape[0], -1)
        most = flat.amax(1).float()
        if self._overlapping:
            found = most > -SLACK
        else:
            floor = flat.amin(1).float().amax()
            found = most >= floor - SLACK * (1 + floor.abs())
        return [int(number) for number in found.nonzero().flatten()]

    def _decided(self, scores: Tensor, classes: Sequence[int]) -> NDArray[np.unsignedinteger]:
        values = self._values[list(classes)]
        if not self._overlapping:
            # Half the time of argmax, and the first of equals too.
            won: NDArray[np.unsignedinteger] = values[scores.max(0).indices.numpy()]
            return won
        labels = np.zeros(tuple(scores.shape[1:]), values.dtype)
        found = list(zip(values, (scores > 0).numpy(), strict=True))
        for value, there in sorted(found, key=lambda one: self._rank.get(int(one[0]), 0)):
            labels[there] = value
        return labels


def restore_labels(
    scores: Tensor, grid: Grid, values: Sequence[int], overlapping: bool = False
) -> NDArray[np.unsignedinteger]:
    """The same with all rows at once; parameters as of :class:`LabelRestorer`."""
    restorer = LabelRestorer(grid, values, overlapping)
    restorer.add(scores)
    return restorer.finish()


def restore_map(scores: Tensor, grid: Grid) -> NDArray[np.float32]:
    """Take one map ``(z, y, x)`` of real numbers back to the image's grid, float32."""
    out = np.zeros(grid.source_shape, np.float32)
    weights = grid.weights_back
    for start in range(0, grid.source_shape[0], SLICES):
        rows = weights[0][start : start + SLICES]
        low, high = _span(rows.sum(0))
        slab = along(scores[low:high].float(), 0, rows[:, low:high])
        out[start : start + SLICES] = along(along(slab, 1, weights[1]), 2, weights[2]).numpy()
    return grid.put_back(out)


def _span(weights: Tensor) -> tuple[int, int]:
    """First and last place, plus one, that counts."""
    used = weights.nonzero().flatten()
    return int(used[0]), int(used[-1]) + 1


def _blocks(weights: Tensor) -> Iterator[tuple[slice, slice]]:
    """Pieces of the image along an axis, and what of the scores each is made of."""
    for start in range(0, weights.shape[0], BLOCK):
        stop = min(weights.shape[0], start + BLOCK)
        yield slice(start, stop), slice(*_span(weights[start:stop].sum(0)))
