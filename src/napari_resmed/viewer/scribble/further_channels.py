"""Other images of the same patient on the same grid, to be looked at together with the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from napari_resmed.viewer.parts.grids import on_one_grid
from napari_resmed.viewer.parts.image_choice import images_of
from napari_resmed.viewer.scribble.what_to_paint_in import trouble_with

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["FurtherChannels"]

# More rows are scrolled to.
ROWS = 3


class FurtherChannels(QListWidget):
    """Images to tick; those ticked become channels after the chosen image's own.

    Parameters
    ----------
    viewer:
        Whose images are offered.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._offered: tuple[Any, list[Any]] = (None, [])
        # Apart from the rows: what was ticked stays so while another image is chosen for a moment.
        self._ticked: list[Any] = []
        self.itemChanged.connect(self._on_item)
        self.setToolTip("Images on the same grid that are looked at as well, e.g. T1, T2 and FLAIR of one head")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_for(self, image: Any) -> None:
        """Offer what lies on this image's grid; what was ticked stays so."""
        images = images_of(self._viewer) if image is not None else []
        if (image, images) == self._offered:
            return  # asked whenever any layer comes or goes
        self._offered = (image, images)
        self._ticked = [layer for layer in self._ticked if layer in self._viewer.layers]
        self.clear()
        for layer in images:
            if layer is not image and not trouble_with(layer) and on_one_grid(layer, image):
                item = QListWidgetItem(layer.name)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if layer in self._ticked else Qt.CheckState.Unchecked)
                item.setData(Qt.ItemDataRole.UserRole, layer)
                self.addItem(item)
        if self.count():
            self.setFixedHeight(min(self.count(), ROWS) * self.sizeHintForRow(0) + 2 * self.frameWidth())

    def tick(self, layer: Any, ticked: bool = True) -> None:
        """As the mouse does."""
        for item in self._items():
            if item.data(Qt.ItemDataRole.UserRole) is layer:
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    @property
    def chosen(self) -> list[Any]:
        """The layers that are ticked."""
        ticked = [item for item in self._items() if item.checkState() == Qt.CheckState.Checked]
        return [item.data(Qt.ItemDataRole.UserRole) for item in ticked]

    def _on_item(self, item: QListWidgetItem) -> None:
        layer = item.data(Qt.ItemDataRole.UserRole)
        self._ticked = [other for other in self._ticked if other is not layer]
        if item.checkState() == Qt.CheckState.Checked:
            self._ticked.append(layer)

    def _items(self) -> list[QListWidgetItem]:
        found = (self.item(row) for row in range(self.count()))
        return [item for item in found if item is not None]
