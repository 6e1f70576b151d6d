"""Random walks over an image, which edges hold back: strokes reach as far as the tissue they were painted on.

Every voxel asks: a walker that starts here, prefers like neighbours and is now and then called away, where does it end?
Grady, "Random walks for image segmentation", PAMI 2006, and with "called away" as a prior of every voxel, "Multilabel
random walker image segmentation using prior models", CVPR 2005. Solved from coarse to fine, each level beginning with
the one before; the finest, class by class, only where the coarser ones leave a doubt about it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_resmed.scribble.edges import Box, Level, pooled, upsampled
from napari_resmed.scribble.steps import Steps

__all__ = ["first_two", "random_walk"]

# How firmly a painted voxel keeps its class.
SEED = 1e3
# Steps of conjugate gradients, from the coarsest level to the finest.
STEPS = (80, 40, 25, 12)
# Where a coarse answer's first class leads the second by so much it is not looked at again.
CERTAIN = 0.6
# Nor is a class that has less than this share of the first one's probability.
NO_CHANCE = 0.1
# Voxels of the coarser level kept around what is looked at again.
MARGIN = 2


def random_walk(
    levels: Sequence[Level], prior: Tensor, strength: float, places: Tensor, classes: Tensor, fine: bool = True
) -> Steps[Tensor]:
    """Probability of every class at every voxel, float32 ``(class, z, y, x)``; in steps.

    Parameters
    ----------
    levels:
        Of the image, the finest first.
    prior:
        float32 ``(class, z, y, x)``, of sum 1; on the finest level, or on the one after it.
    strength:
        How often a walker is called away to the prior, per step.
    places, classes:
        What is painted: ``(n, 3)`` int64 index ``(z, y, x)``, and ``(n,)`` the number of its class.
    fine:
        Whether the finest level is solved; without it the answer is an eighth as costly, and blurred.
    """
    priors = [prior] if prior.shape[1:] == levels[0].shape else [prior, prior]
    for level in levels[len(priors) :]:
        priors.append(pooled(priors[-1], level.factors))
    seeds = [_Seeds(levels, number, places, classes) for number in range(len(levels))]
    # The probabilities are of sum 1: the class that most belongs to is not solved for, it is what the others leave.
    rest = int(priors[-1].flatten(1).mean(1).argmax())
    others = [number for number in range(len(prior)) if number != rest]
    found = priors[-1].clone()
    for number in range(len(levels) - 1, -1, -1):
        level, steps = levels[number], STEPS[len(levels) - 1 - number]
        finest = number == 0 and len(levels) > 1
        if finest:
            boxes = _doubtful(found, seeds[1], levels[1].factors, level.shape) if fine else {}
        else:
            boxes = dict.fromkeys(others, _whole(level.shape))
        if number < len(levels) - 1:
            found = upsampled(found, levels[number + 1].factors, _whole(level.shape)).contiguous()
        if any(one in boxes for one in others):
            equations = _Equations(level, seeds[number], strength)
            for done, one in enumerate(others):
                if one in boxes:
                    box = boxes[one]
                    wide = _grown(box, level.shape)
                    if prior.shape[1:] == level.shape or number:
                        wanted = priors[number][(one, *wide)]
                    else:
                        wanted = upsampled(prior[one, None], levels[1].factors, wide)[0]
                    found[(one, *box)] = equations.solve(found[(one, *wide)], wanted, one, box, wide, steps)
                yield (done + 1) / len(others)
        left = found[rest].fill_(1)
        for one in others:
            left -= found[one].clamp_(0, 1)
        left.clamp_(0, 1)
    return found


def first_two(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest and the second of ``(class, ...)``; a fifth of the time of ``topk``."""
    first, second = torch.maximum(probabilities[0], probabilities[1]), torch.minimum(probabilities[0], probabilities[1])
    for share in probabilities[2:]:
        second = torch.maximum(second, torch.minimum(first, share))
        first = torch.maximum(first, share)
    return first, second


class _Seeds:
    """Painted voxels on one level: which hold paint, and the share of each class there."""

    def __init__(self, levels: Sequence[Level], number: int, places: Tensor, classes: Tensor) -> None:
        size = torch.ones(3, dtype=torch.int64)
        for level in levels[: number + 1]:
            size *= torch.tensor(level.factors)
        self.places = places // size
        self.classes = classes
        self.share = 1.0 / float(size.prod())

    def held(self, shape: Sequence[int]) -> Tensor:
        """The share of every voxel that is painted."""
        return self._sum(torch.zeros(tuple(shape)), self.places)

    def of(self, number: int, box: Box) -> Tensor:
        """The share of every voxel of a box that is painted in a class."""
        low = torch.tensor([part.start for part in box])
        shape = torch.tensor([part.stop - part.start for part in box])
        mine = self.places[self.classes == number] - low
        inside = ((mine >= 0) & (mine < shape)).all(1)
        return self._sum(torch.zeros(tuple(shape.tolist())), mine[inside])

    def _sum(self, map_: Tensor, places: Tensor) -> Tensor:
        return map_.index_put_(tuple(places.T), torch.tensor(self.share), accumulate=True)


