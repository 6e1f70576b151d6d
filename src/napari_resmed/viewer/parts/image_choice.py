"""The images and labels of the window to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_resmed.viewer.layers import is_result

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ImageChoice", "LabelsChoice", "LayerChoice", "images_of", "labels_of"]


def images_of(viewer: ViewerModel) -> list[Image]:
    """The image layers of the window; what a model made (a map of its uncertainty) is none to work on."""
    return [layer for layer in viewer.layers if isinstance(layer, Image) and not is_result(layer)]


def labels_of(viewer: ViewerModel) -> list[Labels]:
    """The Labels layers of the window."""
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


class LayerChoice(QComboBox):
    """Offers layers of the window, the active one first.

    Parameters
    ----------
    viewer:
        Whose layers.
    offered:
        Those of them that can be chosen.
    none:
        What stands first for choosing none of them; empty where one must be chosen.
    follow:
        Whether the active layer is chosen whenever it changes.

    Signals
    -------
    filled()
        Other layers are there.
    """

    filled = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        offered: Callable[[ViewerModel], Sequence[Layer]],
        parent: QWidget | None = None,
        *,
        none: str = "",
        follow: bool = True,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._follow = follow
        self._offered = offered
        self._none = none
        self._none_wanted = False  # that none is chosen was a person's choice
        self.activated.connect(self._on_picked)
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
        """The list of layers, read anew; what was chosen stays while it is there, else the active one is.

        What is chosen on the way is not told of, only what is chosen in the end, where that is another layer.
        """
        chosen = self.currentData()
        active = self._viewer.layers.selection.active
        layers = self._offered(self._viewer)
        with QSignalBlocker(self):
            self.clear()
            if self._none:
                self.addItem(self._none, None)
            for layer in layers:
                self.addItem(layer.name, layer)
                layer.events.name.disconnect(self._rename)
                layer.events.name.connect(self._rename)
            stays = chosen in layers or (chosen is None and self._none_wanted)
            self.choose(active if self._follow and not stays else chosen)
        if self.currentData() is not chosen:
            self.currentIndexChanged.emit(self.currentIndex())
        self.filled.emit()

    def choose(self, layer: Any) -> None:
        """Choose a layer, where it is offered."""
        for number in range(self.count()):
            # Equal, not the same: napari hands plugins a stand-in for the active layer, which is another object.
            if self.itemData(number) == layer:
                self.setCurrentIndex(number)

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter, callback in self._listening:
            emitter.disconnect(callback)
        self._listening = ()
        for number in range(self.count()):
            if (layer := self.itemData(number)) is not None:
                layer.events.name.disconnect(self._rename)

    @property
    def none_wanted(self) -> bool:
        """Whether a person chose none, which is then not undone by a proposal."""
        return self._none_wanted and self.currentData() is None

    def _rename(self, event: Any = None) -> None:
        for number in range(self.count()):
            if (layer := self.itemData(number)) is not None:
                self.setItemText(number, layer.name)

    def _on_picked(self, _: int) -> None:
        self._none_wanted = bool(self._none) and self.currentData() is None

    def _on_active(self, event: Any) -> None:
        if self._follow and event.value is not None:
            self.choose(event.value)


class ImageChoice(LayerChoice):
    """Offers the images of the window, the active one first; ``none, follow`` as for :class:`LayerChoice`."""

    def __init__(
        self, viewer: ViewerModel, parent: QWidget | None = None, *, none: str = "", follow: bool = True
    ) -> None:
        super().__init__(viewer, images_of, parent, none=none, follow=follow)


class LabelsChoice(LayerChoice):
    """Offers the Labels layers of the window, the active one first."""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(viewer, labels_of, parent)
