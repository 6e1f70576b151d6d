"""A heat map as an image layer over its image, and the way to its strongest slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_resmed.geometry import AxisOrder
from napari_resmed.viewer.layers import KEY, result_to_layer
from napari_resmed.volume import Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["go_to", "heat_attributes", "strongest_in_layer"]


def heat_attributes(
    heat: Volume, name: str, source: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Any, dict[str, Any]]:
    """What napari needs to show heat over the layer it was found in.

    Parameters
    ----------
    heat:
        0..1, on the image's grid.
    name:
        Of the new layer.
    source, shape:
        Attributes of the image's layer and the size of its data, as they were when the job began.
    """
    data, attributes, _ = result_to_layer(heat, source, shape)
    attributes |= {
        "name": name,
        "colormap": _heat_colours(),
        "blending": "translucent_no_depth",
        "opacity": 0.7,
        "contrast_limits": (0.0, 1.0),
        "rgb": False,
    }
    return data, attributes


def _heat_colours() -> Colormap:
    """Clear where it is cold: added to a bright finding, heat could not be seen on it."""
    steps = np.linspace(0, 1, 64)
    colours = np.array(ensure_colormap("inferno").map(0.2 + 0.7 * steps))
    colours[:, 3] = np.sqrt(steps)
    return Colormap(colours, name="heat")


def strongest_in_layer(layer: Image, strongest: Sequence[Sequence[float]]) -> dict[int, tuple[int, float]]:
    """By axis of the layer: the slice that counted most, and its share.

    Parameters
    ----------
    layer:
        Of the heat.
    strongest:
        Index and share along [t,] z, y and x of the file's own array.
    """
    if not strongest:
        return {}
    found = [(int(index), float(share)) for index, share in strongest]
    ours = layer.metadata.get(KEY, {})
    shape = layer.data.shape
    if layer.ndim == 4:
        frame, *found = found
        placed = _placed(found, ours, shape[1:])
        return {0: frame, **{axis + 1: slice_ for axis, slice_ in placed.items()}}
    if layer.ndim == 2:
        return dict(enumerate(found[1:]))
    return _placed(found, ours, shape)


def go_to(viewer: ViewerModel, layer: Image, slices: Mapping[int, tuple[int, float]]) -> None:
    """Move the sliders to these slices of a layer."""
    place = layer.data_to_world([slices.get(axis, (0, 0.0))[0] for axis in range(layer.ndim)])
    lead = viewer.dims.ndim - layer.ndim
    # All at once: the other views are there, too, when the axes are turned.
    viewer.dims.set_point([lead + axis for axis in slices], [float(place[axis]) for axis in slices])


def _placed(
    found: Sequence[tuple[int, float]], ours: Mapping[str, Any], shape: Sequence[int]
) -> dict[int, tuple[int, float]]:
    """Along the layer's axes, which are the file's in another order where our reader turned them."""
    if "order" not in ours:
        return dict(enumerate(found))
    order = AxisOrder(tuple(ours["order"]["axes"]), tuple(ours["order"]["flipped"]))
    placed = {}
    for new, (axis, flip) in enumerate(zip(order.axes, order.flipped, strict=True)):
        index, share = found[axis]
        placed[new] = (shape[new] - 1 - index if flip else index, share)
    return placed
