"""The table of images, and what a person types for each: its class, whose it is, of which modality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCompleter,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidgetItem,
    QWidget,
)

from napari_resmed.viewer.parts.short_table import ShortTable

__all__ = ["ClassRow", "ClassRows"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 8
_CLASS, _PATIENT, _MODALITY = 1, 2, 3
_TIPS = {
    _CLASS: "What the image is, in a word or two; empty: it is not learnt from",
    _PATIENT: (
        "A name or number of your own; empty: unknown, and no other's.\n"
        "Images of one patient are never on both sides when the model is judged. What their files say stands here."
    ),
    _MODALITY: (
        "Where patients have images of several kinds: which one this is, e.g. T1 or FLAIR; empty: all are of one.\n"
        "Those of one patient are learnt from together. Some may be missing."
    ),
}


@dataclass(eq=False)
class ClassRow:
    """An image layer with what was typed for it, and the patient that its file tells of."""

    image: Image
    class_name: str = ""
    typed_patient: str | None = None  # None: nothing was typed
    found_patient: str = ""
    modality: str = ""

    @property
    def patient(self) -> str:
        """Whose image it is; empty where nobody knows."""
        return self.found_patient if self.typed_patient is None else self.typed_patient


class ClassRows(ShortTable):
    """A row for each image layer; Enter goes on to the next one.

    What was typed stays with its layer while that lives.

    Signals
    -------
    changed()
        Something was typed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(4, ROWS_SHOWN, parent)
        self._known: WeakKeyDictionary[Image, ClassRow] = WeakKeyDictionary()
        self._rows: list[ClassRow] = []
        self.setHorizontalHeaderLabels(["Image", "Class", "Patient", "Modality"])
        header = self.horizontalHeader()
        for column in (0, _CLASS):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        for column in (_PATIENT, _MODALITY):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        for column, tip in _TIPS.items():
            self.horizontalHeaderItem(column).setToolTip(tip)
        for column, typed in ((_CLASS, lambda: self.classes), (_MODALITY, lambda: self._all_modalities)):
            self.setItemDelegateForColumn(column, _Typed(self, typed))
        self.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Images to learn from, and the class of each")
        self.itemChanged.connect(self._on_typed)

    @property
    def rows(self) -> Sequence[ClassRow]:
        """All of them, also those without a class."""
        return self._rows

    @property
    def typed(self) -> list[ClassRow]:
        """Those that have a class."""
        return [row for row in self._rows if row.class_name]

    @property
    def classes(self) -> list[str]:
        """The classes that were typed, each once."""
        return sorted({row.class_name for row in self.typed}, key=str.casefold)

    @property
    def modalities(self) -> list[str]:
        """The modalities of those that have a class, each once."""
        return sorted({row.modality for row in self.typed} - {""}, key=str.casefold)

    @property
    def _all_modalities(self) -> list[str]:
        return sorted({row.modality for row in self._rows} - {""}, key=str.casefold)

    def fill(self, images: Iterable[Image]) -> None:
        """Show these image layers."""
        rows = [self._known.setdefault(image, ClassRow(image)) for image in images]
        shown = [self.item(number, 0).text() for number in range(self.rowCount())]
        if rows == self._rows and shown == [row.image.name for row in rows]:
            return  # what has the keyboard keeps it
        self._rows = rows
        self.blockSignals(True)
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            name = QTableWidgetItem(row.image.name)
            name.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            name.setToolTip(row.image.name)
            self.setItem(number, 0, name)
            for column, text in ((_CLASS, row.class_name), (_PATIENT, row.patient), (_MODALITY, row.modality)):
                item = QTableWidgetItem(text)
                item.setToolTip(_TIPS[column])
                self.setItem(number, column, item)
        self.blockSignals(False)

    def show_patients(self, found: Mapping[Image, str]) -> None:
        """Show whose images the files say they are, where a person typed nothing else."""
        self.blockSignals(True)
        for number, row in enumerate(self._rows):
            row.found_patient = found.get(row.image, "")
            self.item(number, _PATIENT).setText(row.patient)
        self.blockSignals(False)

    def _on_typed(self, item: QTableWidgetItem) -> None:
        row, text = self._rows[item.row()], item.text().strip()
        if item.column() == _CLASS:
            row.class_name = ""
            row.class_name = text = _as_before(text, self.classes)
        elif item.column() == _MODALITY:
            row.modality = ""
            row.modality = text = _as_before(text, self._all_modalities)
        elif item.column() == _PATIENT:
            row.typed_patient = None if text == row.found_patient else text
        if text != item.text():
            self.blockSignals(True)
            item.setText(text)
            self.blockSignals(False)
        self.changed.emit()


def _as_before(text: str, known: Iterable[str]) -> str:
    """What was typed first stands: "Ill" and "ill" are one."""
    return next((name for name in known if name.casefold() == text.casefold()), text)


class _Typed(QStyledItemDelegate):
    """Completes what is typed from what stands in the column, and goes on to the next row with Enter."""

    def __init__(self, table: ClassRows, typed: Callable[[], list[str]]) -> None:
        super().__init__(table)
        self._table, self._typed = table, typed

    def createEditor(  # noqa: N802
        self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget | None:
        edit = QLineEdit(parent)
        completer = QCompleter(self._typed(), edit)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.InlineCompletion)
        edit.setCompleter(completer)
        return edit

    def eventFilter(self, editor: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        key: Any = event
        if event is not None and event.type() == QEvent.Type.KeyPress and key.key() in enter:
            self.commitData.emit(editor)
            self.closeEditor.emit(editor, QStyledItemDelegate.EndEditHint.NoHint)
            below = self._table.currentRow() + 1
            if below < self._table.rowCount():
                self._table.setCurrentCell(below, self._table.currentColumn())
            return True
        return bool(super().eventFilter(editor, event))
