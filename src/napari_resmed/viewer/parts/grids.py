"""Whether layers lie on one grid in the window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.viewer.layer_place import attributes_of, last_three
from napari_resmed.viewer.layers import layer_to_volume
from napari_resmed.volume import Volume

__all__ = ["nothing", "on_one_grid", "place_of", "spatial_shape"]


def spatial_shape(layer: Any) -> tuple[int, ...]:
    """Size of the layer's last three axes, colour aside."""
    data = layer.data[0] if layer.multiscale else layer.data
    shape = tuple(int(size) for size in data.shape)
    if getattr(layer, "rgb", False):
        shape = shape[:-1]
    return shape[-3:]


def place_of(layer: Any) -> Volume | None:
    """Where the layer is shown: a volume of its grid without voxels of its own; None for what is no medical image."""
    shape = spatial_shape(layer)
    if len(shape) < 2:
        return None
    attributes = last_three(attributes_of(layer)) if len(shape) == 3 else attributes_of(layer)
    try:
        return layer_to_volume(nothing(shape), {**attributes, "metadata": {}, "rgb": False})
    except InputError:
        return None


def on_one_grid(first: Any, second: Any) -> bool:
    """Whether two layers have the same voxels at the same places of the window."""
    one, other = place_of(first), place_of(second)
    return one is not None and other is not None and one.same_grid(other)


def nothing(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.zeros(1, np.uint8), shape)
