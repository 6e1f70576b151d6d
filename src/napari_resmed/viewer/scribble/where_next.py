"""Going to a place of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy import round as rounded

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["go_to", "seen_slice"]


def go_to(viewer: ViewerModel, layer: Any, index: Sequence[int]) -> None:
    """Show the slice a voxel of a layer lies in, with the voxel in the middle of the window."""
    world = [float(value) for value in layer.data_to_world(tuple(index))]
    dims = viewer.dims
    dims.ndisplay = 2
    first = dims.ndim - layer.ndim
    dims.set_point(range(first, dims.ndim), world)
    place = {first + axis: value for axis, value in enumerate(world)}
    viewer.camera.center = (0.0, *(place.get(axis, 0.0) for axis in dims.displayed))


def seen_slice(viewer: ViewerModel, layer: Any) -> tuple[int, int] | None:
    """Axis and index of the slice of a layer that is seen; None where it is seen in 3D, or the slice lies outside."""
    dims = viewer.dims
    if dims.ndisplay != 2:
        return None
    if layer.ndim == 2:
        return 0, 0
    first = dims.ndim - layer.ndim
    axes = [axis - first for axis in dims.not_displayed if axis >= first]
    if len(axes) != 1:
        return None
    (axis,) = axes
    index = int(rounded(layer.world_to_data(dims.point[first:])[axis]))
    return (axis, index) if 0 <= index < layer.data.shape[axis] else None
