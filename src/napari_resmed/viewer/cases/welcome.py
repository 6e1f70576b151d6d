"""What the Cases dock shows before there is a project."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

__all__ = ["Welcome"]


class Welcome(QWidget):
    """Says what to do first.

    Signals
    -------
    choose_wanted()
        A person wants to choose a folder.
    """

    choose_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        text = QLabel(
            "<p style='font-size: large'><b>Annotate a folder of images</b></p>"
            "<p>Choose a folder, or drop one here: images, a project, or raw data of nnU-Net.</p>"
        )
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.choose_button = QPushButton("&Choose folder…")
        self.choose_button.setMinimumHeight(32)
        self.choose_button.setDefault(True)
        self.choose_button.clicked.connect(self.choose_wanted)
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addWidget(text)
        layout.addSpacing(8)
        layout.addWidget(self.choose_button)
        layout.addStretch()
