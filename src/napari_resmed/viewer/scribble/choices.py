"""What is chosen before the first stroke: the image, others to look at with it, the layer to paint in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_resmed.viewer.parts.image_choice import ImageChoice, LayerChoice
from napari_resmed.viewer.scribble.further_channels import FurtherChannels
from napari_resmed.viewer.scribble.what_to_paint_in import where_to_paint

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["Choices"]


class Choices(QWidget):
    """Three choices, each of which offers what fits the one above; they stand still while strokes are painted.

    Parameters
    ----------
    viewer:
        Whose layers are offered.

    Signals
    -------
    image_chosen(), strokes_chosen()
        Another one is chosen now; not while strokes are painted.
    """

    image_chosen = Signal()
    strokes_chosen = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._open = True
        self.image = ImageChoice(viewer)
        self.image.setToolTip("The image to scribble on")
        self.channels = FurtherChannels(viewer)
        self.strokes = LayerChoice(
            viewer, lambda viewer: where_to_paint(viewer, self.image.currentData()), none="a new layer"
        )
        self.strokes.setToolTip("The Labels layer to paint in")
        self._form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("&Image", self.image)
        form.addRow("&With", self.channels)
        form.addRow("&Paint in", self.strokes)
        self.image.currentIndexChanged.connect(self._on_image)
        self.image.filled.connect(self._show_channels)
        self.strokes.currentIndexChanged.connect(self._on_strokes)
        self._show_channels()

    def hold(self) -> None:
        """Strokes are painted on what is chosen: nothing else can be."""
        self._set_open(False)

    def open(self) -> None:
        """Offer what the window holds now."""
        self._set_open(True)
        self._show_channels()
        self.strokes.fill()
        self.strokes_chosen.emit()

    def let_go(self) -> None:
        """Follow the window's layers no more."""
        self.image.let_go()
        self.strokes.let_go()

    def _set_open(self, is_open: bool) -> None:
        self._open = is_open
        for choice in (self.image, self.strokes, self.channels):
            choice.setEnabled(is_open)

    def _on_image(self, *_: Any) -> None:
        if self._open:
            self.strokes.fill()
            self._show_channels()
            self.image_chosen.emit()

    def _on_strokes(self, *_: Any) -> None:
        if self._open:
            self.strokes_chosen.emit()

    def _show_channels(self) -> None:
        if self._open:
            self.channels.show_for(self.image.currentData())
            for part in (self.channels, self._form.labelForField(self.channels)):
                if part is not None:
                    part.setVisible(self.channels.count() > 0)
