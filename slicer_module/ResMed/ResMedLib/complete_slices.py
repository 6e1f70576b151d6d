"""Slices that were painted completely: what is unpainted there is background, though only paint counts elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap
from napari_resmed.train.painted import look_through
from ResMedLib.volumes import Source

__all__ = ["complete_slices", "count", "mark", "painted_slices", "shown_slice", "slice_views", "unmark"]

# Attribute of the segmentation: the marks, and the grid they were made on; it is saved with the scene.
_KEY = "ResMed.CompleteSlices"
# A view this far off the volume's own slices shows several of them; the sine of one degree.
ASKEW = 0.0175

Slice = tuple[int, int]


def complete_slices(segmentation: Any, source: Source) -> list[Slice]:
    """``(axis, index)`` of every marked slice, axes in the order ``(z, y, x)`` of the volume's array.

    Raises
    ------
    InputError
        If they were marked on the grid of another volume.
    """
    kept = json.loads(segmentation.GetAttribute(_KEY) or "{}")
    if not kept.get("slices"):
        return []
    same = kept["shape"] == list(source.volume.grid_shape) and np.allclose(kept["ijk_to_ras"], source.ijk_to_ras)
    if not same:
        raise InputError(
            "its complete slices were marked on another volume's grid; choose that volume, or take the marks away and "
            "mark them anew"
        )
    return [(int(axis), int(index)) for axis, index in kept["slices"]]


def mark(segmentation: Any, source: Source, slices: Sequence[Slice], complete: bool = True) -> None:
    """Mark slices as complete, or take their marks away.

    Raises
    ------
    InputError
        As of :func:`complete_slices`.
    """
    known = set(complete_slices(segmentation, source))
    wanted = sorted(known | set(slices) if complete else known - set(slices))
    grid = {"shape": list(source.volume.grid_shape), "ijk_to_ras": source.ijk_to_ras.tolist()}
    segmentation.SetAttribute(_KEY, json.dumps({**grid, "slices": wanted}) if wanted else None)


def unmark(segmentation: Any) -> None:
    """Take all marks away."""
    segmentation.SetAttribute(_KEY, None)


def count(segmentation: Any) -> int:
    """How many slices are marked."""
    return len(json.loads(segmentation.GetAttribute(_KEY) or "{}").get("slices", ()))


def painted_slices(labels: LabelMap) -> list[Slice]:
    """Every slice on which something is painted, across the axis on which the smallest share of slices was."""
    painted = look_through(labels.data)
    return [(painted.axis, int(index)) for index in np.flatnonzero(painted.slices[painted.axis])]


def slice_views() -> list[Any]:
    """The slice views of the scene, as their nodes; Slicer's own are Red, Yellow and Green."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceNode"))


def shown_slice(source: Source, view: Any) -> Slice:
    """The slice of a volume that a view shows.

    Raises
    ------
    InputError
        If the view cuts across the volume's slices, or lies beside it.
    """
    to_ras = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    normal, middle = to_ras[:3, 2], to_ras[:3, 3] * [-1, -1, 1]
    lps = normal * [-1, -1, 1]
    edges = source.volume.affine[:3, :3] / np.linalg.norm(source.volume.affine[:3, :3], axis=0)
    # Across an axis lie the slices whose own two edges lie in the view's plane.
    off = np.abs(lps @ edges) / np.linalg.norm(lps)
    axis = next((k for k in range(3) if all(off[other] < ASKEW for other in range(3) if other != k)), None)
    if axis is None:
        raise InputError(
            f"the {view.GetLayoutName()} view cuts across the volume's slices; turn it to them with "
            '"Rotate to volume plane" in the view\'s menu'
        )
    place = float((np.linalg.inv(source.volume.affine) @ [*middle, 1.0])[axis])
    index = round(place)
    if not 0 <= index < source.volume.grid_shape[axis]:
        raise InputError(f"the {view.GetLayoutName()} view lies beside the volume; move it onto the slice")
    return axis, index
