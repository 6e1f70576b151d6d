"""Outlines to voxels: which voxel centres a set of closed polygons encloses."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["enclosed"]

Points = NDArray[np.float64]

# A voxel whose centre lies this near to the outline, in voxels, counts as inside. Contours that were traced
# through voxel centres would else lose two of their four sides, and which two by the last printed digit:
# coordinates have two decimals or more, voxels are seldom smaller than half a mm.
ON_OUTLINE = 0.01


def enclosed(polygons: Iterable[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Voxels whose centres lie inside an odd number of polygons, or on an outline.

    A scan line along each row of voxels counts the edges that it crosses. Keyholes, whose channel is walked
    there and back, cancel out; so a polygon within another is a hole (CLOSEDPLANAR_XOR of PS3.3 C.8.8.6.3).

    Parameters
    ----------
    polygons:
        Each ``(n, 2)``: row and column of its corners, in voxels; closed by an edge from the last to the first.
    shape:
        Rows, columns. Parts of polygons may lie outside.
    """
    rows, columns = shape
    # One column more: an edge right of everything turns nothing.
    turns = np.zeros((rows, columns + 1), np.uint8)
    outline = np.zeros(shape, bool)
    for polygon in polygons:
        following = np.roll(polygon, -1, axis=0)
        line, crossed_at = _crossings(polygon, following, rows)
        np.add.at(turns, (line, np.clip(np.ceil(crossed_at), 0, columns).astype(int)), 1)
        steep = np.abs(following - polygon)[:, 0] > np.abs(following - polygon)[:, 1]
        _mark(outline, polygon[steep], following[steep])
        _mark(outline.T, polygon[~steep, ::-1], following[~steep, ::-1])
    return (np.bitwise_xor.accumulate(turns[:, :columns] & 1, axis=1) > 0) | outline


def _crossings(start: Points, end: Points, rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows that edges cross, and the column where each does; an edge owns its upper end, not its lower."""
    low, high = np.minimum(start, end)[:, 0], np.maximum(start, end)[:, 0]
    line, edge = _whole_between(np.ceil(low), np.ceil(high), rows)
    return line, _interpolate(start, end, line, edge)


def _mark(outline: NDArray[np.bool_], start: Points, end: Points) -> None:
    """Mark voxel centres on edges that run more along rows than along columns."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    line, edge = _whole_between(
        np.ceil(low[:, 0] - ON_OUTLINE), np.floor(high[:, 0] + ON_OUTLINE) + 1, outline.shape[0]
    )
    at = np.clip(_interpolate(start, end, line, edge), low[edge, 1], high[edge, 1])
    column = np.rint(at).astype(int)
    on = (np.abs(at - column) < ON_OUTLINE) & (column >= 0) & (column < outline.shape[1])
    outline[line[on], column[on]] = True


def _whole_between(
    first: NDArray[np.float64], end: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole numbers from ``first`` to before ``end`` within ``0..size``, and for each the edge it is of."""
    first, end = np.clip(first, 0, size).astype(int), np.clip(end, 0, size).astype(int)
    counts = np.maximum(end - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - before[edge] + first[edge], edge


def _interpolate(start: Points, end: Points, line: NDArray[np.int64], edge: NDArray[np.int64]) -> NDArray[np.float64]:
    """Column of an edge at a row; of an edge without height, that of its start."""
    height = (end - start)[edge, 0]
    share = np.divide(line - start[edge, 0], height, out=np.zeros(len(edge)), where=height != 0)
    return np.asarray(start[edge, 1] + share * (end - start)[edge, 1])
