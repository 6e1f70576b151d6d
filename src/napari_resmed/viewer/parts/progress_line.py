"""How far something is, with a button that stops it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_resmed.events import Progress, Started
from napari_resmed.viewer.parts.duration import duration

__all__ = ["ProgressLine"]

_WHOLE = 1000


class ProgressLine(QWidget):
    """A bar and Cancel; seen only while something runs.

    Signals
    -------
    cancel_wanted()
        The button was pressed.
    """

    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = QProgressBar()
        self.bar.setRange(0, _WHOLE)
        self.bar.setTextVisible(False)
        self.cancel_button = QPushButton("&Cancel")
        self.cancel_button.clicked.connect(self.cancel_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel_button)

    def show_event(self, event: Progress | Started) -> str:
        """Move the bar; what to say beside it."""
        if isinstance(event, Started):
            return event.what
        self.show_done(event.done)
        left = "" if event.seconds_left is None else f", {duration(event.seconds_left)} left"
        return f"{event.what}{left}"

    def show_done(self, share: float) -> None:
        """The share done, 0..1."""
        self.bar.setValue(round(_WHOLE * share))
