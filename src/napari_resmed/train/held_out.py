"""How good a network is on cases it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_resmed.models.cleanup import Cleanup
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.certainty import Certainty
from napari_resmed.predict.cleanup import clean_up
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.windows import Windows
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.loss import merge_unknown
from napari_resmed.train.store import Prepared

__all__ = ["WATCHED", "Look", "case_dice", "dice_per_case", "known_box", "look_at", "mean_dice"]

# Held-out cases that are looked at while training; all are at its end.
WATCHED = 8
# Percentiles of a slice that are shown black and white.
SHOWN = (0.5, 99.5)


@dataclass(frozen=True, eq=False)
class Look:
    """One slice of a held-out case, as the network sees it now.

    Parameters
    ----------
    case:
        Its name.
    image:
        float32 ``(y, x)`` in 0..1, first channel, on the network's grid.
    truth, answer:
        Classes ``(y, x)``; the truth is :data:`UNKNOWN` where nothing is known.
    spacing_mm:
        Pixel edges ``(y, x)``.
    """

    case: str
    image: NDArray[np.float32]
    truth: NDArray[np.int16]
    answer: NDArray[np.int16]
    spacing_mm: tuple[float, float]


def dice_per_case(
    network: nn.Module,
    cases: Sequence[Callable[[], Prepared]],
    machine: Machine,
    patch: tuple[int, int, int],
    background_classes: int = 1,
    cleanup: Mapping[int, Cleanup] = MappingProxyType({}),
    voxel_mm3: float = 1.0,
) -> Generator[tuple[int, NDArray[np.int16], Prepared, float | None] | None, None, list[list[float | None]]]:
    """Dice of every structure in every case; None where it does not occur or nobody looked for it.

    Parameters
    ----------
    network, machine, patch, background_classes:
        As of :func:`napari_resmed.predict.sliding_window.slide`.
    cases:
        What loads each.
    cleanup:
        What is done to the answer of each class, from 1, before it is judged; not where only a part of an image is
        known, and nobody can say what is one piece.
    voxel_mm3:
        Volume of a voxel.

    Yields
    ------
    None or (number, answer, case, certainty)
        None between two windows; after each case its number, its classes ``(z, y, x)``, itself, and how sure the
        network is of them: see :class:`napari_resmed.predict.certainty.Certainty`.
    """
    rows = []
    for number, load in enumerate(cases):
        case = load()
        box = known_box(case.target, patch)
        image = torch.from_numpy(case.image[(slice(None), *box)].astype(np.float32))
        classes = len(case.annotated)
        annotated = torch.from_numpy(case.annotated)[None]
        answer = np.zeros(case.target.shape, np.int16)
        inside = answer[box]
        certainty = Certainty()
        for step in slide(
            image, [network], machine, Windows(patch), classes=classes, background_classes=background_classes
        ):
            if isinstance(step, Rows):
                scores = merge_unknown(step.scores[None], annotated)[0]
                inside[step.start : step.start + scores.shape[1]] = scores.argmax(0).numpy()
                certainty.add(scores)
            else:
                yield None
        if not (case.target == UNKNOWN).any():
            clean_up(answer, cleanup, voxel_mm3)
        rows.append(case_dice(answer, case))
        yield number, answer, case, certainty.mean
    return rows


def case_dice(answer: NDArray[Any], case: Prepared) -> list[float | None]:
    """Dice of every structure of a case, over its known voxels and those assumed to be background."""
    known = case.target != UNKNOWN
    row: list[float | None] = []
    for number in range(1, len(case.annotated)):
        truth = case.target == number
        size = int(truth.sum())
        if not size or not case.annotated[number]:
            row.append(None)
            continue
        found = (answer == number) & known
        row.append(2 * int((found & truth).sum()) / (size + int(found.sum())))
    return row


def mean_dice(rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Mean over the cases in which each structure occurs; None where it occurs in none."""
    means: list[float | None] = []
    for column in zip(*rows, strict=True):
        values = [value for value in column if value is not None]
        means.append(sum(values) / len(values) if values else None)
    return means


def look_at(name: str, answer: NDArray[np.int16], case: Prepared, spacing_mm: Sequence[float]) -> Look:
    """The slice of a case across z that holds the most of its structures."""
    truth = case.target
    z = int(np.argmax((truth > 0).sum((1, 2))))
    image = case.image[0, z].astype(np.float32)
    if image.min() < 0 or image.max() > 1:  # as models of other programs take it
        low, high = np.percentile(image, SHOWN)
        image = ((image - low) / max(1e-6, high - low)).clip(0, 1).astype(np.float32)
    return Look(
        name,
        image,
        np.maximum(truth[z], UNKNOWN).astype(np.int16),
        answer[z],
        (float(spacing_mm[1]), float(spacing_mm[2])),
    )


def known_box(target: NDArray[Any], patch: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    """What has to be predicted: the known voxels, with half a window around them to see them in place."""
    known = target >= 0
    box = []
    for axis in range(3):
        here = np.flatnonzero(known.any(axis=tuple(k for k in range(3) if k != axis)))
        first, last = (int(here[0]), int(here[-1])) if len(here) else (0, target.shape[axis] - 1)
        margin = patch[axis] // 4
        start, stop = max(0, first - margin), min(target.shape[axis], last + 1 + margin)
        short = min(patch[axis], target.shape[axis]) - (stop - start)
        if short > 0:  # never less than a window: the network was trained on whole ones
            start = max(0, min(start - short // 2, target.shape[axis] - patch[axis]))
            stop = min(target.shape[axis], start + patch[axis])
        box.append(slice(start, stop))
    return box[0], box[1], box[2]
