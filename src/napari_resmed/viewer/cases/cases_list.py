"""The list of cases: a picture, a name, how far each has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QRectF, Qt, Signal
from qtpy.QtGui import QFont, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyleOptionViewItem, QWidget

from napari_resmed.io.project import ProjectCase, State
from napari_resmed.viewer.cases.state_marks import draw_mark
from napari_resmed.viewer.parts.palette import Palette
from napari_resmed.viewer.parts.picture_row import PictureRow, as_pixmap, set_up_list

__all__ = ["CasesList"]

_MARK = 12
_CASE = Qt.ItemDataRole.UserRole
_PICTURE = Qt.ItemDataRole.UserRole + 1


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
        set_up_list(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("Cases")
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
        self._cases.pictures[name] = as_pixmap(picture)
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
    slices = f" · {case.complete_slices} slice{'s' * (case.complete_slices > 1)}" if case.complete_slices else ""
    return f"{case.state}{slices}"


class _Row(PictureRow):
    """Draws one case."""

    def __init__(self, palette: Callable[[], Palette], view: CasesList) -> None:
        super().__init__(palette, view)
        self._view = view

    def picture(self, index: QModelIndex) -> QPixmap | None:
        self._view.ask_for_picture(index.data(_CASE).name)
        found: QPixmap | None = index.data(_PICTURE)
        return found

    def is_open(self, option: QStyleOptionViewItem, index: QModelIndex) -> bool:
        return bool(index.data(_CASE).name == self._view.open_name)

    def draw_words(
        self, painter: QPainter, words: QRect, index: QModelIndex, option: QStyleOptionViewItem, colours: Palette
    ) -> None:
        case: ProjectCase = index.data(_CASE)
        is_open = self.is_open(option, index)
        above = QRect(words.left(), words.top() + 9, words.width(), 20)
        font = QFont(option.font)
        font.setBold(is_open)
        painter.setFont(font)
        painter.setPen(colours.text)
        unsaved = " •" if is_open and self._view.is_unsaved else ""
        name = painter.fontMetrics().elidedText(case.name + unsaved, Qt.TextElideMode.ElideMiddle, above.width())
        painter.drawText(above, Qt.AlignmentFlag.AlignVCenter, name)
        draw_mark(painter, QRectF(words.left(), words.top() + 34, _MARK, _MARK), case.state)
        painter.setFont(option.font)
        painter.setPen(colours.dim)
        below = QRect(words.left() + _MARK + 6, words.top() + 30, words.width() - _MARK - 6, 20)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, _words(case))
