"""What a dock shows before there is anything to work on."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

__all__ = ["Invitation"]


class Invitation(QWidget):
    """Says in a sentence what to do first, with a button that does it.

    Parameters
    ----------
    title, text, button:
        Plain words; the button's may mark a key with ``&``.
    second:
        The words of a second, smaller button; none where empty.

    Signals
    -------
    accepted(), second_wanted()
        A button was pressed.
    """

    accepted = Signal()
    second_wanted = Signal()

    def __init__(self, title: str, text: str, button: str, second: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel(f"<p style='font-size: large'><b>{title}</b></p><p>{text}</p>")
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton(button)
        self.button.setMinimumHeight(32)
        self.button.setDefault(True)
        self.button.clicked.connect(self.accepted)
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addWidget(words)
        layout.addSpacing(8)
        layout.addWidget(self.button)
        if second:
            self.second_button = QPushButton(second)
            self.second_button.clicked.connect(self.second_wanted)
            layout.addWidget(self.second_button)
        layout.addStretch()
