"""The table of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.tables import write_table
from napari_resmed.labels import Label
from napari_resmed.review.measure.figures import FIGURES
from napari_resmed.viewer.parts.ask_and_save import ask_and_save
from napari_resmed.viewer.parts.swatch import swatch

__all__ = ["FiguresTable"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 9
# What the first column may take of a narrow dock, so that figures are seen beside it.
_NAME_WIDTH = 130
_NOTHING = "–"


class FiguresTable(QWidget):
    """A row for each structure, a column for each figure, with its unit; a click on a row chooses that label.

    Signals
    -------
    label_chosen(int)
        The label value of the row that was clicked.
    """

    label_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Mapping[str, Any]] = []
        self.table = QTableWidget(0, 1)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("What was measured")
        self.table.currentCellChanged.connect(self._choose)
        self.copy_button = QPushButton("Cop&y")
        self.copy_button.setToolTip("Copy the table, to paste it into a spreadsheet")
        self.copy_button.clicked.connect(self.copy)
        self.save_button = QPushButton("Save CS&V…")
        self.save_button.setToolTip("Save the table as a CSV file")
        self.save_button.clicked.connect(self._ask_and_save)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)

    def show_rows(self, rows: Sequence[Mapping[str, Any]], label_of: Callable[[int], Label]) -> None:
        """Show rows of the job ``measure``; ``label_of`` tells the colour of a value."""
        self._rows = list(rows)
        figures = [figure for figure in FIGURES if rows and figure.key in rows[0]]
        self.table.blockSignals(True)
        self.table.setColumnCount(1 + len(figures))
        self.table.setHorizontalHeaderLabels(["Structure", *(figure.heading for figure in figures)])
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            name = QTableWidgetItem(swatch(label_of(row["value"]).colour), str(row["name"]))
            name.setToolTip(f"{row['name']}: label {row['value']}")
            self.table.setItem(number, 0, name)
            for column, figure in enumerate(figures, start=1):
                value = row[figure.key]
                item = QTableWidgetItem(_NOTHING if value is None else f"{value:.{figure.decimals}f}")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(number, column, item)
        self.table.setCurrentCell(-1, -1)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.resizeColumnsToContents()
        self.table.setColumnWidth(0, min(self.table.columnWidth(0), _NAME_WIDTH))
        self.table.blockSignals(False)
        height = header.sizeHint().height() + self.table.horizontalScrollBar().sizeHint().height() + 4
        height += self.table.verticalHeader().defaultSectionSize() * min(max(len(rows), 1), ROWS_SHOWN)
        self.table.setMinimumHeight(height)

    def copy(self) -> None:
        """Put the table on the clipboard, all its digits, with tabs between the columns."""
        if self._rows:
            lines = [list(self._rows[0]), *(row.values() for row in self._rows)]
            text = "\n".join("\t".join("" if cell is None else str(cell) for cell in line) for line in lines)
            QApplication.clipboard().setText(text)

    def save(self, path: Path) -> None:
        """Write the table as CSV.

        Raises
        ------
        ResMedError
            If it cannot be written there.
        """
        write_table(self._rows, path)

    def _choose(self, row: int, *_: int) -> None:
        if 0 <= row < len(self._rows):
            self.label_chosen.emit(int(self._rows[row]["value"]))

    def _ask_and_save(self) -> None:
        ask_and_save(self, "Save what was measured", "measured.csv", self.save)
