"""The list of series: a picture, a name, how large, and whether there is something to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QFont, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyle, QStyleOptionViewItem, QWidget

from napari_resmed.io.dicom import Series
from napari_resmed.viewer.dicom.series_words import images_line, notes_of, size_line, title_of
from napari_resmed.viewer.parts.palette import Palette
from napari_resmed.viewer.parts.picture_row import MARGIN, THUMBNAIL, PictureRow, as_pixmap, set_up_list
from napari_resmed.viewer.parts.series_volumes import can_open

__all__ = ["SeriesList"]

_SERIES = Qt.ItemDataRole.UserRole
_PICTURE = Qt.ItemDataRole.UserRole + 1
_LINE = 18


class SeriesList(QListView):
    """Series to choose from; several may be chosen.

    Parameters
    ----------
    palette:
        Called for the window's colours whenever a row is drawn.

    Signals
    -------
    chosen()
        Other series are chosen; see ``selected``.
    open_wanted()
        A row was double-clicked, or Enter pressed on it.
    picture_wanted(Series)
        A series came into sight whose picture is not known; asked once.
    """

    chosen = Signal()
    open_wanted = Signal()
    picture_wanted = Signal(object)

    def __init__(self, palette: Callable[[], Palette], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = _Rows(self)
        self._asked: set[int] = set()
        self.setModel(self._rows)
        self.setItemDelegate(_Row(palette, self))
        set_up_list(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName("Series")
        self.activated.connect(lambda _: self.open_wanted.emit())
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())

    @property
    def series(self) -> tuple[Series, ...]:
        """All that are listed, from the top."""
        return self._rows.series

    @property
    def selected(self) -> list[Series]:
        """Those that are chosen, from the top."""
        return [self._rows.series[row] for row in sorted(index.row() for index in self.selectedIndexes())]

    def show_series(self, series: Sequence[Series]) -> None:
        """List series; the first that can be opened is chosen."""
        self._asked.clear()
        self._rows.show_series(series)
        first = next((row for row, one in enumerate(series) if can_open(one)), 0)
        if series:
            self.setCurrentIndex(self._rows.index(first))
            self.scrollToTop()

    def select(self, rows: Sequence[int]) -> None:
        """Choose the series of these rows, and no others."""
        from qtpy.QtCore import QItemSelectionModel

        self.clearSelection()
        for row in rows:
            self.selectionModel().select(self._rows.index(row), QItemSelectionModel.SelectionFlag.Select)

    def show_picture(self, series: Series, picture: NDArray[np.uint8]) -> None:
        """Show the picture ``(size, size, 3)`` of a series."""
        self._rows.pictures[id(series)] = as_pixmap(picture)
        self.viewport().update()

    def ask_for_picture(self, series: Series) -> None:
        """A row is being drawn: its picture is wanted if it was not yet asked for."""
        if id(series) not in self._asked:
            self._asked.add(id(series))
            self.picture_wanted.emit(series)


class _Rows(QAbstractListModel):
    """What the list shows."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.series: tuple[Series, ...] = ()
        self.pictures: dict[int, QPixmap] = {}  # by the series' identity: two may have one UID

    def show_series(self, series: Sequence[Series]) -> None:
        self.beginResetModel()
        self.series = tuple(series)
        self.pictures.clear()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        return 0 if parent.isValid() else len(self.series)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self.series):
            return None
        series = self.series[index.row()]
        if role == _SERIES:
            return series
        if role == _PICTURE:
            return self.pictures.get(id(series))
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{title_of(series)}, {images_line(series)}, {size_line(series)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            # The line may be cut off; here all of it is said.
            return "\n".join([title_of(series), *([series.times] if series.times else []), *notes_of(series)])
        return None


class _Row(PictureRow):
    """Draws one series."""

    def __init__(self, palette: Callable[[], Palette], view: SeriesList) -> None:
        super().__init__(palette, view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        return QSize(THUMBNAIL * 4, 3 * _LINE + 2 * MARGIN)

    def picture(self, index: QModelIndex) -> QPixmap | None:
        self._view.ask_for_picture(index.data(_SERIES))
        found: QPixmap | None = index.data(_PICTURE)
        return found

    def is_open(self, option: QStyleOptionViewItem, index: QModelIndex) -> bool:
        return bool(option.state & QStyle.StateFlag.State_Selected)

    def draw_words(
        self, painter: QPainter, words: QRect, index: QModelIndex, option: QStyleOptionViewItem, colours: Palette
    ) -> None:
        series: Series = index.data(_SERIES)
        bold = QFont(option.font)
        bold.setBold(True)
        trouble = bool(notes_of(series))
        lines = (
            (title_of(series), bold, colours.text if can_open(series) else colours.dim),
            (images_line(series), option.font, colours.dim),
            (size_line(series), option.font, colours.warning if trouble and series.kind == "image" else colours.dim),
        )
        for number, (text, font, colour) in enumerate(lines):
            place = QRect(words.left(), words.top() + MARGIN + number * _LINE, words.width(), _LINE)
            painter.setFont(font)
            painter.setPen(colour)
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)
