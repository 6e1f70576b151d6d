"""The list of cases: a picture, a name, how far each has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_resmed.io.project import ProjectCase, State
from napari_resmed.viewer.cases.state_marks import draw_mark

__all__ = ["THUMBNAIL", "CasesList", "Palette"]

THUMBNAIL = 48
_MARGIN = 5
_MARK = 12
_CASE = Qt.ItemDataRole.UserRole
_PICTURE = Qt.ItemDataRole.UserRole + 1

# Text, dim text, hovered row, open row, accent.
Palette = tuple[QColor, QColor, QColor, QColor, QColor]


class CasesList(QListView):
    """Cases of a project, those of one state or all.

    Parameters
    ----------
    palette:
        Called for the window's colours whenever a row is drawn; they follow its theme.

    Signals
    -------
    case_chosen(str)
        A row was clicked, or Enter pressed on it.
    picture_wanted(str)
        A case came into sight whose picture is not known; asked once, until :meth:`forget_picture`.
    """

    case_chosen = Signal(str)
    picture_wanted = Signal(str)

    def __init__(self, palette: Callable[[], Palette], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cases = _Cases(self)
        self._asked: set[str] = set()
        self.setModel(self._cases)
        self.setItemDelegate(_Row(palette, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Cases")
        self.setStyleSheet("QListView { background: transparent; border: none }")
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)

    @property
    def open_name(self) -> str:
        """The case that is open; empty where none is."""
        return self._cases.open_name

    @property
    def is_unsaved(self) -> bool:
        """Whether the open case was changed since it was last written."""
        return self._cases.unsaved

    @property
    def names(self) -> list[str]:
        """What is shown, from the top."""
        return [case.name for case in self._cases.shown]

    def show_cases(self, cases: Sequence[ProjectCase], only: State | None) -> None:
        """Show cases, of one state or all of them; the place in the list is kept."""
        self._cases.show_cases(cases, only)

    def show_open(self, name: str, unsaved: bool = False) -> None:
        """Mark the open case, and bring it into sight if it is another than before."""
        other = name != self._cases.open_name
        self._cases.open_name, self._cases.unsaved = name, unsaved
        self.viewport().update()
        if other and name in self.names:
            index = self._cases.index(self.names.index(name))
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def show_picture(self, name: str, picture: NDArray[np.uint8]) -> None:
        """Show the picture ``(size, size, 3)`` of a case."""
        height, width, _ = picture.shape
        image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._cases.pictures[name] = QPixmap.fromImage(image)
        self.viewport().update()

    def forget_picture(self, name: str) -> None:
        """A picture is out of date: it stays until the new one comes, which is asked for when it is next seen."""
        self._asked.discard(name)
        self.viewport().update()

    def clear(self) -> None:
        """Show nothing and remember nothing."""
        self._asked.clear()
        self._cases.pictures.clear()
        self.show_open("")
        self.show_cases((), None)

    def ask_for_picture(self, name: str) -> None:
        """A row is being drawn: its picture is wanted if it was not yet asked for."""
        if name not in self._asked:
            self._asked.add(name)
            self.picture_wanted.emit(name)

    def _choose(self, index: QModelIndex) -> None:
        case: ProjectCase | None = index.data(_CASE)
        if case is not None:
            self.case_chosen.emit(case.name)


class _Cases(QAbstractListModel):
    """What the list shows."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.shown: tuple[ProjectCase, ...] = ()
        self.pictures: dict[str, QPixmap] = {}
        self.open_name = ""
        self.unsaved = False

    def show_cases(self, cases: Sequence[ProjectCase], only: State | None) -> None:
        shown = tuple(case for case in cases if only is None or case.state is only)
        if [case.name for case in shown] == [case.name for case in self.shown]:
            self.shown = shown
            if shown:
                self.dataChanged.emit(self.index(0), self.index(len(shown) - 1))
            return
        self.beginResetModel()
        self.shown = shown
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self.shown):
            return None
        case = self.shown[index.row()]
        if role == _CASE:
            return case
        if role == _PICTURE:
            return self.pictures.get(case.name)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{case.name}, {_words(case)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            written = f"\nlabels last written {case.written.replace('T', ' ')[:16]} UTC" if case.written else ""
            return f"{case.name}\n{_words(case)}{written}"
        return None


def _words(case: ProjectCase) -> str:
    if case.state is State.PREDICTED and case.uncertainty is not None:
        return f"{case.state} · unsure {100 * case.uncertainty:.0f} %"
    return str(case.state)


class _Row(QStyledItemDelegate):
    """Draws one case."""

    def __init__(self, palette: Callable[[], Palette], view: CasesList) -> None:
        super().__init__(view)
        self._palette, self._view = palette, view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        return QSize(THUMBNAIL * 4, THUMBNAIL + 2 * _MARGIN)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        case: ProjectCase | None = index.data(_CASE)
        if painter is None or case is None:
            return
        self._view.ask_for_picture(case.name)
        text, dim, hovered, opened, accent = self._palette()
        is_open = case.name == self._view.open_name
        row = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        if is_open:
            painter.fillRect(row, opened)
            painter.fillRect(QRect(row.left(), row.top(), 3, row.height()), accent)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(row, hovered)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(accent)
            painter.drawRect(row.adjusted(0, 0, -1, -1))
        place = QRect(row.left() + _MARGIN + 4, row.top() + _MARGIN, THUMBNAIL, THUMBNAIL)
        _draw_picture(painter, place, index.data(_PICTURE))
        left = place.right() + 10
        words = QRect(left, row.top() + 9, row.right() - left - 6, 20)
        font = QFont(option.font)
        font.setBold(is_open)
        painter.setFont(font)
        painter.setPen(text)
        unsaved = " •" if is_open and self._view.is_unsaved else ""
        name = painter.fontMetrics().elidedText(case.name + unsaved, Qt.TextElideMode.ElideMiddle, words.width())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, name)
        draw_mark(painter, QRectF(left, row.top() + 34, _MARK, _MARK), case.state)
        painter.setFont(option.font)
        painter.setPen(dim)
        below = QRect(left + _MARK + 6, row.top() + 30, row.right() - left - _MARK - 12, 20)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, _words(case))
        painter.restore()


def _draw_picture(painter: QPainter, place: QRect, picture: QPixmap | None) -> None:
    path = QPainterPath()
    path.addRoundedRect(QRectF(place), 4, 4)
    painter.fillPath(path, QColor(0, 0, 0))
    if picture is not None:
        painter.save()
        painter.setClipPath(path)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, picture)
        painter.restore()
