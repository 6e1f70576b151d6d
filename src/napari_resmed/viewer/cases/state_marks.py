"""How the state of a case looks: a colour and a shape, so that neither is needed to tell them apart."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

from napari_resmed.io.project import State

__all__ = ["COLOURS", "draw_mark", "mark_icon"]

# Of Okabe and Ito's palette, like the labels; grey for what nobody has touched.
COLOURS = {
    State.NOT_STARTED: QColor(150, 155, 165),
    State.PREDICTED: QColor(86, 180, 233),
    State.CORRECTED: QColor(230, 159, 0),
    State.ACCEPTED: QColor(0, 170, 125),
}


def draw_mark(painter: QPainter, place: QRectF, state: State) -> None:
    """Draw the mark of a state: an empty, half-filled or full circle, or a full one with a tick."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = COLOURS[state]
    width = place.width() / 7
    circle = place.adjusted(width / 2, width / 2, -width / 2, -width / 2)
    painter.setPen(QPen(colour, width))
    painter.setBrush(colour if state is State.ACCEPTED else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(circle)
    painter.setBrush(colour)
    if state is State.PREDICTED:
        painter.drawChord(circle, 90 * 16, 180 * 16)
    elif state is State.CORRECTED:
        inner = circle.width() / 4.5
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(circle.adjusted(inner, inner, -inner, -inner))
    elif state is State.ACCEPTED:
        pen = QPen(QColor("white"), width * 1.2)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        points = [
            QPointF(place.x() + place.width() * x, place.y() + place.height() * y)
            for x, y in ((0.28, 0.52), (0.44, 0.68), (0.73, 0.35))
        ]
        painter.drawPolyline(QPolygonF(points))
    painter.restore()


def mark_icon(state: State, size: int = 28) -> QIcon:
    """The mark as an icon."""
    picture = QPixmap(size, size)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    draw_mark(painter, QRectF(1, 1, size - 2, size - 2), state)
    painter.end()
    return QIcon(picture)
