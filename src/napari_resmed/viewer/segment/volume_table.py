"""The table of structures and their volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QHeaderView, QTableWidgetItem, QWidget

from napari_resmed.labels import LabelSet
from napari_resmed.viewer.parts.structure_table import StructureTable

__all__ = ["VolumeTable"]


class VolumeTable(StructureTable):
    """Structures with colour, name, volume in mL and how unsure the model is; a click on a row chooses that label."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Volumes of the structures", "volumes.csv", 3, parent)
        self.table.setHorizontalHeaderLabels(["Structure", "Volume (mL)", "Unsure"])
        self.table.horizontalHeaderItem(2).setToolTip("Mean uncertainty of the structure's voxels, 0 sure to 100 %")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: Sequence[Mapping[str, Any]], labels: LabelSet) -> None:
        """Show rows of ``value, name, voxels, volume_ml`` and, where it was asked for, ``uncertainty``."""
        self.table.setColumnHidden(2, not any("uncertainty" in row for row in rows))
        self._fill(rows, lambda value: labels[value].colour if value in labels else None)

    def _cells(self, row: Mapping[str, Any]) -> Sequence[QTableWidgetItem]:
        volume = QTableWidgetItem(f"{row['volume_ml']:.2f}")
        volume.setToolTip(f"{row['voxels']} voxels")
        doubt = row.get("uncertainty")
        return volume, QTableWidgetItem("" if doubt is None else f"{doubt:.1%}")
