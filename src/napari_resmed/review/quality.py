"""A look at an image before what a network says of it is trusted.

A few figures of every image, compared with the range they had over the training images; none is good or bad by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GOOD", "image_figures", "judge_image", "usual_ranges"]

GOOD = "good"
# What lies outside of these percentiles of the training images, by more than the distance between them times the
# margin, is unusual.
PERCENTILES = (1.0, 99.0)
MARGIN = 0.5
# A range is never taken for narrower than this: images of one source can be alike to a hair.
LEAST_WIDTH = 0.02
# Voxels within this of the upper end of the range count as overexposed.
NEAR_THE_END = 1e-3

_WORDS = {
    "brightness": ("darker than the training images", "brighter than the training images"),
    "contrast": ("less contrast than the training images", "more contrast than the training images"),
    "sharpness": ("blurred", "noisy"),
    "overexposed": ("", "overexposed or clipped"),
    "empty": ("", "largely empty"),
}


def image_figures(image: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Figures of a prepared image ``(c, z, y, x)`` in 0..1."""
    values = np.asarray(image, np.float32)
    axes = [axis for axis in (-1, -2) if values.shape[axis] > 2]
    once = [np.diff(values, axis=axis).std() for axis in axes]
    twice = [np.diff(values, 2, axis).std() for axis in axes]
    return {
        "brightness": float(values.mean()),
        "contrast": float(values.std()),
        # How much of what changes from voxel to voxel changes back at the next: little in a blurred image, nearly all
        # in noise; whatever the contrast.
        "sharpness": float(sum(twice) / sum(once)) if sum(once) > 0 else 0.0,
        "overexposed": float((values > 1 - NEAR_THE_END).mean()),
        "empty": float((values == 0).mean()),
    }


def usual_ranges(figures: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The range of every figure over the training images, widened by a margin."""
    ranges = {}
    for name in figures[0] if figures else ():
        low, high = np.percentile([of[name] for of in figures], PERCENTILES)
        wide = MARGIN * max(float(high - low), LEAST_WIDTH)
        ranges[name] = (round(float(low) - wide, 5), round(float(high) + wide, 5))
    return ranges


def judge_image(figures: Mapping[str, float], ranges: Mapping[str, Sequence[float]]) -> str:
    """What is unusual, in words; :data:`GOOD` where nothing is."""
    said = []
    for name, (low_words, high_words) in _WORDS.items():
        if name not in ranges or name not in figures:
            continue
        low, high = ranges[name]
        if figures[name] < low and low_words:
            said.append(low_words)
        if figures[name] > high and high_words:
            said.append(high_words)
    return "; ".join(said) or GOOD
