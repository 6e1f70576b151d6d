"""Where voxels lie in the patient.

An affine here is 4x4 and takes an index in array order ``(z, y, x)`` to patient coordinates ``(x, y, z)``
in mm, LPS: x grows to the patient's Left, y to Posterior, z to Superior, as in DICOM and ITK.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_resmed.errors import InputError

__all__ = [
    "Affine",
    "AxisOrder",
    "canonical_order",
    "check_affine",
    "compose",
    "corners",
    "orientation",
    "ras_to_lps",
    "same_place",
    "shear_cosine",
    "snap",
    "spacing",
    "tilt_degrees",
]

Affine = NDArray[np.float64]

# Two grids are the same place when no corner moves by more than this: far under what a scanner or a
# person can tell, far over float32 rounding of an origin of some hundred mm.
SAME_PLACE_MM = 1e-3
# Header noise: float32 direction cosines are off by up to 1e-7; files written through quaternions or with
# six printed digits by up to 1e-5. Cosines nearer than this to -1, 0 or 1 mean exactly that.
SNAP_COSINE = 2e-5

# A kilometre: no scanner is as large, and a damaged header says 1e300.
MOST_MM = 1e6

_FLIP_XY = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE_INDEX = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


def check_affine(affine: ArrayLike) -> Affine:
    """The affine as float64, if it is one.

    Raises
    ------
    InputError
        If it is not 4x4, not finite, beyond any scanner, or flattens the volume.
    """
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise InputError(f"found an affine of shape {matrix.shape}, expected (4, 4)")
    if not np.isfinite(matrix).all():
        raise InputError("the affine holds NaN or infinity, so the image has no place in the patient")
    if np.abs(matrix).max() > MOST_MM:
        raise InputError(f"the affine holds {np.abs(matrix).max():.3g} mm, which is no place in a patient")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    volume = abs(np.linalg.det(matrix[:3, :3]))
    if (lengths == 0).any() or volume < 1e-6 * lengths.prod():
        raise InputError(f"the affine is flat: voxel edges of {lengths.round(4).tolist()} mm, volume {volume:g}")
    return matrix


def compose(origin_mm: ArrayLike, spacing_mm: ArrayLike, direction: ArrayLike | None = None) -> Affine:
    """An affine from DICOM's and ITK's parts.

    Parameters
    ----------
    origin_mm:
        Patient position ``(x, y, z)`` of voxel (0, 0, 0), LPS.
    spacing_mm:
        Voxel edges in array order ``(z, y, x)``.
    direction:
        3x3; its *columns* are the unit directions (LPS) of the axes x, y, z of the image, as in ITK.
        None is the identity.
    """
    columns = np.eye(3) if direction is None else np.asarray(direction, dtype=np.float64).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = columns[:, ::-1] * np.asarray(spacing_mm, dtype=np.float64)
    affine[:3, 3] = np.asarray(origin_mm, dtype=np.float64)
    return check_affine(affine)


def ras_to_lps(affine: ArrayLike) -> Affine:
    """Convert between the conventions of NIfTI and Slicer, ``(i, j, k)`` to RAS, and ours; its own inverse."""
    matrix = np.array(affine, dtype=np.float64)
    return np.asarray(_FLIP_XY @ matrix @ _REVERSE_INDEX)


def spacing(affine: Affine) -> tuple[float, float, float]:
    """Voxel edges in mm, array order ``(z, y, x)``."""
    z, y, x = np.linalg.norm(affine[:3, :3], axis=0)
    return float(z), float(y), float(x)


def orientation(affine: Affine) -> str:
    """Three letters, one per array axis ``(z, y, x)``: the patient side its index grows towards.

    ``"SPL"`` is an axial volume in the order the rest of the house prefers.
    """
    order = canonical_order(affine)
    letters = [""] * 3
    for world, (axis, flipped) in enumerate(zip(order.axes, order.flipped, strict=True)):
        letters[axis] = _LETTERS[2 - world][0 if flipped else 1]
    return "".join(letters)


@dataclass(frozen=True)
class AxisOrder:
    """A permutation and flips of the three spatial axes: the only moves that never resample.

    Parameters
    ----------
    axes:
        Source axis of each new axis.
    flipped:
        Whether the new axis runs against its source.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def apply(self, data: NDArray[Any]) -> NDArray[Any]:
        """A view of ``(..., z, y, x)`` in the new order."""
        lead = data.ndim - 3
        moved = data.transpose(*range(lead), *(lead + axis for axis in self.axes))
        steps = (slice(None, None, -1) if flip else slice(None) for flip in self.flipped)
        return moved[(..., *steps)]

    def undo(self, data: NDArray[Any]) -> NDArray[Any]:
        """A view of data in the new order, back in the old."""
        lead = data.ndim - 3
        steps = (slice(None, None, -1) if flip else slice(None) for flip in self.flipped)
        back = np.argsort(self.axes)
        unflipped = data[(..., *steps)]
        return unflipped.transpose(*range(lead), *(lead + int(axis) for axis in back))

    def apply_to_affine(self, affine: Affine, shape: tuple[int, ...]) -> Affine:
        """The affine of the reordered array; ``shape`` is the source's ``(..., z, y, x)``."""
        move = np.zeros((4, 4))
        move[3, 3] = 1
        for new, (axis, flip) in enumerate(zip(self.axes, self.flipped, strict=True)):
            move[axis, new] = -1 if flip else 1
            move[axis, 3] = shape[-3:][axis] - 1 if flip else 0
        return np.asarray(affine @ move)

    def apply_to_slice(self, axis: int, index: int, shape: tuple[int, ...]) -> tuple[int, int]:
        """``(axis, index)`` of a slice of the source in the reordered array; ``shape`` is the source's."""
        new = self.axes.index(axis)
        return new, shape[-3:][axis] - 1 - index if self.flipped[new] else index

    def undo_slice(self, axis: int, index: int, shape: tuple[int, ...]) -> tuple[int, int]:
        """``(axis, index)`` of a slice of the reordered array in the source; ``shape`` is the source's."""
        old = self.axes[axis]
        return old, shape[-3:][old] - 1 - index if self.flipped[axis] else index


