"""The answer before, from which the slice that is looked at is answered at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.errors import InputError
from napari_resmed.scribble.answer import answer_slab, slab_around
from napari_resmed.scribble.features import Features
from napari_resmed.scribble.fine import answer_finely
from napari_resmed.scribble.steps import to_end
from napari_resmed.scribble.strokes import Strokes, on_own_grid
from napari_resmed.volume import Volume

__all__ = ["answer_slice", "remember"]

# Images whose last answer is kept.
KEPT = 2

_before: OrderedDict[str, tuple[tuple[int, ...], Tensor]] = OrderedDict()


def remember(key: str, values: tuple[int, ...], found: Tensor) -> None:
    """Keep an answer ``(class, z, y, x)`` of an image; ``values`` are those of its classes."""
    _before[key] = (values, found.half())
    _before.move_to_end(key)
    while len(_before) > KEPT:
        _before.popitem(last=False)


def answer_slice(
    image: Volume, features: Features, strokes: Strokes, painted: NDArray[Any], key: str, view: Sequence[int]
) -> NDArray[Any] | None:
    """The labels of a slice, as the answer before has them but for what was painted there since.

    Parameters
    ----------
    painted:
        ``(z, y, x)`` on the image's grid.
    key:
        Of the image.
    view:
        An axis of the image's array, and the slice's index.

    Returns
    -------
    NDArray or None
        2D, of the type of ``painted``; None where there is no answer before.

    Raises
    ------
    InputError
        If the image has no such slice.
    """
    axis, index = int(view[0]), int(view[1])
    if not (0 <= axis <= 2 and 0 <= index < image.grid_shape[axis]):
        raise InputError(f"the view is slice {index} of axis {axis}, expected one of the image's {image.grid_shape}")
    if key not in _before:
        return None
    values, found = _before[key]
    there = [values.index(value) if value in values else None for value in strokes.values]
    grid = features.grid
    turned = grid.order.axes.index(axis)
    place = grid.source_shape[turned] - 1 - index if grid.order.flipped[turned] else index
    step, size = grid.step[turned], grid.shape[turned]
    row = round((place - (grid.source_shape[turned] - 1) / 2) / step + (size - 1) / 2)
    row = min(max(row, 0), size - 1)
    box = slab_around(features, turned, row)
    before = torch.stack(
        [found[(old, *box)] if old is not None else torch.zeros_like(found[(0, *box)]) for old in there]
    )
    slab = answer_slab(features, strokes, before, box).narrow(1 + turned, row - box[turned].start, 1)
    if not grid.is_source:
        own = [slice(0, size) for size in grid.source_shape]
        own[turned] = slice(place, place + 1)
        prior = F.interpolate(slab[None], [part.stop - part.start for part in own], mode="trilinear")[0]
        flat = (own[0], own[1], own[2])
        slab = to_end(answer_finely(image, features, prior, *on_own_grid(painted, strokes, grid), flat))
    won = np.array(strokes.values)[slab.argmax(0).numpy()]
    back: NDArray[Any] = grid.order.undo(won).squeeze(axis).astype(painted.dtype)
    drawn = painted.take(index, axis)
    return np.where(drawn > 0, drawn, back)
