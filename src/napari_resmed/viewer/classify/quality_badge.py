"""Whether an image looks like those that the model was trained on, at a glance."""

from __future__ import annotations

from html import escape

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_resmed.review.quality import GOOD
from napari_resmed.viewer.parts.words import words

__all__ = ["QualityBadge"]

# Green and orange of Okabe and Ito, with the ink that is read best on each; the mark tells them apart without colour.
_USUAL, _UNUSUAL = ("#009E73", "white"), ("#E69F00", "black")


class QualityBadge(QWidget):
    """A coloured line of words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label)

    def show_quality(self, quality: str) -> None:
        """What :mod:`napari_resmed.review.quality` says of the image."""
        good = quality == GOOD
        ground, ink = _USUAL if good else _UNUSUAL
        self.label.setText("✓ Looks like the training images" if good else f"! Unusual: {escape(quality)}")
        self.label.setToolTip("" if good else "The answer may be wrong on an image unlike those it has learnt from.")
        self.label.setStyleSheet(
            f"QLabel {{ background: {ground}; color: {ink}; border-radius: 4px; padding: 3px 6px; }}"
        )
