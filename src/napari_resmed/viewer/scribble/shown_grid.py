"""Between an image's own order of axes, in which the work is done, and the order in which the window shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.geometry import AxisOrder
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.layer_place import attributes_of, last_three
from napari_resmed.viewer.layers import KEY, is_in_place, layer_to_volume
from napari_resmed.viewer.parts.grids import spatial_shape

__all__ = ["ShownGrid", "grid_of"]


@dataclass(frozen=True, eq=False)
class ShownGrid:
    """The grid of an image layer, without its channels.

    Parameters
    ----------
    attributes:
        As :func:`attributes_of` gives them, of the last three axes.
    shape:
        ``(z, y, x)`` as shown, or ``(y, x)``.
    """

    attributes: Mapping[str, Any]
    shape: tuple[int, ...]

    @property
    def order(self) -> AxisOrder:
        """What leads from the image's own axes to those shown."""
        ours = (self.attributes.get("metadata") or {}).get(KEY) or {}
        if "order" not in ours or len(self.shape) < 3 or not is_in_place(self.attributes, self.shape):
            return AxisOrder((0, 1, 2), (False, False, False))
        return AxisOrder(tuple(ours["order"]["axes"]), tuple(ours["order"]["flipped"]))

    def label_map(self, data: Any, labels: Iterable[Label]) -> LabelMap:
        """What is painted on this grid, in the image's own axes; for a thread beside the window's."""
        placed = layer_to_volume(data, self.attributes)
        return LabelMap(placed.data, placed.affine, "zyx", name=placed.name, labels=LabelSet(tuple(labels)))

    def shown(self, data: NDArray[Any]) -> NDArray[Any]:
        """A view of voxels in the image's own axes ``(z, y, x)``, as they are shown: nothing is copied."""
        view = self.order.apply(data)
        return view[0] if len(self.shape) == 2 else view

    def own_slice(self, axis: int, index: int) -> tuple[int, int]:
        """Axis and index in the image's own axes of a slice that is shown."""
        order = self.order
        return order.axes[axis], self.shape[axis] - 1 - index if order.flipped[axis] else index

    def shown_index(self, index: Sequence[int]) -> tuple[int, ...]:
        """Where a voxel of the image's own axes is shown."""
        if len(self.shape) == 2:
            return tuple(int(part) for part in index[-2:])
        order = self.order
        found = [int(index[axis]) for axis in order.axes]
        return tuple(self.shape[axis] - 1 - part if order.flipped[axis] else part for axis, part in enumerate(found))

    def own_shape(self) -> tuple[int, int, int]:
        """Size of the image's own axes ``(z, y, x)``."""
        if len(self.shape) == 2:
            return 1, self.shape[0], self.shape[1]
        z, y, x = (self.shape[int(place)] for place in np.argsort(self.order.axes))
        return z, y, x


def grid_of(image: Any) -> ShownGrid:
    """The grid of an image layer."""
    return ShownGrid({**last_three(attributes_of(image)), "rgb": False}, spatial_shape(image))
