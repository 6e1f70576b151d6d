"""A region of interest: the part of a volume inside a box that was drawn in the scene."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import slicer

from napari_resmed.errors import InputError
from ResMedLib.volumes import Source

__all__ = ["cropped", "inside"]

# Voxels that lie on the box's face within this share of its edge count as inside: markups keep points in float32.
_ON_FACE = 1e-5


def cropped(source: Source, region: Any) -> Source:
    """The smallest block of voxels that holds the box.

    Parameters
    ----------
    region:
        A ``vtkMRMLMarkupsROINode``, turned and transformed as may be; None takes the whole volume.

    Raises
    ------
    InputError
        If no voxel lies in it.
    """
    if region is None:
        return source
    from_box = np.linalg.inv(_to_box(source, region))
    corners = np.array([[*corner, 1.0] for corner in product((-0.5, 0.5), repeat=3)])
    index = (from_box @ corners.T).T[:, :3]  # (z, y, x), fractions
    low = np.clip(np.ceil(index.min(0) - _ON_FACE), 0, None).astype(int)
    high = np.minimum(np.floor(index.max(0) + _ON_FACE).astype(int) + 1, source.volume.grid_shape)
    if (low >= high).any():
        raise InputError("the region of interest lies beside the volume; move it onto it, or choose none")
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return replace(
        source,
        volume=source.volume.cut((z, y, x)),
        start=tuple(int(a + b) for a, b in zip(low, source.start, strict=True)),
    )


def inside(source: Source, region: Any) -> np.ndarray | None:
    """Which voxels ``(z, y, x)`` of a cropped volume lie in the box; None where all do."""
    if region is None:
        return None
    to_box = _to_box(source, region)
    axes = [np.arange(size, dtype=float) for size in source.volume.grid_shape]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    mask = np.ones(source.volume.grid_shape, bool)
    for row in to_box[:3]:
        mask &= np.abs(row[0] * z + row[1] * y + row[2] * x + row[3]) <= 0.5 + _ON_FACE
    return None if mask.all() else mask


def _to_box(source: Source, region: Any) -> np.ndarray:
    """4x4 from an index ``(z, y, x)`` of the volume to the box, whose faces lie at -1/2 and 1/2."""
    object_to_world = np.asarray(slicer.util.arrayFromVTKMatrix(region.GetObjectToWorldMatrix()))
    size = region.GetSize()
    if min(size) <= 0:
        raise InputError("the region of interest has no extent; draw it over what is of interest, or choose none")
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    scale = np.diag([1 / edge for edge in size] + [1.0])
    return scale @ np.linalg.inv(object_to_world) @ lps_to_ras @ source.volume.affine
