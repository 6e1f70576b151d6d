"""The names of labels: read from layers, shown with their colours, edited by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.labels import Label, LabelSet, default_colour
from napari_resmed.viewer.layers import KEY

__all__ = ["LabelMeanings", "label_of", "labels_in", "paint_colours", "rename", "swatch"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 5
# Values that a new Labels layer has colours of its own for; nobody paints more by hand.
COLOURS = 60


def label_of(layer: Any, value: int) -> Label:
    """What a value of a Labels layer means: its name in the layer's features, its colour in the window."""
    name = ""
    features = layer.features
    if "index" in features and "structure" in features:
        found = features.loc[features["index"] == value, "structure"]
        name = "" if found.empty or pd.isna(found.iloc[0]) else str(found.iloc[0]).strip()
    colour = np.asarray(layer.colormap.map(value), dtype=float).reshape(-1)[:3]
    red, green, blue = (round(255 * part) for part in colour)
    return Label(value, name or f"label {value}", (red, green, blue))


def labels_in(layer: Any, values: Iterable[int]) -> tuple[Label, ...]:
    """What the values above 0 of a Labels layer mean."""
    return tuple(label_of(layer, value) for value in values if value > 0)


def rename(layer: Any, value: int, name: str) -> None:
    """Give a value of a Labels layer a name, where the window and the file writers find it."""
    features = layer.features
    if "index" in features and "structure" in features:
        rows = {int(index): str(said) for index, said in zip(features["index"], features["structure"], strict=True)}
    else:
        rows = {0: "background"}
    rows[value] = name
    layer.features = pd.DataFrame({"index": sorted(rows), "structure": [rows[index] for index in sorted(rows)]})
    ours = layer.metadata.get(KEY)
    if ours is not None:
        known = LabelSet.from_json(ours.get("labels", ()))
        code = known[value].code if value in known and known[value].name == name else None
        new = Label(value, name, label_of(layer, value).colour, code)
        ours["labels"] = LabelSet((*(label for label in known if label.value != value), new)).to_json()


def paint_colours() -> Any:
    """Colours for a new Labels layer: told apart with any colour vision, as far as there are such."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: (0.8, 0.2, 0.8, 1.0), 0: (0.0, 0.0, 0.0, 0.0)}
    for value in range(1, COLOURS + 1):
        colours[value] = (*(part / 255 for part in default_colour(value)), 1.0)
    return DirectLabelColormap(color_dict=colours)


def swatch(colour: Sequence[int]) -> QIcon:
    """A little square of a colour."""
    square = QPixmap(12, 12)
    square.fill(QColor(*colour))
    return QIcon(square)


class LabelMeanings(QWidget):
    """A table of values with colours and names; names are edited in place.

    Signals
    -------
    renamed(int, str)
        Value and its new name.
    """

    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: tuple[Label, ...] = ()
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["Label", "Name"])
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Names of the labels")
        self.table.setToolTip(
            "What each painted label is; click a name to change it.\nA label named “background” is background."
        )
        self.table.itemChanged.connect(self._on_changed)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)

    def show_labels(self, labels: Iterable[Label], voxels: Mapping[int, int]) -> None:
        """Show what is painted; the name that is being edited stays as it is."""
        labels = tuple(labels)
        for row, label in enumerate(labels):
            if row < len(self._labels) and len(labels) == len(self._labels) and self._labels[row] == label:
                self.table.item(row, 0).setToolTip(f"{voxels.get(label.value, 0)} voxels")
        if labels == self._labels:
            return
        self._labels = labels
        self.table.blockSignals(True)
        self.table.setRowCount(len(labels))
        for row, label in enumerate(labels):
            value = QTableWidgetItem(swatch(label.colour), str(label.value))
            value.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            value.setToolTip(f"{voxels.get(label.value, 0)} voxels")
            self.table.setItem(row, 0, value)
            self.table.setItem(row, 1, QTableWidgetItem(label.name))
        self.table.blockSignals(False)
        height = self.table.horizontalHeader().sizeHint().height() + 4
        height += self.table.verticalHeader().defaultSectionSize() * min(max(1, len(labels)), ROWS_SHOWN)
        self.table.setFixedHeight(height)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        label = self._labels[item.row()]
        name = " ".join(item.text().split())
        if not name or name == label.name:
            self.table.blockSignals(True)
            item.setText(label.name)
            self.table.blockSignals(False)
            return
        self._labels = tuple(Label(old.value, name, old.colour) if old is label else old for old in self._labels)
        self.renamed.emit(label.value, name)
