"""The layer that shows what the strokes gave: as large as the image, changed after every stroke, never copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_resmed.labels import Label, LabelSet
from napari_resmed.viewer.label_look import label_look
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.add_in_parts import add_in_parts
from napari_resmed.viewer.parts.over_image import COLOURS, attributes_on
from napari_resmed.viewer.scribble.shown_grid import ShownGrid

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["AnswerLayer"]

_CLEAR = (0.0, 0.0, 0.0, 0.0)


class AnswerLayer:
    """A Labels layer below the strokes, which the brush does not change; and on wish where it is in doubt.

    Parameters
    ----------
    viewer:
        Whose window.
    grid:
        Of the image.
    strokes:
        The layer above it, which stays the active one.
    name:
        Of the image.
    """

    def __init__(self, viewer: ViewerModel, grid: ShownGrid, strokes: Labels, name: str) -> None:
        self._viewer, self._grid, self._strokes, self._name = viewer, grid, strokes, name
        self._voxels: NDArray[Any] = self._nothing()
        self.is_empty = True  # whether there is no answer
        self._look: dict[str, Any] = {}
        self.unsure: Image | None = None

    @cached_property
    def layer(self) -> Labels:
        """The layer, made when it is first asked for."""
        place = attributes_on(self._grid.attributes, f"{self._name} scribble")
        layer = Labels(self._grid.shown(self._voxels), opacity=0.4, **place, **self._look)
        layer.editable = False
        return layer

    def insert(self) -> Iterator[None]:
        """Put it into the window, in parts: see :func:`napari_resmed.viewer.parts.in_turns.in_turns`."""
        layer = self.layer
        yield
        yield from add_in_parts(layer, lambda: self._insert(layer))

    def show(self, voxels: NDArray[Any]) -> None:
        """Show an answer ``(z, y, x)`` in the image's own axes; the array is taken, and drawn into later."""
        self._voxels, self.is_empty = voxels, False
        self.layer.data = self._grid.shown(voxels)
        self.layer.editable = False  # napari forgets with new data

    def show_slice(self, axis: int, index: int, voxels: NDArray[Any]) -> None:
        """Show another answer in one slice of the image's own axes."""
        if self.is_empty:
            return
        place: list[Any] = [slice(None)] * 3
        place[axis] = index
        self._voxels[tuple(place)] = voxels
        self.layer.refresh()

    def empty(self) -> None:
        """Show nothing."""
        if not self.is_empty:
            self.show(self._nothing())
            self.is_empty = True
        self.show_doubt(None, {})

    def look(self, labels: Iterable[Label], background: int) -> None:
        """Colours of the classes; the one that is background is not seen."""
        looks = label_look(LabelSet(tuple(labels)), COLOURS)
        colours = dict(looks["colormap"].color_dict)
        if background:
            colours[background] = _CLEAR
        self._look = {**looks, "colormap": type(looks["colormap"])(color_dict=colours)}
        if "layer" in self.__dict__:
            self.layer.colormap, self.layer.features = self._look["colormap"], self._look["features"]

    def show_doubt(self, voxels: NDArray[Any] | None, made_by: Mapping[str, Any]) -> None:
        """Show where the answer is in doubt, 0 sure .. 1, or no longer."""
        if self.unsure is not None and self.unsure not in self._viewer.layers:
            self.unsure = None
        if voxels is None:
            if self.unsure is not None:
                self._viewer.layers.remove(self.unsure)
                self.unsure = None
        elif self.unsure is not None:
            self.unsure.data = self._grid.shown(voxels)
        else:
            self.unsure = Image(
                self._grid.shown(voxels),
                colormap="magma",
                blending="additive",
                contrast_limits=(0.0, 1.0),
                metadata={KEY: {"meta": {"made_by": dict(made_by)}}},
                **attributes_on(self._grid.attributes, f"{self._name} scribble uncertainty"),
            )
            self._insert(self.unsure)

    def become(self, data: NDArray[Any], attributes: Mapping[str, Any]) -> Labels:
        """Turn into an ordinary layer; for napari, taking one out and adding another is a matter of half a second."""
        self.show_doubt(None, {})
        self.layer.data = data
        for name in ("name", "metadata", "features", "colormap", "axis_labels"):
            if name in attributes:
                setattr(self.layer, name, attributes[name])
        self.layer.opacity = 0.5
        self.layer.editable = True
        return self.layer

    def remove(self) -> None:
        """Take it out of the window."""
        self.show_doubt(None, {})
        if "layer" in self.__dict__ and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)

    def _nothing(self) -> NDArray[Any]:
        return np.zeros(self._grid.own_shape(), np.uint8)  # takes no memory before it is written to

    def _insert(self, layer: Any) -> None:
        layers = self._viewer.layers
        layers.insert(layers.index(self._strokes) if self._strokes in layers else len(layers), layer)
        layers.selection.active = self._strokes
