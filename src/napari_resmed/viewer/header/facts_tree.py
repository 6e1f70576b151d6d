"""Facts under headings, to look through and to copy."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_resmed.viewer.header.facts import Fact

__all__ = ["FactsTree"]

_NAME_WIDTH = 112
_PADDING = 4
# Longer values are cut with dots; the tooltip has all.
_MOST_LINES = 4


class FactsTree(QTreeWidget):
    """Two columns under headings; a filter hides what does not hold all its words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: tuple[Fact, ...] = ()
        self._filter = ""
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setWordWrap(True)
        self.setItemDelegateForColumn(1, _Wrapped(self))
        self.setUniformRowHeights(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.header().setMinimumSectionSize(40)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(0, _NAME_WIDTH)
        self.setAccessibleName("What is known of the layer")
        self.setStyleSheet("QTreeWidget { background: transparent; border: none } QTreeWidget::item { padding: 2px }")
        copy = QShortcut(QKeySequence.StandardKey.Copy, self)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy_selected)

    @property
    def shown(self) -> list[Fact]:
        """The facts that the filter lets through."""
        words = self._filter.casefold().split()
        return [
            fact
            for fact in self._facts
            if all(word in f"{fact.heading} {fact.name} {fact.value}".casefold() for word in words)
        ]

    def show_facts(self, facts: Sequence[Fact]) -> None:
        """Show these; the place in the list is kept where they are the same lines."""
        facts = tuple(facts)
        if facts == self._facts:
            return
        bar = self.verticalScrollBar()
        kept = bar.value() if [fact.name for fact in facts] == [fact.name for fact in self._facts] else 0
        self._facts = facts
        self._fill()
        bar.setValue(kept)

    def filter(self, text: str) -> None:
        """Show only what holds all these words, in any case."""
        self._filter = text
        self._fill()

    def copy_selected(self) -> None:
        """Put the chosen lines on the clipboard."""
        facts = [item.data(0, Qt.ItemDataRole.UserRole) for item in self.selectedItems()]
        self._copy([fact for fact in facts if fact is not None])

    def copy_all(self, without: str = "") -> int:
        """Put the lines that are shown on the clipboard, all but those under one heading; how many there were."""
        facts = [fact for fact in self.shown if fact.heading != without]
        self._copy(facts)
        return len(facts)

    def _copy(self, facts: Sequence[Fact]) -> None:
        clipboard = QGuiApplication.clipboard()
        if facts and clipboard is not None:
            clipboard.setText("\n".join(f"{fact.heading}\t{fact.name}\t{fact.value}" for fact in facts))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Break the lines anew for another width."""
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()

    def _fill(self) -> None:
        self.clear()
        heading = ""
        for fact in self.shown:
            if fact.heading != heading:
                heading = fact.heading
                self._add_heading(heading)
            item = QTreeWidgetItem([fact.name, fact.value])
            item.setData(0, Qt.ItemDataRole.UserRole, fact)
            for column in (0, 1):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            item.setToolTip(1, fact.value)
            item.setToolTip(0, fact.name)
            self.addTopLevelItem(item)

    def _add_heading(self, text: str) -> None:
        item = QTreeWidgetItem([text])
        font = self.font()
        font.setBold(True)
        item.setFont(0, font)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        self.addTopLevelItem(item)
        item.setFirstColumnSpanned(True)


class _Wrapped(QStyledItemDelegate):
    """Makes a row as high as its value needs in the width there is."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        tree = self.parent()
        width = tree.columnWidth(1) - 4 * _PADDING
        room = QRect(0, 0, max(40, width), 10_000)
        lines = tree.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, str(index.data() or "")).height()
        line = tree.fontMetrics().lineSpacing()
        return QSize(width, min(lines, _MOST_LINES * line) + _PADDING)
