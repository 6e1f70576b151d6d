"""The held-out slice as the model sees it now: its answer in colour, the person's labels as outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

__all__ = ["LookView", "paint_look"]

Colour = tuple[int, int, int]

# The share of its colour an answer covers the image with.
OPACITY = 0.45
# How much of their brightness voxels keep of which nothing is known.
UNKNOWN_BRIGHTNESS = 0.55
# Brightness 0..1 below which there is nothing to see.
EMPTY = 0.03
_UNKNOWN = -1
_MOST_HEIGHT = 230


class LookView(QLabel):
    """Shows the job's ``Preview("held-out slice")`` as large as the dock allows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look: Mapping[str, Any] | None = None
        self._colours: Sequence[Colour] = ()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("The held-out slice as the model sees it now")

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As narrow as the dock likes."""
        return QSize(120, 40)

    def set_labels(self, colours: Sequence[Colour]) -> None:
        """Colours of the structures, in the order of the plan's labels."""
        self._colours = tuple(colours)

    def show_look(self, look: Mapping[str, Any] | None) -> None:
        """Show a slice: the fields of :class:`napari_resmed.train.held_out.Look`."""
        self._look = look
        if look is None:
            self.clear()
            return
        self.setToolTip(
            f"{look['case']}: a slice it does not learn from.\nOutlines: your labels. Colours: its answer now."
        )
        self._paint()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Paint anew for another width."""
        super().resizeEvent(event)
        if event is not None and self._look is not None and event.size().width() != event.oldSize().width():
            self._paint()

    def _paint(self) -> None:
        assert self._look is not None
        ratio = self.devicePixelRatioF()
        size = (round(max(120, self.width()) * ratio), round(_MOST_HEIGHT * ratio))
        pixels = paint_look(self._look, self._colours, size)
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        picture = QPixmap.fromImage(image)
        picture.setDevicePixelRatio(ratio)
        self.setPixmap(picture)
        self.setFixedHeight(round(height / ratio))


def paint_look(look: Mapping[str, Any], colours: Sequence[Colour], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint a look.

    Parameters
    ----------
    look:
        ``image`` (y, x) in 0..1, ``truth`` and ``answer`` (y, x) as classes, ``spacing_mm`` (y, x).
    colours:
        Of classes 1, 2, ...
    size:
        Most pixels ``(width, height)``; the picture keeps the proportions the slice has in mm.

    Returns
    -------
    NDArray
        uint8 ``(y, x, rgb)``.
    """
    body = _body(np.asarray(look["image"]))
    image, truth, answer = (np.asarray(look[name])[body] for name in ("image", "truth", "answer"))
    height_mm, width_mm = (count * mm for count, mm in zip(image.shape, look["spacing_mm"], strict=True))
    scale = min(size[0] / width_mm, size[1] / height_mm)
    rows = _stretch(image.shape[0], max(1, round(height_mm * scale)))
    columns = _stretch(image.shape[1], max(1, round(width_mm * scale)))
    grid = np.ix_(rows, columns)
    picture = np.repeat(255 * np.clip(image[grid], 0, 1)[..., None], 3, 2)
    table = np.array([(0, 0, 0), *colours], float)
    said, true = answer[grid].clip(0, len(colours)), truth[grid]
    found = said > 0
    picture[found] = (1 - OPACITY) * picture[found] + OPACITY * table[said[found]]
    picture[true == _UNKNOWN] *= UNKNOWN_BRIGHTNESS
    known = true.clip(0, len(colours))
    edge = _edges(known)
    picture[edge] = table[known[edge]]
    return np.ascontiguousarray(picture.astype(np.uint8))


def _body(image: NDArray[Any]) -> tuple[slice, slice]:
    """The part of a slice that is not empty, a dock has little room."""
    seen = image > EMPTY
    if not seen.any():
        return slice(None), slice(None)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)


def _stretch(count: int, pixels: int) -> NDArray[np.intp]:
    """For each pixel the sample it shows."""
    return ((np.arange(pixels) + 0.5) * count / pixels).astype(np.intp)


def _edges(classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of structures within two of another class: a line two pixels wide, on the inside."""
    padded = np.pad(classes, 2, mode="edge")
    inner = np.zeros(classes.shape, bool)
    height, width = classes.shape
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1), (-2, 0), (2, 0), (0, -2), (0, 2)):
        inner |= padded[2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width] != classes
    return inner & (classes > 0)
