"""Labels onto the grid of an image they were not painted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = ["resample_labels"]


def resample_labels(labels: Any, place: Volume, onto: Volume) -> NDArray[Any]:
    """The nearest label at every voxel of another grid; meant for a thread beside the window's.

    Parameters
    ----------
    labels:
        Whole numbers ``(z, y, x)``.
    place, onto:
        Where they lie and where they shall lie, as :func:`napari_resmed.viewer.parts.grids.place_of` tells it.

    Returns
    -------
    NDArray
        Same type, of the new grid's shape; 0 outside of the old one. Nearest neighbour, so that no value is made up;
        thin structures may break where the new grid is coarser.

    Raises
    ------
    InputError
        If the two do not overlap.
    """
    old = np.asarray(labels)
    index = np.linalg.inv(place.affine) @ onto.affine  # of a new voxel, in the old array
    new: NDArray[Any] = affine_transform(
        old, index[:3, :3], index[:3, 3], output_shape=onto.grid_shape, order=0, mode="constant", cval=0
    )
    if old.any() and not new.any():
        raise InputError("nothing of what is painted lies on the image; move the labels where they belong first")
    return new
