"""What should be known of the series that is chosen, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_resmed.io.dicom import Series
from napari_resmed.viewer.dicom.series_words import REMEDIES, notes_of
from napari_resmed.viewer.parts.words import plain_words

__all__ = ["SeriesDetails"]


class SeriesDetails(QWidget):
    """The full sentences, with a button for each remedy below them.

    Signals
    -------
    remedy_wanted(str)
        Open it in this way.
    """

    remedy_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notes = plain_words()
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.notes)
        for remedy, (text, tip) in REMEDIES.items():
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(partial(self._want, remedy))
            layout.addWidget(button)
            self.buttons[remedy] = button
        self.show_series(())

    def show_series(self, series: Sequence[Series]) -> None:
        """Tell of the one series that is chosen; of several there is nothing to tell."""
        one = series[0] if len(series) == 1 else None
        self.notes.setText("\n".join(notes_of(one)) if one else "")
        self.notes.setVisible(bool(self.notes.text()))
        for remedy, button in self.buttons.items():
            button.setVisible(one is not None and remedy in one.remedies)
        self.setVisible(bool(self.notes.text()))

    def _want(self, remedy: str, *_: bool) -> None:
        self.remedy_wanted.emit(remedy)