class _Equations:
    """The walk's equations on one level, each divided by its diagonal's root and times it: the diagonal is one then."""

    def __init__(self, level: Level, seeds: _Seeds, strength: float) -> None:
        self._seeds, self._strength = seeds, strength
        diagonal = seeds.held(level.shape).mul_(SEED).add_(strength)
        for axis, flow in enumerate(level.flows):
            size = diagonal.shape[axis] - 1
            diagonal += flow
            diagonal.narrow(axis, 1, size).add_(flow.narrow(axis, 0, size))
        self._root = diagonal.rsqrt_()
        self._links = level.flows * self._root
        for axis, link in enumerate(self._links):
            size = link.shape[axis] - 1
            link.narrow(axis, 0, size).mul_(self._root.narrow(axis, 1, size))

    def solve(self, start: Tensor, prior: Tensor, number: int, box: Box, wide: Box, steps: int) -> Tensor:
        """A class in a box, held to what it was around it.

        Parameters
        ----------
        start, prior:
            ``(z, y, x)`` of ``wide``, the box with a voxel around it.
        """
        root = self._root[wide]
        wanted = self._seeds.of(number, wide).mul_(SEED).add_(prior, alpha=self._strength).mul_(root)
        rest = wanted.sub_(_Links(self._links, wide).times((start / root).flatten()).view(wanted.shape))
        z, y, x = (
            slice(part.start - outer.start, part.stop - outer.start) for part, outer in zip(box, wide, strict=True)
        )
        change = _conjugate_gradients(_Links(self._links, box), rest[z, y, x].flatten(), steps)
        return change.view(rest[z, y, x].shape).mul_(root[z, y, x]).add_(start[z, y, x])


class _Links:
    """What leads from voxel to voxel within a box, row after row: along every axis a neighbour is so many voxels on."""

    def __init__(self, links: Tensor, box: Box) -> None:
        part = links[(slice(None), *box)]
        self._links = []
        steps = (part.shape[2] * part.shape[3], part.shape[3], 1)
        for axis, step in enumerate(steps):
            if part.shape[1 + axis] > 1:
                link = part[axis].clone()
                link.narrow(axis, link.shape[axis] - 1, 1).zero_()
                self._links.append((step, link.flatten()[:-step]))

    def times(self, values: Tensor) -> Tensor:
        """The left side of the equations for ``(n,)`` values."""
        result = values.clone()
        for step, link in self._links:
            result[:-step].addcmul_(link, values[step:], value=-1)
            result[step:].addcmul_(link, values[:-step], value=-1)
        return result


def _conjugate_gradients(links: _Links, rest: Tensor, steps: int) -> Tensor:
    """What the solution lacks (Shewchuk, "An introduction to the conjugate gradient method", B2)."""
    found = torch.zeros_like(rest)
    direction = rest.clone()
    size = first = float(torch.dot(rest, rest))
    for _ in range(steps):
        if size <= 1e-10 * first + 1e-20:
            break
        applied = links.times(direction)
        step = size / max(1e-30, float(torch.dot(direction, applied)))
        found.add_(direction, alpha=step)
        rest.sub_(applied, alpha=step)
        before, size = size, float(torch.dot(rest, rest))
        direction.mul_(size / before).add_(rest)
    return found


def _whole(shape: Sequence[int]) -> Box:
    z, y, x = shape
    return slice(0, z), slice(0, y), slice(0, x)


def _grown(box: Box, shape: Sequence[int]) -> Box:
    z, y, x = (slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(box, shape, strict=True))
    return z, y, x


def _doubtful(found: Tensor, seeds: _Seeds, factors: Sequence[int], shape: Sequence[int]) -> dict[int, Box]:
    """For every class the box, on the finer level, where it is in doubt or painted; none where it is not."""
    first, second = first_two(found)
    torn = first - second < CERTAIN
    boxes = {}
    for number, share in enumerate(found):
        there = torn & (share > NO_CHANCE * first)
        there[tuple(seeds.places[seeds.classes == number].T)] = True
        box = []
        for axis, factor in enumerate(factors):
            across = [other for other in range(3) if other != axis]
            used = there.any(across[1]).any(across[0]).nonzero().flatten()
            if len(used):
                low, high = max(0, int(used[0]) - MARGIN), int(used[-1]) + 1 + MARGIN
                box.append(slice(low * factor, min(shape[axis], high * factor)))
        if box:
            boxes[number] = (box[0], box[1], box[2])
    return boxes
