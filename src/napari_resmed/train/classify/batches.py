"""Batches of whole images, moved and disturbed at random; the same for the same seed and step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from napari_resmed.train.augmentation import Augmentation, disturb
from napari_resmed.train.classify.images import Images
from napari_resmed.train.classify.loss import ClassBatch
from napari_resmed.train.deformation import normal, uniform

__all__ = ["BALANCES", "Drawing", "draw_classes"]

# What is done about classes of unequal size; "sampling" is done here, the others are the loss' matter.
BALANCES = ("none", "sampling", "weights", "focal")


@dataclass(frozen=True)
class Drawing:
    """What a batch is drawn from, and how.

    Parameters
    ----------
    images:
        The prepared cases.
    classes:
        int64 ``(row,)``.
    rows:
        Those that are learnt from.
    batch:
        Images a step.
    each_class_alike:
        Whether every class is drawn as often as any other.
    augmentation:
        What is done to an image; its shift counts in voxels of the network's grid.
    mirror_axes:
        Axes ``(0 z, 1 y, 2 x)`` along which an image may be mirrored.
    flat:
        Whether images, or their frames, are single slices.
    seed:
        Of every random choice.
    crop:
        Largest share of every edge that is cut away.
    """

    images: Images
    classes: NDArray[np.int64]
    rows: Sequence[int]
    batch: int
    each_class_alike: bool
    augmentation: Augmentation
    mirror_axes: Sequence[int]
    flat: bool
    seed: int
    crop: float = 0.0


def draw_classes(drawing: Drawing, step: int, part: slice = slice(None)) -> ClassBatch:
    """The batch of a step, or the part of it that falls to one of several devices."""
    images, targets = [], []
    for place in range(drawing.batch)[part]:
        count = step * drawing.batch + place
        generator = torch.Generator().manual_seed(drawing.seed * 1_000_003 + count)
        row = _row(drawing, count)
        image = torch.from_numpy(drawing.images.data[row].astype(np.float32))
        images.append(_changed(image, drawing, generator))
        targets.append(int(drawing.classes[row]))
    stacked = torch.stack(images)
    return ClassBatch(stacked.squeeze(-3) if drawing.flat else stacked, torch.tensor(targets))


def _row(drawing: Drawing, count: int) -> int:
    """Each is taken once before any is taken again; where classes are to be alike, within its class."""
    rows = np.asarray(drawing.rows)
    if drawing.each_class_alike:
        kinds = np.unique(drawing.classes[rows])
        count, kind = divmod(count, len(kinds))
        rows = rows[drawing.classes[rows] == kinds[kind]]
    lap, turn = divmod(count, len(rows))
    order = _order(drawing.seed, lap, len(rows))
    return int(rows[order[turn]])


def _order(seed: int, lap: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, lap, count)).permutation(count)


def _changed(image: Tensor, drawing: Drawing, generator: torch.Generator) -> Tensor:
    """One image ``(c, [t,] z, y, x)`` moved and disturbed; a channel that is not there stays away.

    Frames of a series go as if they were channels: all are changed alike, but for the noise.
    """
    shape = image.shape
    image = image.reshape(-1, *shape[-3:])
    there = image.flatten(1).any(1)
    ranges = drawing.augmentation.deformation
    flips = [axis + 1 for axis in drawing.mirror_axes if uniform(0, 1, generator) < 0.5]
    if flips:
        image = image.flip(flips)
    moves = ranges.rotation_deg > 0 or ranges.scale > 0 or ranges.shift_mm > 0 or drawing.crop > 0
    if moves and uniform(0, 1, generator) >= drawing.augmentation.undeformed:
        image = _moved(image, drawing, generator)
    image = disturb(image, drawing.augmentation, generator)
    image = image * there[:, None, None, None] if not bool(there.all()) else image
    return image.reshape(shape)


def _moved(image: Tensor, drawing: Drawing, generator: torch.Generator) -> Tensor:
    """Rotated, scaled, shifted and cropped; a single slice within its plane."""
    ranges = drawing.augmentation.deformation
    axes = 2 if drawing.flat else 3
    size = torch.tensor(image.shape[-axes:], dtype=torch.float32)
    matrix = torch.eye(axes)
    for one in range(axes):
        for other in range(one + 1, axes):
            angle = math.radians(normal(ranges.rotation_deg / 2, generator))
            turn = torch.eye(axes)
            turn[one, one] = turn[other, other] = math.cos(angle)
            turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
            matrix = turn @ matrix
    factor = 1 + uniform(-ranges.scale, ranges.scale, generator)
    shift = torch.tensor([uniform(-ranges.shift_mm, ranges.shift_mm, generator) for _ in range(axes)])
    if drawing.crop > 0:
        kept = 1 - uniform(0, drawing.crop, generator)
        factor *= kept
        shift += torch.tensor([uniform(-1, 1, generator) * (1 - kept) / 2 for _ in range(axes)]) * size
    # torch counts from -1 to 1 over each axis, the last one first.
    matrix = factor * matrix * size[None, :] / size[:, None]
    theta = torch.cat([matrix.flip(0, 1), (2 * shift / size).flip(0)[:, None]], 1)[None]
    flat = image.flatten(0, 1) if drawing.flat else image
    grid = affine_grid(theta, [1, *flat.shape], align_corners=False)
    moved = grid_sample(flat[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    return moved.reshape(image.shape)
