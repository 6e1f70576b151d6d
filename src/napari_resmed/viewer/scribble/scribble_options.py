"""The choices of scribbling that most people leave alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSizePolicy, QWidget

from napari_resmed.labels import Label

__all__ = ["ScribbleOptions"]


class ScribbleOptions(QWidget):
    """Which class is background, whether strokes spread, whether doubt is shown.

    Signals
    -------
    changed()
        The person chose something else.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.background_choice = QComboBox()
        self.background_choice.setToolTip(
            "The class that most of the image belongs to.\nBy itself: the one called “background”, else a guess."
        )
        self.background_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.background_choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.smooth = QCheckBox("Strokes spread along tissue")
        self.smooth.setChecked(True)
        self.smooth.setToolTip("Not ticked: what a voxel looks like decides alone, wherever it lies")
        self.unsure = QCheckBox("Also show where it is unsure")
        form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Background", self.background_choice)
        form.addRow(self.smooth)
        form.addRow(self.unsure)
        self.show_labels(())
        self.background_choice.activated.connect(self.changed)
        self.smooth.clicked.connect(self.changed)
        self.unsure.clicked.connect(self.changed)

    def show_labels(self, labels: Iterable[Label]) -> None:
        """Offer these classes as background; the chosen one stays."""
        chosen = self.background_choice.currentData()
        self.background_choice.clear()
        self.background_choice.addItem("by itself", None)
        self.background_choice.addItem("none", 0)
        for label in labels:
            self.background_choice.addItem(label.name, label.value)
        self.background_choice.setCurrentIndex(max(0, self.background_choice.findData(chosen)))

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are called in :func:`napari_resmed.jobs.scribble.scribble`."""
        return {
            "background": self.background_choice.currentData(),
            "smooth": self.smooth.isChecked(),
            "unsure": self.unsure.isChecked(),
        }
