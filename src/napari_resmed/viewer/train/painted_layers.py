"""Keeps in mind what is painted in the layers of a window, looking again after every stroke."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_resmed.train.painted import Painted, look_through
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.paint_watch import PaintWatch

__all__ = ["PaintedLayers"]

# How long after the last stroke what is painted is looked through again.
LOOK_AGAIN_MS = 500
_WATCHED = ("name", "features", "colormap", "metadata", "scale", "translate", "rotate", "shear", "affine")


class PaintedLayers(QObject):
    """What is painted, layer by layer.

    Parameters
    ----------
    aside:
        Looks through them.

    Signals
    -------
    touched()
        A layer was changed in some way that matters, half a second ago.
    looked()
        A layer was looked through.
    painted(Labels)
        Somebody painted in a layer, or undid it, just now.
    """

    touched = Signal()
    painted = Signal(object)
    looked = Signal()

    def __init__(self, aside: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._aside = aside
        self._painted: WeakKeyDictionary[Labels, Painted] = WeakKeyDictionary()
        self._unread: WeakSet[Labels] = WeakSet()  # painted on since they were looked through
        self._looking: WeakSet[Labels] = WeakSet()
        self._watched: WeakKeyDictionary[Any, PaintWatch | None] = WeakKeyDictionary()
        self.asleep = False
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(LOOK_AGAIN_MS)
        self._again.timeout.connect(self.touched)

    def of(self, layer: Labels) -> Painted | None:
        """What is painted in a layer; None where it was not looked through yet."""
        return self._painted.get(layer)

    def watch(self, layers: Iterable[Any]) -> None:
        """Notice from now on what is done to these layers."""
        self._again.stop()
        for layer in layers:
            if layer in self._watched or not isinstance(layer, Image | Labels):
                continue
            self._watched[layer] = PaintWatch(layer, self._on_painted) if isinstance(layer, Labels) else None
            for name in _names(layer):
                layer.events[name].connect(self._on_layer)

    def look(self, layers: Iterable[Labels]) -> None:
        """Look through what was painted in these since the last time, on a thread."""
        for layer in layers:
            if layer.ndim > 3 or layer in self._looking or (layer in self._painted and layer not in self._unread):
                continue
            self._unread.discard(layer)
            self._looking.add(layer)
            data = layer.data[0] if layer.multiscale else layer.data
            self._aside.run(partial(_look_through, layer, data), self._on_looked)

    def is_up_to_date(self, layers: Iterable[Labels]) -> bool:
        """Whether all that is painted in these was looked through."""
        waiting = self._unread | self._looking
        return all(layer in self._painted and layer not in waiting for layer in layers)

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for layer, watch in list(self._watched.items()):
            for name in _names(layer):
                layer.events[name].disconnect(self._on_layer)
            if watch is not None:
                watch.let_go()
        self._watched.clear()
        self._again.stop()

    def _on_painted(self, layer: Labels) -> None:
        self._unread.add(layer)
        self.painted.emit(layer)
        self._on_layer()

    def _on_layer(self, event: Any = None) -> None:
        if not self.asleep:
            self._again.start()

    def _on_looked(self, result: tuple[Labels, Painted]) -> None:
        layer, painted = result
        self._painted[layer] = painted
        self._looking.discard(layer)
        if self.asleep:
            return
        if layer in self._unread:
            self._again.start()
        self.looked.emit()


def _names(layer: Any) -> list[str]:
    """What of a layer matters; of an image its voxels, too."""
    names = _WATCHED if isinstance(layer, Labels) else (*_WATCHED, "data")
    return [name for name in names if name in layer.events.emitters]


def _look_through(layer: Labels, data: Any) -> tuple[Labels, Painted]:
    return layer, look_through(data)
