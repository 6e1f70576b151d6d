"""Work that only the window's own thread may do, in parts between which it goes on drawing and listening."""

from __future__ import annotations

from collections.abc import Iterator

from qtpy.QtCore import QObject, QTimer

__all__ = ["in_turns"]


def in_turns(owner: QObject, parts: Iterator[None]) -> None:
    """Run a generator to its end, one part for each turn of the event loop; it stops where its owner is deleted."""
    timer = QTimer(owner)
    timer.setInterval(0)

    def turn() -> None:
        timer.stop()  # so that a part that fails is not tried again
        try:
            next(parts)
        except StopIteration:
            timer.deleteLater()
            return
        timer.start()

    timer.timeout.connect(turn)
    timer.start()
