"""Which slice of an image speaks most for a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["strongest_slices"]

# Slices that hold the same but for rounding: what a coarse layer sees as one.
ROUNDING = 1e-5


def strongest_slices(heat: NDArray[np.float32]) -> list[tuple[int, float]]:
    """For every axis the slice that holds most of the heat, and its share of all.

    Parameters
    ----------
    heat:
        ``([t,] z, y, x)``, none negative.

    Returns
    -------
    list
        Index and share, along [t,] z, y and x; the middle one where several hold as much. Empty where there is no heat.
    """
    total = float(heat.sum(dtype=np.float64))
    if total <= 0:
        return []
    found = []
    for axis in range(heat.ndim):
        line = heat.sum(axis=tuple(other for other in range(heat.ndim) if other != axis), dtype=np.float64)
        alike = np.flatnonzero(line >= line.max() * (1 - ROUNDING))
        index = int(alike[len(alike) // 2])
        found.append((index, float(line[index]) / total))
    return found
