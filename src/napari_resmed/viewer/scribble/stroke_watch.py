"""Notices strokes, and their undoing, in a Labels layer."""

from __future__ import annotations

from functools import partial
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.scribble.painted import Painted, what_is_painted

__all__ = ["StrokeWatch"]

# napari tells of a stroke when the mouse is let go; what comes within this time is one.
SETTLE_MS = 40
# Undo and whatever else changes voxels are told by a redraw alone, as is another slice; so each is looked into.
_TOLD_BY = ("paint", "data", "set_data")


class StrokeWatch(QObject):
    """Says what is painted whenever that is something else than before.

    Parameters
    ----------
    layer:
        Where the strokes are.
    aside:
        Looks through it.

    Signals
    -------
    changed(Painted), unchanged()
        Other strokes are there; after something that might have been a stroke, they are as they were.
    """

    changed = Signal(object)
    unchanged = Signal()

    def __init__(self, layer: Labels, aside: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer = layer
        self._aside = aside
        self._last: Painted | None = None
        self._looking = 0  # how often it is being looked through
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self.look)
        for name in _TOLD_BY:
            layer.events[name].connect(self._on_event)

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that was painted was told."""
        return not self._looking and not self._settled.isActive()

    def look(self) -> None:
        """Look now."""
        self._looking += 1
        self._aside.run(partial(what_is_painted, self._layer.data), self._on_looked)

    def let_go(self) -> None:
        """Listen to nothing any more."""
        self._settled.stop()
        for name in _TOLD_BY:
            self._layer.events[name].disconnect(self._on_event)
        self._layer = None

    def _on_event(self, event: Any = None) -> None:
        self._settled.start()

    def _on_looked(self, painted: Painted) -> None:
        self._looking -= 1
        if self._layer is None:
            return
        if painted == self._last:
            self.unchanged.emit()
            return
        self._last = painted
        self.changed.emit(painted)
