"""From strokes to a class for every voxel: looks and place together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.nets.voxel_net import VoxelHead
from napari_resmed.scribble.features import Features
from napari_resmed.scribble.head import classify, train_head
from napari_resmed.scribble.steps import Steps, to_end
from napari_resmed.scribble.strokes import Strokes
from napari_resmed.scribble.walk import random_walk

__all__ = ["answer", "answer_slab", "guess_background", "slab_around"]

# How often a walker is called away per step, to what the head says of the voxel or to the background.
STRENGTH = 0.01
# The same without a background, where being called away means nothing but what the head says.
STRENGTH_NO_BACKGROUND = 0.003
# Share of it that is the head's.
LOOKS = 0.5
# How much it grows with every further stroke a structure, for more is known then.
GROWS = 0.2
# Painted voxels a structure from which on the strength counts in full: a smaller stroke holds no ground against it.
FIRM = 40
# Where only what was answered before is called away to.
STRENGTH_BEFORE = 0.03
# Rows that the head answers at a time.
ROWS = 16
# From so many voxels on the head answers every second along an axis: the walk makes the edges, and it saves most of a
# second (measured: mean Dice 0.010 less after one stroke a class, the same after ten).
MANY = 1_000_000
# Slices on either side of the one that is answered first.
SLAB = 5


def answer(
    features: Features,
    strokes: Strokes,
    background: int | None,
    *,
    smooth: bool = True,
    fine: bool = True,
    seed: int = 0,
) -> Steps[tuple[Tensor, VoxelHead]]:
    """Probability of every class at every voxel of the grid that is worked on, and the head that was fitted; in steps.

    Parameters
    ----------
    features, strokes:
        On the same grid; at least two classes.
    background:
        Number of the class that most of the image belongs to; None where there is none.
    smooth:
        Whether the random walk follows; without it the looks of a voxel alone decide.
    fine:
        Whether the walk is solved at full resolution.
    seed:
        Of the head.

    Returns
    -------
    Tensor, VoxelHead
        float32 ``(class, z, y, x)``.
    """
    head = train_head(features, strokes, background, seed)
    yield 0.2
    looks = yield from _looks(features, head, thin=smooth and (not fine or features.image[0].numel() > MANY))
    if not smooth:
        return looks, head
    strength = STRENGTH_NO_BACKGROUND
    if background is not None:
        strength = _strength(strokes, background)
        looks.mul_(LOOKS)
        looks[background] += 1 - LOOKS
    seeds = torch.from_numpy(strokes.map(features.shape))
    found = yield from random_walk(_edges(features), looks, strength, seeds, features.spacing_mm, fine=fine)
    return found, head


def _strength(strokes: Strokes, background: int) -> float:
    """How often a walker is called away, by how much was painted of a usual structure."""
    class_of = np.zeros(strokes.count, np.int64)
    class_of[strokes.numbers] = strokes.classes
    structures = [number for number in range(len(strokes.values)) if number != background]
    many = float(np.median(np.bincount(class_of, minlength=len(strokes.values))[structures]))
    voxels = float(np.median(np.bincount(strokes.classes, minlength=len(strokes.values))[structures]))
    return STRENGTH * (1 + GROWS * (many - 1)) * min(1.0, voxels / FIRM)


def _looks(features: Features, head: VoxelHead, thin: bool) -> Steps[Tensor]:
    """What the head says of every voxel; where ``thin``, of every second but across thick slices, and interpolated."""
    finest = min(features.spacing_mm)
    z, y, x = (2 if thin and edge < 2 * finest else 1 for edge in features.spacing_mm)
    thinned = features.responses[:, ::z, ::y, ::x]
    depth = thinned.shape[1]
    classes = head.second.shape[2]
    looks = torch.empty((classes, *thinned.shape[1:]))
    for start in range(0, depth, ROWS):
        rows = thinned[:, start : start + ROWS]
        looks[:, start : start + ROWS] = classify(rows, head, features.mean, features.scale)
        yield 0.2 + 0.3 * min(1, (start + ROWS) / depth)
    if thin:
        looks = F.interpolate(looks[None], features.shape, mode="trilinear", align_corners=False)[0]
    return looks


def guess_background(features: Features, strokes: Strokes) -> Steps[int]:
    """The class that most of the image seems to belong to: it fills most of a walk that is told nothing else."""
    classes = len(strokes.values)
    even = torch.full((classes, *features.shape), 1 / classes)
    seeds = torch.from_numpy(strokes.map(features.shape))
    found = yield from random_walk(_edges(features), even, 1e-4, seeds, features.spacing_mm, fine=False)
    return int(found.flatten(1).mean(1).argmax())


def slab_around(shape: tuple[int, int, int], axis: int, index: int) -> tuple[slice, slice, slice]:
    """The box of a slice and those beside it."""
    box = [slice(0, size) for size in shape]
    box[axis] = slice(max(0, index - SLAB), min(shape[axis], index + SLAB + 1))
    return box[0], box[1], box[2]


def answer_slab(features: Features, strokes: Strokes, before: Tensor, box: tuple[slice, slice, slice]) -> Tensor:
    """Probabilities in a slab: what was answered before, changed by the strokes that lie in it.

    Parameters
    ----------
    before:
        ``(class, z, y, x)`` of the slab, the classes those of ``strokes``; 0 for a class that is new.
    box:
        The slab.
    """
    seeds = torch.from_numpy(strokes.map(features.shape))[box]
    prior = before.float()
    return to_end(random_walk(_edges(features, box), prior, STRENGTH_BEFORE, seeds, features.spacing_mm))


def _edges(features: Features, box: tuple[slice, ...] = (slice(None),) * 3) -> Tensor:
    """What holds a walker back: the image, and the same a little smoothed."""
    channels = len(features.image)
    smoothed = features.responses.reshape(channels, -1, *features.shape)[:, 1]
    every = (slice(None), *box)
    return torch.cat([features.image[every], smoothed[every].float()])
