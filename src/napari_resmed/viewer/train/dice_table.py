"""The table of structures, or classes, with their figures before and after a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.tables import write_table
from napari_resmed.viewer.parts.short_table import ShortTable
from napari_resmed.viewer.parts.swatch import swatch
from napari_resmed.viewer.train.judged import DICE, Judged

__all__ = ["DiceTable"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 8
_NOT_MEASURED = "–"


class DiceTable(QWidget):
    """Structures or classes with colour, name, figures before and after, and the mean; saved as CSV.

    Signals
    -------
    save_table, save_curves
        A button was pressed.
    """

    save_table = Signal()
    save_curves = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[dict[str, Any]] = []
        self.table = ShortTable(3, ROWS_SHOWN)
        self.table.setHorizontalHeaderLabels(["Structure", "Before", "After"])
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table_button = QPushButton("Save table…")
        self.table_button.setToolTip("Save the figures as a CSV file")
        self.table_button.clicked.connect(self.save_table)
        self.curves_button = QPushButton("Save curves…")
        self.curves_button.setToolTip("Save the curves as a PNG or SVG file")
        self.curves_button.clicked.connect(self.save_curves)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.curves_button)
        buttons.addWidget(self.table_button)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)

    def show_dice(
        self,
        before: Mapping[str, float | None],
        after: Mapping[str, float | None],
        colours: Mapping[str, tuple[int, int, int]],
        judged: Judged = DICE,
    ) -> None:
        """Show figures by structure or class; None where it was not measured."""
        self.table.setHorizontalHeaderLabels([judged.each.capitalize(), "Before", "After"])
        self.table.setAccessibleName(f"{judged.title}, by {judged.each}")
        self.rows = [
            {judged.each: name, f"{judged.key}_before": before.get(name), f"{judged.key}_after": value}
            for name, value in after.items()
        ]
        shown = [(name, before.get(name), value) for name, value in after.items()]
        if len(shown) > 1:
            shown.append(("mean", _mean(before.values()), _mean(after.values())))
        self.table.setRowCount(len(shown))
        for number, (name, *figures) in enumerate(shown):
            first = QTableWidgetItem(name)
            if name in colours:
                first.setIcon(swatch(colours[name]))
            self.table.setItem(number, 0, first)
            for column, figure in enumerate(figures, 1):
                cell = QTableWidgetItem(_NOT_MEASURED if figure is None else f"{figure:.3f}")
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if figure is None:
                    cell.setToolTip(
                        "nothing to measure: it began from scratch, or the model did not know it"
                        if column == 1
                        else "nothing of it is in what was held out"
                    )
                self.table.setItem(number, column, cell)
        self.table.setCurrentCell(-1, -1)

    def save(self, path: Path) -> None:
        """Write the table as CSV, empty where nothing was measured.

        The columns are ``structure, dice_before, dice_after``, or ``class, auc_before, auc_after``.

        Raises
        ------
        ResMedError
            If it cannot be written there.
        """
        write_table(self.rows, path)


def _mean(values: Any) -> float | None:
    measured = [value for value in values if value is not None]
    return sum(measured) / len(measured) if measured else None
