"""The table of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QPushButton, QTableWidgetItem, QWidget

from napari_resmed.labels import Label
from napari_resmed.review.measure.figures import FIGURES
from napari_resmed.viewer.parts.structure_table import StructureTable

__all__ = ["FiguresTable"]

# What the first column may take of a narrow dock, so that figures are seen beside it.
_NAME_WIDTH = 130
_NOTHING = "–"


class FiguresTable(StructureTable):
    """A row for each structure, a column for each figure, with its unit; a click on a row chooses that label."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What was measured", "measured.csv", 1, parent)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.copy_button = QPushButton("Cop&y")
        self.copy_button.setToolTip("Copy the table, to paste it into a spreadsheet")
        self.copy_button.clicked.connect(self.copy)
        self.buttons.insertWidget(1, self.copy_button)

    def show_rows(self, rows: Sequence[Mapping[str, Any]], label_of: Callable[[int], Label]) -> None:
        """Show rows of the job ``measure``; ``label_of`` tells the colour of a value."""
        self._figures = [figure for figure in FIGURES if rows and figure.key in rows[0]]
        self.table.setColumnCount(1 + len(self._figures))
        self.table.setHorizontalHeaderLabels(["Structure", *(figure.heading for figure in self._figures)])
        self._fill(rows, lambda value: label_of(value).colour)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.resizeColumnsToContents()
        self.table.setColumnWidth(0, min(self.table.columnWidth(0), _NAME_WIDTH))

    def copy(self) -> None:
        """Put the table on the clipboard, all its digits, with tabs between the columns."""
        if self.rows:
            lines = [list(self.rows[0]), *(row.values() for row in self.rows)]
            text = "\n".join("\t".join("" if cell is None else str(cell) for cell in line) for line in lines)
            QApplication.clipboard().setText(text)

    def _cells(self, row: Mapping[str, Any]) -> Sequence[QTableWidgetItem]:
        figures = ((row[figure.key], figure.decimals) for figure in self._figures)
        return [QTableWidgetItem(_NOTHING if value is None else f"{value:.{digits}f}") for value, digits in figures]
