"""The buttons that are at hand while strokes are painted."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

__all__ = ["Tools"]


class Tools(QWidget):
    """A row of three: where to paint next, all strokes away, and the end without a result."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.next_button = QPushButton("Where &next")
        self.next_button.setToolTip("Go to the slice and place where a stroke would teach most")
        self.clear_button = QPushButton("C&lear")
        self.clear_button.setToolTip("Remove all strokes; undo brings them back")
        self.stop_button = QPushButton("S&top")
        self.stop_button.setToolTip("End without a result; the strokes stay")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.next_button, self.clear_button, self.stop_button):
            row.addWidget(button)
