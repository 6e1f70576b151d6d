"""How unsure a model was of a whole case, as one figure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.volume import Volume

__all__ = ["case_uncertainty"]

# How far around the structures is looked: where their border might as well have been.
MARGIN_MM = 3.0
# A model that found nothing has either missed everything or is right: the first is worth a look.
NOTHING_FOUND = 1.0


def case_uncertainty(entropy: Volume, labels: Volume) -> float:
    """Mean entropy inside the structures and within 3 mm of them.

    The mean over the whole image would measure how much of it is structure, for far from any a model is always sure.

    Parameters
    ----------
    entropy:
        0 (sure) to 1 for every voxel, ``(z, y, x)``.
    labels:
        What the model found, on the same grid.

    Returns
    -------
    float
        0 to 1; 1 where nothing was found.
    """
    near = _widened(np.asarray(labels.data) != 0, labels.spacing_mm)
    if not near.any():
        return NOTHING_FOUND
    return float(np.clip(np.asarray(entropy.data)[near].mean(dtype=np.float64), 0, 1))


def _widened(mask: NDArray[Any], spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """The mask grown by the margin along every axis: a box, which is near enough for a mean."""
    for axis, spacing in enumerate(spacing_mm):
        grown = mask.copy()
        for step in range(1, min(math.floor(MARGIN_MM / spacing), mask.shape[axis] - 1) + 1):
            head = tuple(slice(step, None) if one == axis else slice(None) for one in range(3))
            tail = tuple(slice(None, -step) if one == axis else slice(None) for one in range(3))
            grown[head] |= mask[tail]
            grown[tail] |= mask[head]
        mask = grown
    return mask
