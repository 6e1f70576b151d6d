"""From strokes to a class for every voxel: looks and place together."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_resmed.nets.voxel_net import VoxelHead
from napari_resmed.scribble.features import Features
from napari_resmed.scribble.head import classify, train_head
from napari_resmed.scribble.strokes import Strokes
from napari_resmed.scribble.walk import random_walk

__all__ = ["answer", "answer_slab", "guess_background", "slab_around"]

# How often a walker is called away per step, to what the head says of the voxel or to the background.
STRENGTH = 0.01
# The same without a background, where being called away means nothing but what the head says.
STRENGTH_NO_BACKGROUND = 0.003
# Share of it that is the head's.
LOOKS = 0.7
# Where only what was answered before is called away to.
STRENGTH_BEFORE = 0.03
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
) -> tuple[Tensor, VoxelHead]:
    """Probability of every class at every voxel of the grid that is worked on, and the head that was fitted.

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
    looks = classify(features, head)
    if not smooth:
        return looks, head
    strength = STRENGTH_NO_BACKGROUND
    if background is not None:
        strength = STRENGTH
        looks.mul_(LOOKS)
        looks[background] += 1 - LOOKS
    seeds = torch.from_numpy(strokes.map(features.shape))
    return random_walk(_edges(features), looks, strength, seeds, features.spacing_mm, fine=fine), head


def guess_background(features: Features, strokes: Strokes) -> int:
    """The class that most of the image seems to belong to: it fills most of a walk that is told nothing else."""
    classes = len(strokes.values)
    even = torch.full((classes, *features.shape), 1 / classes)
    seeds = torch.from_numpy(strokes.map(features.shape))
    found = random_walk(_edges(features), even, 1e-4, seeds, features.spacing_mm, fine=False)
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
        ``(class, z, y, x)`` of the whole grid, the classes those of ``strokes``; 0 for a class that is new.
    box:
        The slab.
    """
    seeds = torch.from_numpy(strokes.map(features.shape))[box]
    prior = before[(slice(None), *box)].float()
    return random_walk(_edges(features, box), prior, STRENGTH_BEFORE, seeds, features.spacing_mm)


def _edges(features: Features, box: tuple[slice, ...] = (slice(None),) * 3) -> Tensor:
    """What holds a walker back: the image, and the same a little smoothed."""
    channels = len(features.image)
    smoothed = features.responses.reshape(channels, -1, *features.shape)[:, 1]
    every = (slice(None), *box)
    return torch.cat([features.image[every], smoothed[every].float()])
