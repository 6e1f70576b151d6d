"""The window's colours, for what is drawn by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["Palette", "palette_of"]

# Of 255: what stands beside the main words is this much weaker.
_DIM = 180


class Palette(NamedTuple):
    """Text, text beside it, a row under the mouse, a row that is open or chosen, and what must be seen."""

    text: QColor
    dim: QColor
    hovered: QColor
    opened: QColor
    accent: QColor
    warning: QColor


def palette_of(viewer: ViewerModel) -> Palette:
    """The colours of the theme that is in use now."""
    theme = get_theme(viewer.theme)
    names = (theme.text, theme.text, theme.foreground, theme.primary, theme.current, theme.warning)
    palette = Palette(*(QColor(value.as_hex()) for value in names))
    palette.dim.setAlpha(_DIM)
    return palette
