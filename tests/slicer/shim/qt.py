"""The one class of Qt that the module uses itself: a timer, fired by :func:`fire_timers` and no clock.

And the names of buttons, which Slicer's dialogs ask for before they answer themselves.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["QMessageBox", "QTimer", "fire_timers"]

_RUNNING: list[QTimer] = []


class QMessageBox:
    Ok, Cancel, Yes, No, Retry, Close, Information, Warning, Critical, Question = range(10)


class QTimer:
    def __init__(self) -> None:
        self._slots: list[Callable[[], None]] = []

    def setInterval(self, milliseconds: int) -> None:
        assert milliseconds > 0

    def connect(self, signal: str, slot: Callable[[], None]) -> None:
        assert signal == "timeout()"
        self._slots.append(slot)

    def start(self) -> None:
        _RUNNING.append(self)

    def stop(self) -> None:
        if self in _RUNNING:
            _RUNNING.remove(self)


def fire_timers() -> None:
    """What the application's event loop does."""
    for timer in list(_RUNNING):
        for slot in timer._slots:
            slot()
