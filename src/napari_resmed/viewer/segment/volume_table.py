"""The table of structures and their volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.tables import write_table
from napari_resmed.labels import LabelSet
from napari_resmed.viewer.parts.ask_and_save import ask_and_save
from napari_resmed.viewer.parts.swatch import swatch

__all__ = ["VolumeTable"]

# Rows shown before the table scrolls; all of a brain's structures would push everything else out of the dock.
ROWS_SHOWN = 9


class VolumeTable(QWidget):
    """Structures with colour, name, volume in mL and how unsure the model is; a click on a row chooses that label.

    Signals
    -------
    label_chosen(int)
        The label value of the row that was clicked.
    """

    label_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Mapping[str, Any]] = []
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Structure", "Volume (mL)", "Unsure"])
        self.table.horizontalHeaderItem(2).setToolTip("Mean uncertainty of the structure's voxels, 0 sure to 100 %")
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setAccessibleName("Volumes of the structures")
        self.table.currentCellChanged.connect(self._choose)
        self.save_button = QPushButton("Save table…")
        self.save_button.setToolTip("Save the volumes as a CSV file")
        self.save_button.clicked.connect(self._ask_and_save)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)

    def show_rows(self, rows: Sequence[Mapping[str, Any]], labels: LabelSet) -> None:
        """Show rows of ``value, name, voxels, volume_ml`` and, where it was asked for, ``uncertainty``."""
        self._rows = list(rows)
        self.table.setColumnHidden(2, not any("uncertainty" in row for row in rows))
        self.table.blockSignals(True)
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            name = QTableWidgetItem(str(row["name"]))
            if row["value"] in labels:
                name.setIcon(swatch(labels[row["value"]].colour))
            volume = QTableWidgetItem(f"{row['volume_ml']:.2f}")
            volume.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            volume.setToolTip(f"{row['voxels']} voxels")
            self.table.setItem(number, 0, name)
            self.table.setItem(number, 1, volume)
            doubt = row.get("uncertainty")
            unsure = QTableWidgetItem("" if doubt is None else f"{doubt:.1%}")
            unsure.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(number, 2, unsure)
        self.table.setCurrentCell(-1, -1)
        self.table.blockSignals(False)
        height = self.table.horizontalHeader().sizeHint().height() + 4
        height += self.table.verticalHeader().defaultSectionSize() * min(len(rows), ROWS_SHOWN)
        self.table.setMinimumHeight(height)

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
        ask_and_save(self, "Save the volumes", "volumes.csv", self.save)
