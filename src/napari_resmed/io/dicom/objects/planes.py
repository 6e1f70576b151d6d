"""Where the frames of a segmentation lie: on the grid of an image, or on one of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.geometry import Affine, AxisOrder

__all__ = ["Frames", "Placement", "own_grid", "place_on"]

# How far a frame's corner may lie from the voxel that it stands for, in voxels: positions printed with one
# decimal are off by 0.05 mm, the image's and the frame's, and hardly a slice is thinner than 0.5 mm.
OFF_VOXELS = 0.2
# Frames without any mark are left out of a file. Among the distances that are left, the true one is stated,
# is the smallest, or divides the smallest by one of these.
PARTS = (1, 2, 3, 4)
# More planes than any scanner makes: a position that is out by metres must not ask for all memory.
MOST_PLANES = 5_000


@dataclass(frozen=True)
class Frames:
    """Parallel frames of one size, as a file states them; mm, LPS ``(x, y, z)``.

    Parameters
    ----------
    positions:
        ``(n, 3)``: the centre of each frame's first pixel.
    row, column:
        Unit directions in which the column index and the row index grow, as in ImageOrientationPatient.
    spacing_mm:
        Between rows, between columns.
    shape:
        Rows, columns.
    gap_mm:
        From plane to plane, where it is stated; else 0.
    """

    positions: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    gap_mm: float = 0.0

    @property
    def steps(self) -> NDArray[np.float64]:
        """``(3, 2)``: from one row to the next, from one column to the next."""
        return np.stack([self.column * self.spacing_mm[0], self.row * self.spacing_mm[1]], axis=1)


@dataclass(frozen=True)
class Placement:
    """A grid, and where in it each frame goes.

    Parameters
    ----------
    affine, shape:
        Of the grid, ``(z, y, x)``.
    order:
        How to turn the grid's axes so that they run as planes, rows and columns of the frames.
    planes:
        The plane of each frame, in that order.
    corner:
        Row and column in the plane of every frame's first pixel.
    """

    affine: Affine
    shape: tuple[int, int, int]
    order: AxisOrder
    planes: tuple[int, ...]
    corner: tuple[int, int] = (0, 0)

    @property
    def turned_shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns of the grid."""
        planes, rows, columns = (self.shape[axis] for axis in self.order.axes)
        return planes, rows, columns

    def to_grid(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of planes, rows and columns in the grid's own order."""
        return np.ascontiguousarray(self.order.undo(array))


def place_on(frames: Frames, affine: Affine, shape: tuple[int, int, int]) -> Placement | None:
    """Find the voxels of an image's grid that the frames' pixels are; None where they are none.

    Frames may be turned, flipped, cut to a part of the image, or run along another of its axes; their pixels
    have to be voxels of it.
    """
    inverse = np.linalg.inv(affine)
    steps = inverse[:3, :3] @ frames.steps
    axes = np.abs(steps).argmax(axis=0)
    if axes[0] == axes[1]:
        return None
    starts = frames.positions @ inverse[:3, :3].T + inverse[:3, 3]
    whole_steps, whole_starts = np.rint(steps), np.rint(starts)
    if not np.array_equal(np.abs(whole_steps), np.eye(3)[axes].T):
        return None
    rows, columns = frames.shape
    for corner in ((0, 0), (rows - 1, 0), (0, columns - 1), (rows - 1, columns - 1)):
        off = starts - whole_starts + (steps - whole_steps) @ corner
        if np.abs(off).max() > OFF_VOXELS:
            return None
    across = 3 - int(axes[0]) - int(axes[1])
    flipped = whole_steps[axes, [0, 1]] < 0
    order = AxisOrder((across, int(axes[0]), int(axes[1])), (False, bool(flipped[0]), bool(flipped[1])))
    starts_in_plane = whole_starts[:, axes].astype(int)
    if (starts_in_plane != starts_in_plane[0]).any():
        return None
    sizes = np.array(shape)[axes]
    corner_in_plane = np.where(flipped, sizes - 1 - starts_in_plane[0], starts_in_plane[0])
    planes = whole_starts[:, across].astype(int)
    outside = (corner_in_plane < 0).any() or (corner_in_plane + frames.shape > sizes).any()
    if outside or planes.min() < 0 or planes.max() >= shape[across]:
        return None
    return Placement(affine, shape, order, tuple(planes.tolist()), (int(corner_in_plane[0]), int(corner_in_plane[1])))


def own_grid(frames: Frames) -> Placement:
    """The grid that the frames form by themselves, from the lowest to the highest along their normal.

    Raises
    ------
    InputError
        If they do not lie at whole multiples of one step along a straight line.
    """
    normal = np.cross(frames.row, frames.column)
    normal /= np.linalg.norm(normal)
    heights = frames.positions @ normal
    order = np.argsort(heights, kind="stable")
    first, last = frames.positions[order[0]], frames.positions[order[-1]]
    gaps = np.diff(heights[order])
    # Frames of several segments share a plane: they are as good as printed alike.
    real = gaps[gaps > max(1e-3, gaps.max(initial=0.0) * 1e-4)]
    if not len(real):
        step = normal * (frames.gap_mm or 1.0)
        planes = np.zeros(len(heights), int)
    else:
        planes, step = _even(frames, heights, real, first, last)
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, frames.steps, first])
    shape = (int(planes.max()) + 1, *frames.shape)
    return Placement(affine, shape, AxisOrder((0, 1, 2), (False, False, False)), tuple(planes.tolist()))


def _even(
    frames: Frames,
    heights: NDArray[np.float64],
    gaps: NDArray[np.float64],
    first: NDArray[np.float64],
    last: NDArray[np.float64],
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Number every frame's plane, and give the step from plane to plane."""
    total = float(heights.max() - heights.min())
    for gap in (frames.gap_mm, *(float(gaps.min()) / part for part in PARTS)):
        if gap <= 0 or total / gap > MOST_PLANES:
            continue
        count = round(total / gap)
        if count < 1:
            continue
        step = (last - first) / count
        planes = np.rint((heights - heights.min()) * count / total).astype(int)
        off = np.linalg.norm(frames.positions - first - planes[:, None] * step, axis=1)
        if off.max() < OFF_VOXELS * min(total / count, *frames.spacing_mm):
            return planes, step
    raise InputError(
        f"the frames lie {gaps.min():.4g} to {gaps.max():.4g} mm apart, expected whole multiples of one distance "
        "along a straight line; put the image series that was segmented into the same folder"
    )
