"""How far two surfaces lie apart.

The surface of a mask is its border voxels: those with at least one of their six face neighbours outside the mask, or
at the edge of the image (an erosion with the 6-neighbourhood taken away, as in MONAI and in SimpleITK's contour
filters). Distances run between voxel centres in patient coordinates, through the affine, so anisotropic, oblique and
sheared grids are measured in true millimetres; which voxels are neighbours is decided along the grid's own axes. Along
an axis of one voxel there are no neighbours: a single slice has the outline of a 2D image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_resmed.geometry import Affine

__all__ = ["SurfaceDistances", "border", "surface_distances"]

# Two voxels count as at the tolerance when they are nearer to it than this: float32 headers write 1 mm as
# 0.99999994 or 1.0000001, and no reading of a surface is this fine.
ROUNDING_MM = 1e-4
# Larger leaves than scipy's 10: the tree is built for one query, so building it is half of the work.
_LEAF = 32


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """From every border voxel of each mask to the nearest of the other's.

    Parameters
    ----------
    from_prediction, from_truth:
        float64 ``(n,)``, mm; neither is empty.
    """

    from_prediction: NDArray[np.float64]
    from_truth: NDArray[np.float64]

    def dice(self, tolerance_mm: float) -> float:
        """Surface Dice, 0..1: the share of both borders that lies within ``tolerance_mm`` of the other.

        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", J Med Internet
        Res 2021;23(7):e26151 (arXiv 1809.04430, 2018). They weight each surface element with its area; here every
        border voxel counts alike, as in MONAI's ``compute_surface_dice``.
        """
        reach = tolerance_mm + ROUNDING_MM
        within = np.count_nonzero(self.from_prediction <= reach) + np.count_nonzero(self.from_truth <= reach)
        return float(within / (len(self.from_prediction) + len(self.from_truth)))

    def hausdorff_mm(self, percent: float = 95.0) -> float:
        """Hausdorff distance at a percentile, in mm; 100 is the largest distance there is.

        The percentile (linear between ranks) is taken in each direction and the larger one counts, as in MONAI and in
        DeepMind's surface-distance. SimpleITK's filter has the largest only, and measures from every voxel of a mask
        to the nearest of the other mask, inside or not: the same for solid shapes, another figure where one mask has
        a cavity and the other has not.
        """
        return float(max(np.percentile(self.from_prediction, percent), np.percentile(self.from_truth, percent)))

    def mean_mm(self) -> float:
        """Mean surface distance, symmetric, in mm: over the border voxels of both masks together.

        The average symmetric surface distance of Heimann et al., IEEE Trans Med Imaging 2009;28(8):1251-1265.
        """
        total = self.from_prediction.sum() + self.from_truth.sum()
        return float(total / (len(self.from_prediction) + len(self.from_truth)))


def border(mask: NDArray[np.bool_], flat: tuple[bool, ...] = (False, False, False)) -> NDArray[np.bool_]:
    """The border voxels of a mask.

    Parameters
    ----------
    mask:
        bool ``(z, y, x)``; whatever lies beyond it is outside.
    flat:
        Axes along which the image has one voxel and so no neighbours.

    Returns
    -------
    NDArray
        bool, the mask's shape.
    """
    inside = mask.copy()
    for axis, skip in enumerate(flat):
        if skip:
            continue
        moved, source = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        moved[1:] &= source[:-1]
        moved[:-1] &= source[1:]
        moved[0] = False
        moved[-1] = False
    return np.asarray(mask & ~inside)


def surface_distances(
    prediction: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    affine: Affine,
    flat: tuple[bool, ...] = (False, False, False),
) -> SurfaceDistances:
    """Distances between the surfaces of two masks on one grid.

    Parameters
    ----------
    prediction, truth:
        bool ``(z, y, x)``, neither of them empty.
    affine:
        4x4, index to patient mm.
    flat:
        See :func:`border`.

    Raises
    ------
    ValueError
        If a mask is empty: then there is no distance.
    """
    if not (prediction.any() and truth.any()):
        raise ValueError("found an empty mask, expected two that have a surface")
    ours, theirs = border(prediction, flat), border(truth, flat)
    return SurfaceDistances(_to_nearest(ours, theirs, affine), _to_nearest(theirs, ours, affine))


def _to_nearest(source: NDArray[np.bool_], target: NDArray[np.bool_], affine: Affine) -> NDArray[Any]:
    """From every voxel of ``source`` to the nearest of ``target``, mm, those that both have first."""
    alone = source & ~target
    shared = int(np.count_nonzero(source)) - int(np.count_nonzero(alone))
    distances = np.zeros(shared + int(np.count_nonzero(alone)))
    if alone.any():
        tree = KDTree(_places(target, affine), leafsize=_LEAF)
        distances[shared:] = tree.query(_places(alone, affine))[0]
    return distances


def _places(mask: NDArray[np.bool_], affine: Affine) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(mask) @ affine[:3, :3].T)
