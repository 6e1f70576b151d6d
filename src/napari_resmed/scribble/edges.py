"""What holds a walker back: the differences between neighbours, from fine to coarse; made once for an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Box", "Level", "cut_levels", "make_levels", "pooled", "upsampled", "whole_voxels"]

# How much a difference of the image holds a walker back: the exponent for a mean difference.
EDGE = 3.0
# How weights and differences fall with the distance of neighbours. Diffusion in mm would be 2; but a structure that was
# painted in one thick slice goes on in the next.
POWER = 1
# The least weight between neighbours, so that nothing is cut off.
LEAST = 1e-4
LEVELS = 4
# A level smaller than this is solved as it is.
SMALL = 24

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Level:
    """The grid of an image, or a coarser one.

    Parameters
    ----------
    flows:
        Float32 ``(axis, z, y, x)``: how easily a walker goes from a voxel to the next along each axis; 0 at the end.
    factors:
        Voxels ``(z, y, x)`` of the level before that are one here; 1 on the finest.
    """

    flows: Tensor
    factors: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(z, y, x)``."""
        z, y, x = self.flows.shape[1:]
        return z, y, x

    def cut(self, box: Box) -> Level:
        """A part by itself: nothing leads out of it."""
        flows = self.flows[(slice(None), *box)].clone()
        for axis in range(3):
            flows[axis].narrow(axis, flows.shape[1 + axis] - 1, 1).zero_()
        return Level(flows, self.factors)


def make_levels(image: Tensor, spacing: Sequence[float]) -> tuple[Level, ...]:
    """The levels of an image, the finest first.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``.
    spacing:
        Voxel edges ``(z, y, x)``.
    """
    levels = [Level(_flows(image, spacing), (1, 1, 1))]
    while len(levels) < LEVELS and max(image.shape[1:]) > SMALL:
        factors = _factors(image.shape[1:], spacing)
        if max(factors) == 1:
            break
        image = pooled(image, factors)
        spacing = [edge * factor for edge, factor in zip(spacing, factors, strict=True)]
        levels.append(Level(_flows(image, spacing), factors))
    return tuple(levels)


def pooled(values: Tensor, factors: Sequence[int]) -> Tensor:
    """The means of every ``factors`` voxels of ``(n, z, y, x)``; of as many as there are at the ends."""
    return F.avg_pool3d(values[None], list(factors), ceil_mode=True)[0]


def upsampled(values: Tensor, factors: Sequence[int], box: Box) -> Tensor:
    """A box of the finer grid of ``(n, z, y, x)``, interpolated linearly."""
    if max(factors) == 1:
        return values[(slice(None), *box)]
    around, inner = [], []
    for part, factor, size in zip(box, factors, values.shape[1:], strict=True):
        low = max(0, part.start // factor - 1)
        around.append(slice(low, min(size, -(-part.stop // factor) + 1)))
        inner.append(slice(part.start - low * factor, part.stop - low * factor))
    fine = F.interpolate(
        values[(slice(None), *around)][None],
        scale_factor=[float(factor) for factor in factors],
        mode="trilinear",
        align_corners=False,
    )
    return fine[0][(slice(None), *inner)]


def _factors(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, int, int]:
    """Two along the axes that are not the thickest already."""
    finest = min(edge for edge, size in zip(spacing, shape, strict=True) if size > 1)
    z, y, x = (2 if size >= 8 and edge < 2 * finest else 1 for size, edge in zip(shape, spacing, strict=True))
    return z, y, x


def _flows(image: Tensor, spacing: Sequence[float]) -> Tensor:
    finest = min(spacing)
    flows = torch.zeros((3, *image.shape[1:]))
    inner = [flows[axis].narrow(axis, 0, flows.shape[1 + axis] - 1) for axis in range(3)]
    nearness = [(finest / edge) ** POWER for edge in spacing]
    for axis, (part, near) in enumerate(zip(inner, nearness, strict=True)):
        for channel in image:
            part.add_(channel.diff(dim=axis).square_(), alpha=near)
    # The mean squared difference between neighbours counts as one.
    unit = sum(float(part.sum()) for part in inner) / max(1, sum(part.numel() for part in inner)) + 1e-12
    for part, near in zip(inner, nearness, strict=True):
        part.mul_(-EDGE / unit).exp_().add_(LEAST).mul_(near)
    return flows


def cut_levels(levels: Sequence[Level], box: Box) -> tuple[Level, ...]:
    """A box of every level; it begins and ends where voxels of the coarsest do: see :func:`whole_voxels`."""
    cut = []
    for level in levels:
        z, y, x = (
            slice(part.start // factor, -(-part.stop // factor))
            for part, factor in zip(box, level.factors, strict=True)
        )
        box = (z, y, x)
        cut.append(level.cut(box))
    return tuple(cut)


def whole_voxels(levels: Sequence[Level], box: Box) -> Box:
    """A box of the finest level, grown until it holds whole voxels of the coarsest."""
    sizes = [math.prod(level.factors[axis] for level in levels) for axis in range(3)]
    z, y, x = (
        slice(part.start // size * size, min(end, -(-part.stop // size) * size))
        for part, size, end in zip(box, sizes, levels[0].shape, strict=True)
    )
    return z, y, x
