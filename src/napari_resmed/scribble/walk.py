"""Random walks over an image, which edges hold back: strokes reach as far as the tissue they were painted on.

Every voxel asks: a walker that starts here, prefers like neighbours and is now and then called away, where does it end?
Grady, "Random walks for image segmentation", PAMI 2006, and with "called away" as a prior of every voxel, "Multilabel
random walker image segmentation using prior models", CVPR 2005. Solved from coarse to fine, each level beginning with
the one before; the finest only where the coarser ones leave a doubt.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.scribble.steps import Steps

__all__ = ["random_walk"]

# How much a difference of the image holds a walker back: the exponent for a mean difference.
EDGE = 3.0
# How weights and differences fall with the distance of neighbours. Diffusion in mm would be 2; but a structure that was
# painted in one thick slice goes on in the next.
POWER = 1
# The least weight between neighbours, so that nothing is cut off.
LEAST = 1e-4
# How firmly a painted voxel keeps its class.
SEED = 1e3
# Steps of conjugate gradients, from the coarsest level to the finest.
STEPS = (80, 40, 25, 12)
LEVELS = 4
# A level smaller than this is solved as it is.
SMALL = 24
# Where a coarse answer's first class leads the second by so much it is not looked at again.
CERTAIN = 0.6
# Voxels kept around what is looked at again.
MARGIN = 4

Spacing = Sequence[float]


def random_walk(
    image: Tensor, prior: Tensor, strength: float, seeds: Tensor, spacing: Spacing, fine: bool = True
) -> Steps[Tensor]:
    """Probability of every class at every voxel; in steps.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``: whose differences are the edges.
    prior:
        float32 ``(classes, z, y, x)``, of sum 1.
    strength:
        How often a walker is called away to the prior, per step.
    seeds:
        ``(z, y, x)`` int: 1.. the painted classes, 0 unpainted.
    spacing:
        Voxel edges ``(z, y, x)``.
    fine:
        Whether the finest level is solved; without it the answer is an eighth as costly, and blurred.
    """
    painted = F.one_hot(seeds.long(), len(prior) + 1)[..., 1:].permute(3, 0, 1, 2).float()
    pull = torch.full(image.shape[1:], float(strength))
    levels = [_Level(image, prior, pull, painted, tuple(spacing))]
    while len(levels) < LEVELS and max(levels[-1].prior.shape[1:]) > SMALL:
        coarser = levels[-1].coarser()
        if coarser is None:
            break
        levels.append(coarser)
    found: Tensor | None = None
    for number, level in enumerate(reversed(levels)):
        shape = level.prior.shape[1:]
        last = number == len(levels) - 1
        if found is not None:
            found = F.interpolate(found[None], shape, mode="trilinear", align_corners=False)[0]
        steps = STEPS[number]
        if found is None:
            found = yield from level.solve(level.prior.clone(), steps)
        elif not last:
            found = yield from level.solve(found, steps)
        elif fine:
            box = _doubtful(found, seeds)
            inner = level.cut(box)
            found[(slice(None), *box)] = yield from inner.solve(found[(slice(None), *box)].clone(), steps)
    assert found is not None
    return found.clamp_(0, 1)


class _Level:
    """The walk's equations on one grid."""

    def __init__(
        self,
        image: Tensor,
        prior: Tensor,
        pull: Tensor,
        painted: Tensor,
        spacing: tuple[float, ...],
        unit: float | None = None,
    ) -> None:
        self.image, self.prior, self.pull, self.painted, self.spacing = image, prior, pull, painted, spacing
        self._unit = unit

    def coarser(self) -> _Level | None:
        """The same with every two voxels one, along the axes that are not the thickest already."""
        shape = self.prior.shape[1:]
        finest = min(edge for edge, size in zip(self.spacing, shape, strict=True) if size > 1)
        factors = [2 if size >= 8 and edge < 2 * finest else 1 for size, edge in zip(shape, self.spacing, strict=True)]
        if max(factors) == 1:
            return None

        def pooled(values: Tensor) -> Tensor:
            return F.avg_pool3d(values[None], factors, ceil_mode=True)[0]

        spacing = tuple(edge * factor for edge, factor in zip(self.spacing, factors, strict=True))
        return _Level(pooled(self.image), pooled(self.prior), pooled(self.pull[None])[0], pooled(self.painted), spacing)

    def cut(self, box: tuple[slice, slice, slice]) -> _Level:
        """A part of it, with the whole's measure of a difference."""
        every = (slice(None), *box)
        return _Level(
            self.image[every], self.prior[every], self.pull[box], self.painted[every], self.spacing, self.unit
        )

    @property
    def unit(self) -> float:
        """The mean squared difference between neighbours, which is what counts as one."""
        if self._unit is None:
            parts = self._differences()
            count = sum(part.numel() for part in parts)
            self._unit = sum(float(part.sum()) for part in parts) / max(1, count) + 1e-12
        return self._unit

    def _differences(self) -> list[Tensor]:
        finest = min(self.spacing)
        return [
            self.image.diff(dim=1 + axis).square().sum(0) * (finest / self.spacing[axis]) ** POWER for axis in range(3)
        ]

    def solve(self, start: Tensor, steps: int) -> Steps[Tensor]:
        """Conjugate gradients, each class by itself."""
        finest = min(self.spacing)
        weights = [
            (part.mul_(-EDGE / self.unit).exp_() + LEAST) * (finest / edge) ** POWER
            for part, edge in zip(self._differences(), self.spacing, strict=True)
        ]
        held = self.pull + SEED * self.painted.sum(0)
        diagonal = held.clone()
        for axis, weight in enumerate(weights):
            size = diagonal.shape[axis]
            diagonal.narrow(axis, 0, size - 1).add_(weight)
            diagonal.narrow(axis, 1, size - 1).add_(weight)
        wanted = self.prior * self.pull + SEED * self.painted
        for number in range(len(start)):
            start[number] = _conjugate_gradients(start[number], wanted[number], weights, held, diagonal, steps)
            yield (number + 1) / len(start)
        return start


