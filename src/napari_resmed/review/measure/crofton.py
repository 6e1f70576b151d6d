"""The area of a surface, from how often straight lines cross it.

Cauchy and Crofton: the area of a surface is twice the mean, over all directions, of the number of times that it is
crossed by lines of that direction, each line standing for the area between it and its neighbours. Here the lines run
along the 13 directions to a voxel's 26 neighbours, and each direction counts for the part of the sphere that is nearest
to it: G. Lehmann and D. Legland, "Efficient N-Dimensional surface estimation using Crofton formula and run-length
encoding", Insight Journal 2012, which is what ITK's label shape filter does. ITK takes the parts of the sphere for
cubic voxels whatever their spacing; here they are those of the grid's true directions, in the patient.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import SphericalVoronoi

from napari_resmed.geometry import Affine

__all__ = ["DIRECTIONS", "surface_area_mm2"]

# One of each pair of opposite steps to a neighbour, (13, 3), index order (z, y, x).
DIRECTIONS = np.array([step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])


def surface_area_mm2(crossings: NDArray[np.int64], affine: Affine) -> NDArray[np.float64]:
    """Surface areas.

    Parameters
    ----------
    crossings:
        ``(13, n)``: how often each of ``n`` structures is entered or left along each of :data:`DIRECTIONS`.
    affine:
        4x4, index to patient mm.

    Returns
    -------
    NDArray
        float64 ``(n,)``, mm².
    """
    matrix = affine[:3, :3]
    lengths = np.linalg.norm(DIRECTIONS @ matrix.T, axis=1)
    share = np.array(_shares(tuple(matrix.reshape(-1).tolist())))
    between_lines = abs(np.linalg.det(matrix)) / lengths
    return np.asarray(2 * (share * between_lines) @ crossings)


@lru_cache(maxsize=8)
def _shares(matrix: tuple[float, ...]) -> tuple[float, ...]:
    """The share of the sphere that is nearest to each direction or its opposite; together 1."""
    steps = DIRECTIONS @ np.array(matrix).reshape(3, 3).T
    unit = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    areas = SphericalVoronoi(np.concatenate([unit, -unit])).calculate_areas()
    both = areas[:13] + areas[13:]
    return tuple((both / both.sum()).tolist())
