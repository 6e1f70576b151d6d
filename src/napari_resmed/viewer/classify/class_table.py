"""The table of classes and how probable each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QProgressBar, QTableWidgetItem, QWidget

from napari_resmed.viewer.parts.short_table import ShortTable

__all__ = ["ClassTable", "percent"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 6
_WHOLE = 1000


class ClassTable(ShortTable):
    """Classes with a bar for how probable each is, the most probable first; a click on a row chooses that class.

    Signals
    -------
    class_chosen(str)
        The class of the row that was clicked.
    """

    class_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(2, ROWS_SHOWN, parent)
        self.setHorizontalHeaderLabels(["Class", "Probability"])
        for column in (0, 1):
            self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Probability of each class")
        self.currentCellChanged.connect(self._choose)

    def show_probabilities(self, probabilities: Mapping[str, float]) -> None:
        """Show classes and their probabilities, 0..1."""
        rows = sorted(probabilities.items(), key=lambda row: -row[1])
        self.blockSignals(True)
        self.setRowCount(len(rows))
        for number, (name, share) in enumerate(rows):
            item = QTableWidgetItem(name)
            item.setToolTip(f"{name}: {share:.4f}")
            self.setItem(number, 0, item)
            bar = QProgressBar()
            bar.setRange(0, _WHOLE)
            bar.setValue(round(_WHOLE * share))
            bar.setFormat(percent(share))
            bar.setAlignment(Qt.AlignmentFlag.AlignCenter)
            bar.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            bar.setAccessibleName(f"{name} {percent(share)}")
            self.setCellWidget(number, 1, bar)
        self.setCurrentCell(-1, -1)
        self.blockSignals(False)

    def rows(self) -> list[tuple[str, str]]:
        """What is seen: class and probability."""
        return [(self.item(row, 0).text(), self._bar(row).text()) for row in range(self.rowCount())]

    def _bar(self, row: int) -> Any:
        return self.cellWidget(row, 1)

    def _choose(self, row: int, *_: int) -> None:
        if 0 <= row < self.rowCount():
            self.class_chosen.emit(self.item(row, 0).text())


def percent(share: float) -> str:
    """A probability in words that never claim to be certain."""
    if share > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
