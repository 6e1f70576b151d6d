"""Slices of a Labels layer that were painted completely: what is unpainted there is background."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_resmed.geometry import AxisOrder
from napari_resmed.viewer.layers import KEY, is_in_place
from napari_resmed.viewer.parts.grids import spatial_shape

__all__ = ["MARKS", "complete_slices", "current_slice", "in_own_axes", "in_the_window", "mark"]

# In the layer's own metadata, so that the marks stay with it when the dock is closed.
MARKS = "resmed_complete_slices"


def complete_slices(layer: Any) -> list[tuple[int, int]]:
    """``(axis, index)`` of every marked slice, among the layer's last three axes."""
    return [(int(axis), int(index)) for axis, index in layer.metadata.get(MARKS, ())]


def mark(layer: Any, slices: Iterable[tuple[int, int]], complete: bool = True) -> None:
    """Mark slices as complete, or take the marks away; whoever listens to the layer's metadata is told."""
    before = set(complete_slices(layer))
    after = before | set(slices) if complete else before - set(slices)
    if after != before:
        layer.metadata = {**layer.metadata, MARKS: sorted(after)}


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


def in_own_axes(
    slices: Sequence[tuple[int, int]], attributes: Mapping[str, Any], shape: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Slices of the window's array, as slices of the volume that :func:`layer_to_volume` makes of such a layer.

    Parameters
    ----------
    slices:
        ``(axis, index)`` among the layer's last three axes.
    attributes, shape:
        Of a layer of three dimensions: :func:`attributes_of`, and the size of its data.

    Returns
    -------
    list
        ``(axis, index)`` in the file's own order of axes.
    """
    if not is_in_place({**attributes, "rgb": False}, shape):  # a colour is no axis of the labels over it
        return list(slices)  # in the order it is shown
    order, own = _order(attributes)
    return [order.undo_slice(axis, index, own) for axis, index in slices]


def in_the_window(slices: Sequence[Sequence[int]], attributes: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The inverse of :func:`in_own_axes` for a layer that :func:`volume_to_layer` describes."""
    order, own = _order(attributes)
    return [order.apply_to_slice(axis, index, own) for axis, index in slices]


def _order(attributes: Mapping[str, Any]) -> tuple[AxisOrder, tuple[int, ...]]:
    """How a file's axes were turned for the window, and their sizes in the file."""
    ours = attributes["metadata"][KEY]
    order = AxisOrder(tuple(ours["order"]["axes"]), tuple(ours["order"]["flipped"]))
    return order, tuple(int(ours["shown"]["shape"][place]) for place in np.argsort(order.axes))
