"""The images of the window to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_resmed.viewer.layers import is_result

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ImageChoice", "images_of"]


def images_of(viewer: ViewerModel) -> list[Image]:
    """The image layers of the window; what a model made (a map of its uncertainty) is none to work on."""
    return [layer for layer in viewer.layers if isinstance(layer, Image) and not is_result(layer)]


class ImageChoice(QComboBox):
    """Offers the images of the window, the active one first.

    Signals
    -------
    filled()
        Other images are there.
    """

    filled = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        layers = viewer.layers
        self._listening: tuple[Any, ...] = (
            (layers.events.inserted, self.fill),
            (layers.events.removed, self.fill),
            (layers.events.reordered, self.fill),
            (layers.selection.events.active, self._on_active),
        )
        for emitter, callback in self._listening:
            emitter.connect(callback)
        self.fill()

    def fill(self, event: Any = None) -> None:
        """The list of images, read anew; the active one is chosen, else the one that was."""
        chosen = self.currentData()
        active = self._viewer.layers.selection.active
        images = images_of(self._viewer)
        self.clear()
        for layer in images:
            self.addItem(layer.name, layer)
            layer.events.name.disconnect(self._rename)
            layer.events.name.connect(self._rename)
        wanted = active if active in images else chosen
        if wanted in images:
            self.setCurrentIndex(images.index(wanted))
        self.filled.emit()

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter, callback in self._listening:
            emitter.disconnect(callback)
        self._listening = ()

    def _rename(self, event: Any = None) -> None:
        for number in range(self.count()):
            self.setItemText(number, self.itemData(number).name)

    def _on_active(self, event: Any) -> None:
        for number in range(self.count()):
            if self.itemData(number) is event.value:
                self.setCurrentIndex(number)