def canonical_order(affine: Affine) -> AxisOrder:
    """The reordering whose axes run nearest to Superior, Posterior, Left.

    Every axis is used once; where an oblique volume leaves a choice, the pairing with the largest sum of
    cosines is taken.
    """
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    rows = cosines[::-1]  # world z, y, x
    best = max(permutations(range(3)), key=lambda p: sum(abs(rows[w, p[w]]) for w in range(3)))
    flips = tuple(bool(rows[world, best[world]] < 0) for world in range(3))
    return AxisOrder(best, flips)  # type: ignore[arg-type]


def snap(affine: Affine) -> Affine:
    """Direction cosines within header noise of -1, 0 or 1 made exactly that; the rest is untouched."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = affine[:3, :3] / lengths
    nearest = np.round(cosines)
    noise = np.abs(cosines - nearest) < SNAP_COSINE
    result = affine.copy()
    result[:3, :3] = np.where(noise, nearest, cosines) * lengths
    return result


def tilt_degrees(affine: Affine) -> float:
    """Largest angle between an array axis and the patient axis it is shown along; 0 when aligned."""
    order = canonical_order(affine)
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    along = [abs(cosines[2 - world, axis]) for world, axis in enumerate(order.axes)]
    return float(np.degrees(np.arccos(np.clip(min(along), -1, 1))))


def shear_cosine(affine: Affine) -> float:
    """Largest cosine between two array axes: 0 for an orthogonal grid, above for gantry tilt."""
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    gram = np.abs(cosines.T @ cosines - np.eye(3))
    return float(gram.max())


def corners(affine: Affine, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Patient positions ``(8, 3)`` in mm of the centres of the corner voxels."""
    ends = [(0, n - 1) for n in shape[-3:]]
    index = np.array([(z, y, x, 1) for z in ends[0] for y in ends[1] for x in ends[2]], dtype=np.float64)
    return np.asarray((affine @ index.T).T[:, :3])


def same_place(affine_a: Affine, shape_a: tuple[int, ...], affine_b: Affine, shape_b: tuple[int, ...]) -> bool:
    """Whether two grids have the same voxels at the same places, to a thousandth of a mm."""
    if tuple(shape_a[-3:]) != tuple(shape_b[-3:]):
        return False
    return bool(np.abs(corners(affine_a, shape_a) - corners(affine_b, shape_b)).max() < SAME_PLACE_MM)
