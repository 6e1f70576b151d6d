"""A row of a list with a picture: what rows of cases and rows of series have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_resmed.viewer.parts.palette import Palette

__all__ = ["MARGIN", "THUMBNAIL", "PictureRow", "as_pixmap", "set_up_list"]

THUMBNAIL = 48
MARGIN = 5
_GAP = 10


def set_up_list(view: QListView) -> None:
    """Give a list the ways of a list of pictures: rows alike, no frame, scrolled by pixels."""
    view.setUniformItemSizes(True)
    view.setMouseTracking(True)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setStyleSheet("QListView { background: transparent; border: none }")


def as_pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    """A picture ``(y, x, rgb)`` for Qt."""
    height, width, _ = picture.shape
    image = QImage(np.ascontiguousarray(picture).tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)


class PictureRow(QStyledItemDelegate):
    """Draws the ground, the picture and, through :meth:`draw_words`, what stands beside it.

    Parameters
    ----------
    palette:
        Called for the window's colours whenever a row is drawn; they follow its theme.
    """

    def __init__(self, palette: Callable[[], Palette], view: QWidget) -> None:
        super().__init__(view)
        self._palette = palette

    def draw_words(
        self, painter: QPainter, words: QRect, index: QModelIndex, option: QStyleOptionViewItem, colours: Palette
    ) -> None:
        """Draw what stands beside the picture."""
        raise NotImplementedError

    def picture(self, index: QModelIndex) -> QPixmap | None:
        """The picture of a row, if it is there already."""
        raise NotImplementedError

    def is_open(self, option: QStyleOptionViewItem, index: QModelIndex) -> bool:
        """Whether the row stands out."""
        raise NotImplementedError

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """As high as the picture, and some room."""
        return QSize(THUMBNAIL * 4, THUMBNAIL + 2 * MARGIN)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one row."""
        if painter is None:
            return
        colours = self._palette()
        row, state = option.rect, option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.is_open(option, index):
            painter.fillRect(row, colours.opened)
            painter.fillRect(QRect(row.left(), row.top(), 3, row.height()), colours.accent)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(row, colours.hovered)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(colours.accent)
            painter.drawRect(row.adjusted(0, 0, -1, -1))
        top = row.top() + (row.height() - THUMBNAIL) // 2
        place = QRect(row.left() + MARGIN + 4, top, THUMBNAIL, THUMBNAIL)
        _draw_picture(painter, place, self.picture(index))
        left = place.right() + _GAP
        words = QRect(left, row.top(), row.right() - left - 6, row.height())
        self.draw_words(painter, words, index, option, colours)
        painter.restore()


def _draw_picture(painter: QPainter, place: QRect, picture: Any) -> None:
    path = QPainterPath()
    path.addRoundedRect(QRectF(place), 4, 4)
    painter.fillPath(path, QColor(0, 0, 0))
    if picture is not None:
        painter.save()
        painter.setClipPath(path)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, picture)
        painter.restore()
