"""Images too large to be worked on voxel by voxel: around the strokes they are answered once more, voxel by voxel.

The coarse answer says what belongs where; a walk over the image's own voxels, which begins with it, finds the edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.nets.contrast import curved
from napari_resmed.nets.filter_bank import FilterBank
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.resample import along
from napari_resmed.scribble.edges import Box, make_levels
from napari_resmed.scribble.features import Features, preparation_for
from napari_resmed.scribble.steps import Steps
from napari_resmed.scribble.strokes import Strokes, numbered, on_own_grid
from napari_resmed.scribble.walk import random_walk
from napari_resmed.volume import Volume

__all__ = ["answer_around", "answer_finely", "fine_boxes"]

# Voxels of a box, and of all boxes together.
MOST_IN_BOX, MOST = 3_000_000, 12_000_000
# Voxels of the image around strokes and structures.
AROUND = 12
# How often a walker is called away to the coarse answer.
STRENGTH = 0.03
# Percentiles of the intensities in a box that become 0 and 1, and the voxels they are taken of.
LOW, HIGH, SAMPLE = 0.005, 0.995, 200_000


def answer_around(
    image: Volume,
    features: Features,
    strokes: Strokes,
    painted: NDArray[Any],
    found: Tensor,
    background: int | None,
    coarse: NDArray[Any],
) -> Steps[NDArray[Any]]:
    """Labels ``(z, y, x)`` once more, with what lies around the strokes at the image's own resolution; in steps.

    Parameters
    ----------
    image, features:
        The image, and what it is worked on as.
    strokes, painted:
        What is painted, there and on the image's own grid.
    found, coarse:
        The coarse answer: probabilities ``(class, z, y, x)``, and labels on the image's own grid; they are not changed.
    background:
        Number of the class that is not looked for.
    """
    grid = features.grid
    places, classes = on_own_grid(painted, strokes, grid)
    labels = coarse.copy()
    turned = grid.take(labels)
    values = np.array(strokes.values, labels.dtype)
    boxes = fine_boxes(found, grid, places, classes, background)
    for number, box in enumerate(boxes):
        steps = answer_finely(image, features, _prior_in(found, grid, box), places, classes, box)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                turned[box] = values[end.value.argmax(0).numpy()]
                break
            yield number / len(boxes)
    np.copyto(labels, painted.astype(labels.dtype), where=painted > 0)
    return labels


def fine_boxes(
    found: Tensor, grid: Grid, places: NDArray[np.int64], classes: NDArray[np.int64], background: int | None
) -> list[Box]:
    """Where it is worth looking again: for every structure the box that holds it, or what can be held of it.

    Parameters
    ----------
    found:
        The coarse answer ``(class, z, y, x)``.
    grid:
        The coarse one.
    places, classes:
        What is painted on the image's own grid, turned as the coarse one is: ``(n, 3)`` and ``(n,)``.
    background:
        The class that is not looked for.
    """
    most = found.amax(0)
    boxes, left = [], MOST
    for number, share in enumerate(found):
        mine = places[classes == number]
        if number == background or not len(mine):
            continue
        whole = _joined(_box_of(share >= most, grid), _around(mine, grid))
        wanted = [_shrunk(whole, _around(mine, grid))]
        if wanted[0] is None:  # painted all over the image: each stroke by itself
            strokes = numbered(mine)
            wanted = [_shrunk(whole, _around(mine[strokes == one], grid)) for one in range(int(strokes.max()) + 1)]
        for box in wanted:
            if box is not None and _voxels(box) <= left:
                left -= _voxels(box)
                boxes.append(box)
    return boxes


def answer_finely(
    image: Volume, features: Features, prior: Tensor, places: NDArray[np.int64], classes: NDArray[np.int64], box: Box
) -> Steps[Tensor]:
    """Probabilities in a box of the image's own grid, float32 ``(class, z, y, x)``; in steps.

    Parameters
    ----------
    image, features:
        The image, and what it is worked on as.
    prior:
        The coarse answer in the box.
    places, classes:
        What is painted, as for :func:`fine_boxes`.
    """
    grid = features.grid
    data = image.data if image.axes == "czyx" else image.data[None]
    part = torch.from_numpy(np.array(grid.take(data)[(slice(None), *box)], np.float32, order="C"))
    preparation = preparation_for(image)
    for number, channel in enumerate(part):
        _to_unit(channel, preparation.window(number))
    spacing = [edge / step for edge, step in zip(features.spacing_mm, grid.step, strict=True)]
    yield 0.0
    if preparation.windows:
        part = curved(part, features.curves)
    levels = make_levels(FilterBank(spacing, (), (min(spacing),))(part[None])[0], spacing)
    low, high = (np.array([getattr(side, end) for side in box]) for end in ("start", "stop"))
    inside = ((places >= low) & (places < high)).all(1)
    found = yield from random_walk(
        levels, prior, STRENGTH, torch.from_numpy(places[inside] - low), torch.from_numpy(classes[inside])
    )
    return found


def _prior_in(found: Tensor, grid: Grid, box: Box) -> Tensor:
    """The coarse answer in a box of the image's own grid, interpolated; float32 ``(class, z, y, x)``."""
    prior = found
    for axis, part in enumerate(box):
        prior = along(prior, 1 + axis, grid.weights_back[axis][part])
    return prior


def _to_unit(channel: Tensor, window: tuple[float, float] | None) -> None:
    flat = channel.flatten()
    flat = flat[:: max(1, len(flat) // SAMPLE)]
    low, high = window or torch.quantile(flat, torch.tensor([LOW, HIGH])).tolist()
    if high <= low:
        low, high = float(channel.min()), float(channel.max())
    channel.sub_(low).div_(max(high - low, 1e-12)).clamp_(0, 1)


def _box_of(there: Tensor, grid: Grid) -> list[tuple[int, int]]:
    """The box of a coarse mask, on the image's own grid; of nothing where there is nothing."""
    box = []
    for axis in range(3):
        across = [other for other in range(3) if other != axis]
        used = there.any(across[1]).any(across[0]).nonzero().flatten()
        if not len(used):
            return []
        step, size = grid.step[axis], grid.source_shape[axis]
        low, high = (
            (float(end) - (grid.shape[axis] - 1) / 2) * step + (size - 1) / 2 for end in (used[0] - 0.5, used[-1] + 0.5)
        )
        box.append((max(0, math.floor(low) - AROUND), min(size, math.ceil(high) + 1 + AROUND)))
    return box


def _around(places: NDArray[np.int64], grid: Grid) -> list[tuple[int, int]]:
    ends = zip(places.min(0).tolist(), places.max(0).tolist(), grid.source_shape, strict=True)
    return [(max(0, low - AROUND), min(size, high + 1 + AROUND)) for low, high, size in ends]


def _joined(first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    if not first:
        return list(second)
    return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(first, second, strict=True)]


def _shrunk(whole: Sequence[tuple[int, int]], least: Sequence[tuple[int, int]]) -> Box | None:
    """As much of a box around its least part as can be held; None where that is too much already."""
    for share in np.linspace(1, 0, 21):
        z, y, x = (
            slice(round(c + share * (a - c)), round(d + share * (b - d)))
            for (a, b), (c, d) in zip(whole, least, strict=True)
        )
        if _voxels((z, y, x)) <= MOST_IN_BOX:
            return z, y, x
    return None


def _voxels(box: Box) -> int:
    return math.prod(part.stop - part.start for part in box)
