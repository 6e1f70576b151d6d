"""The names and colours of a project's labels, to look at and to change."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.labels import Label, LabelSet, default_colour

__all__ = ["LabelNames"]

_VALUE, _COLOUR, _NAME = range(3)
ROWS_SHOWN = 6


class LabelNames(QWidget):
    """A table of labels: a click chooses one, a double click renames it, a click on a colour changes it.

    Signals
    -------
    label_chosen(int)
        The value of the row that was clicked.
    changed(LabelSet)
        A person changed a name or a colour, or added a label.
    """

    label_chosen = Signal(int)
    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels = LabelSet()
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Value", "", "Structure"])
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(_VALUE, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_COLOUR, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(24)
        self.table.setColumnWidth(_COLOUR, 30)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAccessibleName("Labels of the project")
        self.table.setToolTip("Click to paint with a label, double-click to rename it")
        self.table.cellClicked.connect(self._on_click)
        self.table.itemChanged.connect(self._on_edit)
        self.add_button = QPushButton("Add label")
        self.add_button.setToolTip("Add a structure to annotate")
        self.add_button.clicked.connect(self.add)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)

    @property
    def is_editing(self) -> bool:
        """Whether a name is being typed."""
        return self.table.state() == QAbstractItemView.State.EditingState

    def show_labels(self, labels: LabelSet) -> None:
        """Show a set of labels."""
        self.labels = labels
        self.table.blockSignals(True)
        self.table.setRowCount(len(labels))
        for row, label in enumerate(labels):
            value = QTableWidgetItem(str(label.value))
            value.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            swatch = QPixmap(14, 14)
            swatch.fill(QColor(*label.colour))
            colour = QTableWidgetItem(QIcon(swatch), "")
            colour.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            colour.setToolTip(f"Colour of {label.name}: click to change it")
            for column, item in ((_VALUE, value), (_COLOUR, colour), (_NAME, QTableWidgetItem(label.name))):
                self.table.setItem(row, column, item)
        self.table.blockSignals(False)
        rows = min(max(len(labels), 1), ROWS_SHOWN)
        height = self.table.horizontalHeader().sizeHint().height() + 4
        self.table.setFixedHeight(height + self.table.verticalHeader().defaultSectionSize() * rows)

    def add(self) -> None:
        """Add a label with the next value and have its name typed."""
        names = {label.name for label in self.labels}
        value = max(self.labels.values, default=0) + 1
        name = next(f"label {k}" for k in range(value, value + len(names) + 1) if f"label {k}" not in names)
        self._change(LabelSet((*self.labels, Label(value, name, default_colour(value)))))
        self.table.setCurrentCell(len(self.labels) - 1, _NAME)
        self.table.editItem(self.table.item(len(self.labels) - 1, _NAME))

    def recolour(self, value: int, colour: QColor) -> None:
        """Give a label another colour."""
        rgb = (colour.red(), colour.green(), colour.blue())
        self._change(LabelSet(tuple(replace(one, colour=rgb) if one.value == value else one for one in self.labels)))

    def _on_click(self, row: int, column: int) -> None:
        label = list(self.labels)[row]
        self.label_chosen.emit(label.value)
        if column == _COLOUR:
            colour = QColorDialog.getColor(QColor(*label.colour), self, f"Colour of {label.name}")
            if colour.isValid():
                self.recolour(label.value, colour)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        if item.column() != _NAME:
            return
        old = list(self.labels)[item.row()]
        name = item.text().strip()
        if name != old.name:
            self._change(LabelSet(tuple(replace(one, name=name) if one is old else one for one in self.labels)))

    def _change(self, labels: LabelSet) -> None:
        self.show_labels(labels)
        self.changed.emit(labels)
