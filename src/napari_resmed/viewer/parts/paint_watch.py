"""Notices whatever changes the voxels of a Labels layer: strokes, new data, and their undoing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from napari.layers import Labels

__all__ = ["PaintWatch"]

_TOLD_BY = ("paint", "labels_update", "data")


class PaintWatch:
    """Calls somebody on every change, until it is let go or nobody keeps it.

    napari tells nobody of undo and redo but by drawing the layer anew, as it does for another slice; that it was one of
    them shows in how many steps can be undone and done again.

    Parameters
    ----------
    layer:
        What is watched, itself and not napari's stand-in for it; not kept alive.
    changed:
        Called with the layer.
    """

    def __init__(self, layer: Labels, changed: Callable[[Labels], None]) -> None:
        self._layer = ref(layer)
        self._changed = changed
        self._steps = _steps(layer)
        for name in _TOLD_BY:
            layer.events[name].connect(self._on_change)
        layer.events.set_data.connect(self.look)

    def look(self, event: Any = None) -> None:
        """Find out whether something was undone: a layer that is hidden is not drawn anew."""
        layer = self._layer()
        if layer is not None and _steps(layer) != self._steps:
            self._on_change()

    def let_go(self) -> None:
        """Listen to nothing any more."""
        layer = self._layer()
        if layer is not None:
            for name in _TOLD_BY:
                layer.events[name].disconnect(self._on_change)
            layer.events.set_data.disconnect(self.look)

    def _on_change(self, event: Any = None) -> None:
        layer = self._layer()
        if layer is not None:
            self._steps = _steps(layer)
            self._changed(layer)


def _steps(layer: Labels) -> tuple[int, int]:
    """How many steps napari could undo and do again; it has no public way to ask."""
    return len(getattr(layer, "_undo_history", ())), len(getattr(layer, "_redo_history", ()))
