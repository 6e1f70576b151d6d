"""A colour to look at."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtGui import QColor, QIcon, QPixmap

__all__ = ["swatch"]

SIZE = 12


def swatch(colour: Sequence[int]) -> QIcon:
    """A little square of a colour (red, green, blue, 0..255)."""
    square = QPixmap(SIZE, SIZE)
    square.fill(QColor(*colour))
    return QIcon(square)
