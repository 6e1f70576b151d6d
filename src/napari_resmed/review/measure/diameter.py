"""The two points of a structure that lie farthest apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["largest_distance", "largest_in_planes"]

# Points looked at together: their distances fill some MB.
_TOGETHER = 256


def largest_distance(points: NDArray[np.float64], at_least: float = 0.0) -> float:
    """The largest distance between two of ``points``, exactly; 0 for a single one.

    Points are taken from the outermost inwards: two whose distances from the middle add up to less than what was found
    need not be looked at, which leaves few of them for any compact shape.

    Parameters
    ----------
    points:
        ``(n, 3)``, mm.
    at_least:
        A distance that is known already; given back where no two lie farther apart.
    """
    if len(points) < 2:
        return at_least
    middle = (points.min(0) + points.max(0)) / 2
    away = np.linalg.norm(points - middle, axis=1)
    order = np.argsort(-away, kind="stable")
    points, away = points[order], away[order]
    best = at_least
    for start in range(0, len(points), _TOGETHER):
        if 2 * away[start] <= best:
            break
        last = int(np.searchsorted(-away, away[start] - best, side="right"))
        if last > start:
            best = max(best, float(cdist(points[start : start + _TOGETHER], points[start:last]).max()))
    return best


def largest_in_planes(points: NDArray[np.float64], planes: NDArray[Any]) -> float:
    """The largest distance between two points that lie in one plane.

    Parameters
    ----------
    points:
        ``(n, 3)``, mm, at least one.
    planes:
        ``(n,)``: the number of each point's plane.
    """
    order = np.argsort(planes, kind="stable")
    points, planes = points[order], planes[order]
    starts = np.flatnonzero(np.r_[True, planes[1:] != planes[:-1]])
    stops = np.r_[starts[1:], len(points)]
    extent = np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)
    most = np.linalg.norm(extent, axis=1)
    best = 0.0
    for plane in np.argsort(-most):
        if most[plane] <= best:
            break
        best = largest_distance(points[starts[plane] : stops[plane]], best)
    return best