def _apply(values: Tensor, weights: Sequence[Tensor], held: Tensor) -> Tensor:
    result = held * values
    for axis, weight in enumerate(weights):
        size = values.shape[axis]
        flow = values.diff(dim=axis).mul_(weight)
        result.narrow(axis, 0, size - 1).sub_(flow)
        result.narrow(axis, 1, size - 1).add_(flow)
    return result


def _conjugate_gradients(
    start: Tensor, wanted: Tensor, weights: Sequence[Tensor], held: Tensor, diagonal: Tensor, steps: int
) -> Tensor:
    """With the diagonal for a preconditioner (Shewchuk, "An introduction to the conjugate gradient method", B3)."""
    found = start
    rest = wanted - _apply(found, weights, held)
    scaled = rest / diagonal
    direction = scaled.clone()
    size = torch.dot(rest.flatten(), scaled.flatten())
    first = size
    for _ in range(steps):
        if size <= 1e-10 * first + 1e-20:
            break
        applied = _apply(direction, weights, held)
        step = size / torch.dot(direction.flatten(), applied.flatten()).clamp_min(1e-30)
        found = found + step * direction
        rest.sub_(step * applied)
        scaled = rest / diagonal
        before, size = size, torch.dot(rest.flatten(), scaled.flatten())
        direction.mul_(size / before).add_(scaled)
    return found


def _doubtful(found: Tensor, seeds: Tensor) -> tuple[slice, slice, slice]:
    """The box of what is in doubt or painted."""
    first, second = found.topk(2, dim=0).values
    there = (first - second < CERTAIN) | (seeds > 0)
    box = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        used = there.any(others[1]).any(others[0]).nonzero().flatten()
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        box.append(slice(max(0, low - MARGIN), min(there.shape[axis], high + MARGIN)))
    return box[0], box[1], box[2]
