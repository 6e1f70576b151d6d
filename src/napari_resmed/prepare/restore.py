"""From the network's grid back to the image's, row by row as the network finishes them.

Scores are interpolated and decided on the way: a volume of scores at the image's resolution never exists. The image is
gone through in blocks, and in each only the classes are interpolated that can win there. A weighted mean lies between
the least and the greatest of what it is the mean of; so a class whose greatest score in the block is below another's
least cannot be the largest anywhere in it. Nearly all blocks of a real answer are left with one class or a few.

Where a network's last layer is still to come, features may be interpolated instead, for that layer is linear: where the
image is the coarser grid, and has fewer voxels to make scores for, and in blocks where more classes can win than there
are features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.labels import smallest_integer_type
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.resample import along

__all__ = ["LabelRestorer", "restore_labels", "restore_map"]

# Edge of a block in voxels of the image: as large as its scores stay in the processor's cache. A GPU wants fewer.
BLOCK, BLOCK_ON_GPU = 48, 160
# Slices of the image that are gone through at a time.
SLICES = 16
# Blocks where more classes than these can win are cut into four, no smaller than so many voxels, where that leaves
# fewer to interpolate.
FEW, LEAST_BLOCK, WORTH = 4, 12, 0.7
# Interpolation in float32 may overshoot by rounding.
SLACK = 1e-5


class LastLayer(Protocol):
    """A network's, linear and the same for every voxel."""

    def flat(self, features: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """Scores ``(class, voxels)``, of some classes or all, from features ``(feature, voxels)``."""


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
        self._rounded = False
        self._is_coarser = math.prod(grid.source_shape) <= math.prod(grid.shape)
        self._last_layer: LastLayer | None = None
        self._features: Tensor | None = None  # of the rows under way
        self._most = torch.empty(0)  # of their scores, over z, for every class
        self._least: Tensor | None = None
        self._memory: dict[int, Tensor] = {}
        self._spans: dict[tuple[int, int, int], tuple[int, int]] = {}

    @property
    def share_done(self) -> float:
        """0..1."""
        return self._next / self._grid.source_shape[0]

    def add(self, scores: Tensor, last_layer: LastLayer | None = None) -> None:
        """Take the next rows.

        Parameters
        ----------
        scores:
            ``(class, rows, y, x)`` on the network's grid, any floating type, on any device; nothing of it is kept but
            copies. Those in half precision are compared in it, as nnU-Net does.
        last_layer:
            What makes scores of them, where they are features ``(feature, rows, y, x)`` float32 on the CPU; the same
            for all rows.
        """
        self._last_layer = last_layer
        self._rounded = scores.dtype == torch.float16
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
            self._labels[start:stop] = self._decided(rows.float()) if self._last_layer is None else self._made_of(rows)
            return
        self._weights = [weights.to(rows.device) for weights in self._weights]
        edge = BLOCK if rows.device.type == "cpu" else BLOCK_ON_GPU
        blocks = [
            (y, x)
            for y in _pieces(0, self._grid.source_shape[1], edge)
            for x in _pieces(0, self._grid.source_shape[2], edge)
        ]
        upwards = self._weights[0][start:stop, low:high]
        if self._last_layer is not None:
            self._features = along(rows, 1, upwards)
            if self._is_coarser:
                for y, x in blocks:
                    self._labels[start:stop, y, x] = self._made_of(self._across(self._features, y, x))
                return
            rows = self._last_layer.flat(rows.flatten(1)).view(-1, *rows.shape[1:])
        self._most, self._least = rows.amax(1), None if self._overlapping else rows.amin(1)
        for y, x in blocks:
            self._fill(rows, upwards, slice(start, stop), y, x)

    def _fill(
        self, rows: Tensor, upwards: Tensor, z: slice, y: slice, x: slice, classes: Sequence[int] | None = None
    ) -> None:
        """Write the labels of a block of the image, part by part where few classes can win in each."""
        if classes is None:
            classes = self._candidates(y, x)
        edge = max(y.stop - y.start, x.stop - x.start)
        if len(classes) > FEW and edge >= 2 * LEAST_BLOCK and rows.device.type == "cpu":
            halves = -(-edge // 2)
            parts = [(a, b) for a in _pieces(y.start, y.stop, halves) for b in _pieces(x.start, x.stop, halves)]
            found = [self._candidates(a, b) for a, b in parts]
            if sum(map(len, found)) < WORTH * len(parts) * len(classes):
                for (a, b), fewer in zip(parts, found, strict=True):
                    self._fill(rows, upwards, z, a, b, fewer)
                return
        if len(classes) == 1 and not self._overlapping:
            self._labels[z, y, x] = self._values[classes[0]]
        elif classes and self._features is not None and len(classes) > len(self._features):
            self._labels[z, y, x] = self._made_of(self._across(self._features, y, x), classes)
        elif classes:
            scores = self._interpolated(rows, upwards, y, x, classes)
            self._labels[z, y, x] = self._decided(scores, classes)

    def _interpolated(self, rows: Tensor, upwards: Tensor, y: slice, x: slice, classes: Sequence[int]) -> Tensor:
        """Scores ``(class, z, y, x)`` float32 of some classes in a block of the image."""
        scores = rows[:, :, slice(*self._span(1, y)), slice(*self._span(2, x))]
        if len(classes) < len(scores):
            scores = scores.index_select(0, torch.tensor(classes, device=scores.device))
        scores = scores.float()
        if not _is_identity(upwards):
            scores = along(scores, 1, upwards)
        return self._widened(scores, y, x)

    def _across(self, features: Tensor, y: slice, x: slice) -> Tensor:
        """Features ``(feature, z, y, x)`` float32 in a block of the image, from those of its slices."""
        return self._widened(features[:, :, slice(*self._span(1, y)), slice(*self._span(2, x))], y, x)

    def _widened(self, scores: Tensor, y: slice, x: slice) -> Tensor:
        """Interpolated along y and x.

        In memory that is used again: the system takes longer to give so much anew than the sums take.
        """
        across_y = self._weights[1][y, slice(*self._span(1, y))]
        across_x = self._weights[2][x, slice(*self._span(2, x))]
        count, height, low_y, low_x = scores.shape
        flat = scores.reshape(-1, low_x)
        if not _is_identity(across_x):
            flat = torch.mm(flat, across_x.T, out=self._lent(0, scores.device, (len(flat), len(across_x))))
        wide = flat.reshape(-1, low_y, flat.shape[1])
        if not _is_identity(across_y):
            shape = (len(wide), len(across_y), flat.shape[1])
            wide = torch.bmm(across_y.expand(len(wide), -1, -1), wide, out=self._lent(1, scores.device, shape))
        return wide.reshape(count, height, *wide.shape[1:])

    def _lent(self, number: int, device: torch.device, shape: Sequence[int]) -> Tensor:
        size = math.prod(shape)
        if number not in self._memory or self._memory[number].numel() < size:
            self._memory[number] = torch.empty(size, device=device)
        return self._memory[number][:size].view(*shape)

    def _span(self, axis: int, part: slice) -> tuple[int, int]:
        """What of the scores a part of the image along an axis is made of."""
        key = (axis, part.start, part.stop)
        if key not in self._spans:
            self._spans[key] = _span(self._weights[axis][part].sum(0))
        return self._spans[key]

    def _candidates(self, y: slice, x: slice) -> list[int]:
        """Classes that can be written anywhere in a block."""
        block = (slice(None), slice(*self._span(1, y)), slice(*self._span(2, x)))
        # Made dense first: over what lies apart a reduction takes many times as long.
        most = self._most[block].flatten(1).amax(1).float()
        if self._least is None:
            found = most > -SLACK
        else:
            floor = self._least[block].flatten(1).amin(1).float().amax()
            found = most >= floor - SLACK * (1 + floor.abs())
        return [int(number) for number in found.nonzero().flatten()]

    def _made_of(self, features: Tensor, classes: Sequence[int] | None = None) -> NDArray[np.unsignedinteger]:
        """Labels ``(z, y, x)`` from features ``(feature, z, y, x)``; the scores of a slice stay in the cache."""
        assert self._last_layer is not None
        labels = np.empty(tuple(features.shape[1:]), self._values.dtype)
        for z, into in enumerate(labels):
            scores = self._last_layer.flat(features[:, z].flatten(1), classes)
            into[:] = self._decided(scores.view(-1, 1, *into.shape), classes)[0]
        return labels

    def _decided(self, scores: Tensor, classes: Sequence[int] | None = None) -> NDArray[np.unsignedinteger]:
        """Labels ``(z, y, x)`` from scores ``(class, z, y, x)`` of some classes or all."""
        values = self._values if classes is None else self._values[list(classes)]
        if self._rounded:
            scores = scores.half()
        if not self._overlapping:
            won: NDArray[np.unsignedinteger] = values[_largest(scores).cpu().numpy()]
            return won
        labels = np.zeros(tuple(scores.shape[1:]), values.dtype)
        found = list(zip(values, (scores > 0).cpu().numpy(), strict=True))
        for value, there in sorted(found, key=lambda one: self._rank.get(int(one[0]), 0)):
            labels[there] = value
        return labels


def _largest(scores: Tensor) -> Tensor:
    """Which class is the largest, the first of equals; a sixth of the time of argmax."""
    count = len(scores)
    if count > 255 or scores.device.type != "cpu":
        return scores.max(0).indices
    codes = torch.arange(count, 0, -1, dtype=torch.uint8).view(-1, 1, 1, 1)
    first = (scores == scores.amax(0)).view(torch.uint8).mul_(codes).amax(0)
    return count - first.to(torch.int16)


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


def _pieces(start: int, stop: int, edge: int) -> Iterator[slice]:
    return (slice(first, min(stop, first + edge)) for first in range(start, stop, edge))


def _is_identity(weights: Tensor) -> bool:
    return weights.shape[0] == weights.shape[1] and torch.equal(weights, torch.eye(len(weights), device=weights.device))
