"""From strokes to a class for every voxel: looks and place together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_resmed.nets.voxel_net import AT_A_TIME, VoxelHead
from napari_resmed.scribble.edges import Box, cut_levels, whole_voxels
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
    head = yield from train_head(features, strokes, background, seed)
    coarse = smooth and len(features.levels) > 1 and (not fine or features.image[0].numel() > MANY)
    looks = yield from (_looks_coarsely(features, head) if coarse else _looks(features, head))
    if not smooth:
        return looks, head
    strength = STRENGTH_NO_BACKGROUND
    if background is not None:
        strength = _strength(strokes, background)
        looks.mul_(LOOKS)
        looks[background] += 1 - LOOKS
    found = yield from random_walk(features.levels, looks, strength, *_painted(strokes), fine=fine)
    return found, head


def _strength(strokes: Strokes, background: int) -> float:
    """How often a walker is called away, by how much was painted of a usual structure."""
    class_of = np.zeros(strokes.count, np.int64)
    class_of[strokes.numbers] = strokes.classes
    structures = [number for number in range(len(strokes.values)) if number != background]
    many = float(np.median(np.bincount(class_of, minlength=len(strokes.values))[structures]))
    voxels = float(np.median(np.bincount(strokes.classes, minlength=len(strokes.values))[structures]))
    return STRENGTH * (1 + GROWS * (many - 1)) * min(1.0, voxels / FIRM)


def _looks(features: Features, head: VoxelHead) -> Steps[Tensor]:
    """What the head says of every voxel."""
    depth = features.shape[0]
    looks = torch.empty((head.second.shape[2], *features.shape))
    for start in range(0, depth, ROWS):
        rows = features.responses[:, start : start + ROWS]
        looks[:, start : start + ROWS] = classify(rows, head, features.mean, features.scale)
        yield min(1, (start + ROWS) / depth)
    return looks


def _looks_coarsely(features: Features, head: VoxelHead) -> Steps[Tensor]:
    """What it says of every second voxel along the axes that the walk's second level makes coarser."""
    known = features.coarsely
    looks = torch.empty((head.second.shape[2], len(known)))
    for start in range(0, len(known), AT_A_TIME):
        part = known[start : start + AT_A_TIME].float()
        looks[:, start : start + AT_A_TIME] = head(part).softmax(1).T
        yield min(1, (start + AT_A_TIME) / len(known))
    return looks.reshape(-1, *features.levels[1].shape)


def guess_background(features: Features, strokes: Strokes) -> Steps[int]:
    """The class that most of the image seems to belong to: it fills most of a walk that is told nothing else."""
    classes = len(strokes.values)
    even = torch.full((classes, *features.levels[min(1, len(features.levels) - 1)].shape), 1 / classes)
    found = yield from random_walk(features.levels, even, 1e-4, *_painted(strokes), fine=False)
    return int(found.flatten(1).mean(1).argmax())


def slab_around(features: Features, axis: int, index: int) -> Box:
    """The box of a slice and those beside it."""
    box = [slice(0, size) for size in features.shape]
    box[axis] = slice(max(0, index - SLAB), min(features.shape[axis], index + SLAB + 1))
    return whole_voxels(features.levels, (box[0], box[1], box[2]))


def answer_slab(features: Features, strokes: Strokes, before: Tensor, box: Box) -> Tensor:
    """Probabilities in a slab: what was answered before, changed by the strokes that lie in it.

    Parameters
    ----------
    before:
        ``(class, z, y, x)`` of the slab, the classes those of ``strokes``; 0 for a class that is new.
    box:
        The slab, from :func:`slab_around`.
    """
    places, classes = _painted(strokes)
    low, high = (torch.tensor([getattr(part, end) for part in box]) for end in ("start", "stop"))
    inside = ((places >= low) & (places < high)).all(1)
    levels = cut_levels(features.levels, box)
    return to_end(random_walk(levels, before.float(), STRENGTH_BEFORE, places[inside] - low, classes[inside]))


def _painted(strokes: Strokes) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(strokes.places), torch.from_numpy(strokes.classes)
