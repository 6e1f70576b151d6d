"""A coarse look at a whole image: which part of it a model has to answer."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_resmed.models.model import Model
from napari_resmed.models.one_window import OneWindow
from napari_resmed.nets.size import edge_multiples
from napari_resmed.predict.backends import choose_backend
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.memory_plan import plan_memory
from napari_resmed.predict.pieces import box_of_pieces
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.windows import Windows, whole_window
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.volume import Volume

__all__ = ["cut_through", "where_to_answer"]

# Less than this share of a side is no structure cut off: fluid goes on down the spine.
CUT_THROUGH = 0.02
# The coarse window is no smaller: so much of a head a network needs to see.
LEAST_EDGE = 64


def where_to_answer(
    image: Volume, grid: Grid, model: Model, wishes: OneWindow, machine: Machine, free: tuple[int, int]
) -> Generator[tuple[int, int], None, tuple[Grid, Model]]:
    """The part of an image that the model answers, and the model with the one window that holds it.

    Parameters
    ----------
    image:
        As it came.
    grid:
        The model's on the image.
    model, wishes:
        What answers, and what it says of its one window.
    machine:
        Where the network runs.
    free:
        Bytes that are free for the network and for the program, as of
        :func:`napari_resmed.predict.memory_plan.free_bytes`.

    Yields
    ------
    done, total
        Windows of the look.

    Returns
    -------
    Grid, Model
        The grid as it was, where the first look finds nothing; the model as it was, where one window does not hold the
        part.

    Raises
    ------
    InputError
        If the look does not fit into memory in any way, or the image cannot be used.
    """
    multiples = edge_multiples(model.network, model.arguments)
    spacing = [mm / step for mm, step in zip(model.preparation.spacing_mm, grid.step, strict=True)]
    preparation = replace(model.preparation, spacing_mm=(wishes.look_mm,) * 3)
    coarse = Grid.of(image, preparation)
    a, b, c = (
        min(edge, -(-LEAST_EDGE // multiple) * multiple) for edge, multiple in zip(model.patch, multiples, strict=True)
    )
    looking = replace(model, patch=whole_window(coarse.shape, (a, b, c), multiples, wishes.voxels))
    usual = Windows(looking.patch, model.overlap)
    plan = plan_memory(looking, coarse.shape, coarse.source_shape, machine, usual, free)
    runners = [
        choose_backend(looking, machine, plan.windows.patch, 1, "torch", member, plan.in_parts)
        for member in range(model.members)
    ]
    ready, _ = prepare(image, preparation, coarse)
    steps = slide(
        ready,
        [runner.network for runner in runners],
        machine,
        plan.windows,
        classes=len(model.values),
        background_classes=model.background_classes,
        belt_on_device=plan.belt_on_device,
    )
    counting = torch.tensor([k for k, value in enumerate(model.values) if k and value not in wishes.passed_over])
    found = torch.zeros(coarse.shape, dtype=torch.bool)
    for step in steps:
        if isinstance(step, Rows):
            classes = step.scores.argmax(0).cpu()
            found[step.start : step.start + len(classes)] = torch.isin(classes, counting)
        elif not isinstance(step, Windows):
            yield step
    there = box_of_pieces(found.numpy())
    if there is not None:
        z, y, x = (
            slice(
                max(0, math.floor(along.start * step - wishes.margin_mm / mm)),
                min(size, math.ceil(along.stop * step + wishes.margin_mm / mm)),
            )
            for along, step, mm, size in zip(there, coarse.step, spacing, grid.source_shape, strict=True)
        )
        grid = grid.within((z, y, x))
    return grid, replace(model, patch=whole_window(grid.shape, model.patch, multiples, wishes.voxels))


def cut_through(found: NDArray[np.integer], grid: Grid, whole: Grid, wishes: OneWindow) -> bool:
    """Whether labels ``(z, y, x)`` of a part of a grid reach widely over a side at which the whole grid goes on."""
    nothing = (0, *wishes.passed_over)
    part = grid.take(found)
    sides = [
        part.take(end, axis)
        for axis, (within, along) in enumerate(zip(grid.box, whole.box, strict=True))
        for end, goes_on in ((0, within.start > along.start), (-1, within.stop < along.stop))
        if goes_on
    ]
    return any(np.isin(side, nothing, invert=True).mean() > CUT_THROUGH for side in sides)
