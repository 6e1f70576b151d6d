"""The names and colours of labels, to look at and to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.labels import Label, LabelSet, default_colour
from napari_resmed.viewer.parts.short_table import ShortTable
from napari_resmed.viewer.parts.swatch import swatch

__all__ = ["LabelTable"]

_VALUE, _COLOUR, _NAME = range(3)
# Rows shown before the table scrolls.
ROWS_SHOWN = 6
_FIXED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class LabelTable(QWidget):
    """A table of labels: a click chooses one, and its name is edited in place.

    Parameters
    ----------
    may_grow:
        Whether labels can be added and given another colour: they are a project's, and not what a layer shows.

    Signals
    -------
    chosen(int)
        The value of the row that was clicked.
    renamed(int, str)
        A value and its new name.
    changed(LabelSet)
        A person changed a name or a colour, or added a label.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    changed = Signal(object)

    def __init__(self, *, may_grow: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._may_grow = may_grow
        self.labels = LabelSet()
        self.table = ShortTable(3, ROWS_SHOWN)
        self.table.setHorizontalHeaderLabels(["Value", "", "Structure"])
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(_VALUE, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_COLOUR, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(24)
        self.table.setColumnWidth(_COLOUR, 30)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Names of the labels")
        if may_grow:
            self.table.setToolTip("Click to paint with a label, double-click to rename it")
        else:
            self.table.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
            self.table.setToolTip(
                "What each painted label is; click a name to change it.\nA label named “background” is background."
            )
        self.table.cellClicked.connect(self._on_click)
        self.table.itemChanged.connect(self._on_edit)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        if may_grow:
            layout.addLayout(self._build_add())

    def _build_add(self) -> QHBoxLayout:
        self.add_button = QPushButton("Add label")
        self.add_button.setToolTip("Add a structure to annotate")
        self.add_button.clicked.connect(self.add)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.add_button)
        return buttons

    @property
    def is_editing(self) -> bool:
        """Whether a name is being typed."""
        return self.table.state() == QAbstractItemView.State.EditingState

    def show_labels(self, labels: Iterable[Label], voxels: Mapping[int, int] | None = None) -> None:
        """Show labels; where they are those that are shown, the name that is being edited stays as it is.

        Parameters
        ----------
        labels:
            What is shown.
        voxels:
            How many there are of each, if that is known.
        """
        labels = LabelSet(tuple(labels))
        if labels != self.labels or not len(labels):
            self.labels = labels
            self._fill()
        for row, label in enumerate(labels):
            if voxels is not None:
                self.table.item(row, _VALUE).setToolTip(f"{voxels.get(label.value, 0)} voxels")

    def _fill(self) -> None:
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.labels))
        for row, label in enumerate(self.labels):
            value = QTableWidgetItem(str(label.value))
            value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            colour = QTableWidgetItem(swatch(label.colour), "")
            if self._may_grow:
                colour.setToolTip(f"Colour of {label.name}: click to change it")
            for item in (value, colour):
                item.setFlags(_FIXED)
            for column, item in ((_VALUE, value), (_COLOUR, colour), (_NAME, QTableWidgetItem(label.name))):
                self.table.setItem(row, column, item)
        self.table.blockSignals(False)

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
        self.chosen.emit(label.value)
        if column == _COLOUR and self._may_grow:
            colour = QColorDialog.getColor(QColor(*label.colour), self, f"Colour of {label.name}")
            if colour.isValid():
                self.recolour(label.value, colour)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        if item.column() != _NAME:
            return
        old = list(self.labels)[item.row()]
        name = " ".join(item.text().split())
        if not name or name == old.name:
            self.table.blockSignals(True)
            item.setText(old.name)
            self.table.blockSignals(False)
            return
        self._change(LabelSet(tuple(one.called(name) if one is old else one for one in self.labels)))
        self.renamed.emit(old.value, name)

    def _change(self, labels: LabelSet) -> None:
        self.labels = labels
        self._fill()
        self.changed.emit(labels)
