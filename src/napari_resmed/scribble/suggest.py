"""Where the answer is in doubt, where a stroke would teach most, and how good the answer is by its own measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_resmed.scribble.answer import answer
from napari_resmed.scribble.edges import pooled
from napari_resmed.scribble.features import Features
from napari_resmed.scribble.steps import Steps
from napari_resmed.scribble.strokes import Strokes
from napari_resmed.scribble.walk import first_two

__all__ = ["HeldOut", "doubt", "held_out", "next_place", "sureness"]

# Radius of the doubt that a stroke settles, and the distance from strokes within which another teaches little, in
# voxel edges of the finest axis.
REACH, CLOSE = 4.0, 8.0
# A walk's probabilities are far too even; to the fourth power they expect the Dice they have (measured on three cases
# after 1, 3 and 10 strokes: within 0.07 of it, in the mean 0.04 off).
# From so many voxels on every second along an axis says as much.
MANY = 500_000
# Every so manieth stroke of a class is held out.
EVERY = 4


@dataclass(frozen=True)
class HeldOut:
    """Strokes that were not learnt from, and how much of them was answered right.

    Parameters
    ----------
    right:
        Mean over the classes of the share of held-out voxels answered right; None where no class has two strokes.
    strokes:
        How many were held out.
    by_class:
        The share by value of the class.
    """

    right: float | None
    strokes: int
    by_class: dict[int, float]


def doubt(probabilities: Tensor) -> Tensor:
    """0 sure .. 1: how near the second class comes to the first, ``(z, y, x)``."""
    first, second = (_sharpened(share) for share in first_two(probabilities))
    unsure: Tensor = (1 - (first - second) / (first + second).clamp_min(1e-12)).clamp_(0, 1)
    return unsure


def sureness(probabilities: Tensor, background: int | None) -> float:
    """The Dice that the answer expects of itself, mean over the classes that are not background, 0..1."""
    if probabilities[0].numel() > MANY:
        z, y, x = (2 if size > 1 else 1 for size in probabilities.shape[1:])
        probabilities = probabilities[:, ::z, ::y, ::x]
    shares = _sharpened(probabilities)
    shares /= shares.sum(0).clamp_min(1e-12)
    most = shares.amax(0)
    figures = []
    for number, share in enumerate(shares):
        there = share == most
        size = float(share.sum()) + int(there.sum())
        if number != background:
            figures.append(2 * float(share[there].sum()) / size if size else 0.0)
    return float(np.mean(figures))


def _sharpened(probabilities: Tensor) -> Tensor:
    return probabilities.square().square_()


def next_place(unsure: Tensor, strokes: Strokes, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """The voxel around which most doubt lies that no stroke is near to; index ``(z, y, x)``."""
    factors = (1, 1, 1)
    if unsure.numel() > MANY:
        sides = zip(unsure.shape, spacing_mm, strict=True)
        z, y, x = (2 if size > 1 and edge < 2 * min(spacing_mm) else 1 for size, edge in sides)
        factors = (z, y, x)
        unsure = pooled(unsure[None], factors)[0]
    finest = min(spacing_mm)
    edges = [edge * factor / finest for edge, factor in zip(spacing_mm, factors, strict=True)]
    around = ndimage.gaussian_filter(unsure.numpy(), [REACH / edge for edge in edges], truncate=2, mode="constant")
    free = np.ones(unsure.shape, bool)
    free[tuple((strokes.places // factors).T)] = False
    away = ndimage.distance_transform_edt(free, edges)
    best = np.unravel_index(int(np.argmax(around * np.minimum(1, away / CLOSE))), around.shape)
    z, y, x = (int(place) * factor for place, factor in zip(best, factors, strict=True))
    return z, y, x


def held_out(features: Features, strokes: Strokes, background: int | None) -> Steps[HeldOut]:
    """Answer once more, coarsely, without a quarter of the strokes, and see what becomes of them.

    People paint where the answer is wrong, so this is a harsher figure than the share of all voxels that are right.
    """
    left_out = np.zeros(strokes.count, bool)
    class_of = np.zeros(strokes.count, np.int64)
    class_of[strokes.numbers] = strokes.classes
    for number in range(len(strokes.values)):
        of_class = np.flatnonzero(class_of == number)
        if len(of_class) > 1:
            left_out[of_class[1::EVERY]] = True
    if not left_out.any():
        return HeldOut(None, 0, {})
    found, _ = yield from answer(features, strokes.keep(~left_out), background, fine=False)
    voxels = left_out[strokes.numbers]
    z, y, x = strokes.places[voxels].T
    said: NDArray[np.int64] = found[:, z, y, x].argmax(0).numpy()
    truth = strokes.classes[voxels]
    by_class = {
        strokes.values[number]: float((said[truth == number] == number).mean()) for number in np.unique(truth).tolist()
    }
    return HeldOut(float(np.mean(list(by_class.values()))), int(left_out.sum()), by_class)
