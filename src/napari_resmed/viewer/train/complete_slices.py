"""Slices of a Labels layer that were painted completely: what is unpainted there is background."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_resmed.viewer.parts.grids import spatial_shape

__all__ = ["complete_slices", "current_slice", "mark"]

# In the layer's own metadata, so that the marks stay with it when the dock is closed.
_KEY = "resmed_complete_slices"


def complete_slices(layer: Any) -> list[tuple[int, int]]:
    """``(axis, index)`` of every marked slice, among the layer's last three axes."""
    return [(int(axis), int(index)) for axis, index in layer.metadata.get(_KEY, ())]


def mark(layer: Any, slices: list[tuple[int, int]], complete: bool = True) -> None:
    """Mark slices as complete, or take the marks away."""
    kept = set(complete_slices(layer))
    kept = kept | set(slices) if complete else kept - set(slices)
    layer.metadata[_KEY] = sorted(kept)


def current_slice(viewer: Any, layer: Any) -> tuple[int, int] | None:
    """The slice of a layer that the window shows, ``(axis, index)`` among its last three axes.

    Returns
    -------
    tuple or None
        None where the window shows it in 3D, or beside it.
    """
    hidden = [axis - (viewer.dims.ndim - 3) for axis in viewer.dims.not_displayed]
    hidden = [axis for axis in hidden if axis >= 0]
    if viewer.dims.ndim < 3 or len(hidden) != 1:
        return None
    (axis,) = hidden
    point = np.asarray(layer.world_to_data(viewer.dims.point[-layer.ndim :]))[-3:]
    index = round(float(point[axis]))
    return (axis, index) if 0 <= index < spatial_shape(layer)[axis] else None
