"""A table with a row for each structure: chosen by a click, saved as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.tables import write_table
from napari_resmed.viewer.parts.ask_and_save import ask_and_save
from napari_resmed.viewer.parts.short_table import ShortTable
from napari_resmed.viewer.parts.swatch import swatch

__all__ = ["StructureTable"]

Colour = tuple[int, int, int]

# Rows shown before the table scrolls; all of a brain's structures would push everything else out of the dock.
ROWS_SHOWN = 9


class StructureTable(QWidget):
    """Rows with a ``value`` and a ``name``; a subclass fills the columns beside the name.

    Parameters
    ----------
    what:
        What the table says, for people who hear it read out and as title of the question where to save it.
    file:
        Name that is proposed for the file.
    columns:
        How many there are at first.

    Signals
    -------
    label_chosen(int)
        The label value of the row that was clicked.
    """

    label_chosen = Signal(int)

    def __init__(self, what: str, file: str, columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._what, self._file = what, file
        self.rows: Sequence[Mapping[str, Any]] = ()
        self.table = ShortTable(columns, ROWS_SHOWN, may_stretch=True)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName(what)
        self.table.currentCellChanged.connect(self._choose)
        self.save_button = QPushButton("Save CS&V…")
        self.save_button.setToolTip("Save the table as a CSV file")
        self.save_button.clicked.connect(self._ask_and_save)
        self.buttons = QHBoxLayout()
        self.buttons.addStretch()
        self.buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addLayout(self.buttons)

    def save(self, path: Path) -> None:
        """Write the table as CSV.

        Raises
        ------
        ResMedError
            If it cannot be written there.
        """
        write_table(self.rows, path)

    def _fill(self, rows: Sequence[Mapping[str, Any]], colour_of: Callable[[int], Colour | None]) -> None:
        """Show rows; none is chosen."""
        self.rows = list(rows)
        self.table.blockSignals(True)
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            name = QTableWidgetItem(str(row["name"]))
            colour = colour_of(row["value"])
            if colour is not None:
                name.setIcon(swatch(colour))
            name.setToolTip(f"{row['name']}: label {row['value']}")
            self.table.setItem(number, 0, name)
            for column, item in enumerate(self._cells(row), start=1):
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(number, column, item)
        self.table.setCurrentCell(-1, -1)
        self.table.blockSignals(False)

    def _cells(self, row: Mapping[str, Any]) -> Sequence[QTableWidgetItem]:
        """What stands right of a row's name."""
        raise NotImplementedError

    def _choose(self, row: int, *_: int) -> None:
        if 0 <= row < len(self.rows):
            self.label_chosen.emit(int(self.rows[row]["value"]))

    def _ask_and_save(self) -> None:
        ask_and_save(self, f"Save: {self._what.lower()}", self._file, self.save)
