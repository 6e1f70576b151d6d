"""A job of the engine as a Qt object: its events arrive on the window's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_resmed.engine.client import GRACE_SECONDS, Engine, Ticket
from napari_resmed.events import Event, Failed, Finished, Metric, Preview, Progress, Started, Warning

__all__ = ["RunningJob", "cancel_all", "shared_engine", "training_engine"]


@cache
def shared_engine() -> Engine:
    """The one engine of this napari process; its worker starts with the first job."""
    return Engine()


@cache
def training_engine() -> Engine:
    """A second one, for jobs of minutes and hours: a click on Segment must not wait behind them."""
    return Engine()


class RunningJob(QObject):
    """One job under way.

    Signals
    -------
    progressed(Progress | Started), warned(str), measured(Metric), previewed(Preview), finished(result, seconds),
    failed(Failed)
        Emitted on the thread this object lives on; after ``finished`` or ``failed`` there is nothing more.
    """

    progressed = Signal(object)
    warned = Signal(str)
    measured = Signal(object)
    previewed = Signal(object)
    finished = Signal(object, float)
    failed = Signal(object)
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None, engine: Callable[[], Engine] = shared_engine) -> None:
        super().__init__(parent)
        self._engine = engine
        self._ticket: Ticket | None = None
        self._alive = threading.Event()
        self._alive.set()
        self.destroyed.connect(self._alive.clear)
        # Emitted from the engine's thread, received on ours: Qt queues it because the threads differ.
        self._arrived.connect(self._sort)

    def start(self, job: str, parameters: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Hand the job to the engine; parameters may be a function, called off the window's thread."""
        arrived, alive = self._arrived, self._alive

        def tell(event: Event) -> None:
            # The window may be gone, and with it everyone who would listen.
            if alive.is_set():
                with suppress(RuntimeError):
                    arrived.emit(event)

        self._ticket = self._engine().submit(job, parameters, tell)

    def cancel(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop the job; ``failed`` follows within a second, or within the time it is given to clear up."""
        if self._ticket:
            self._engine().cancel(self._ticket, grace_seconds)

    def ask(self, what: str) -> None:
        """Ask something of the job, e.g. ``"stop"`` of a training."""
        if self._ticket:
            self._engine().ask(self._ticket, what)

    def _sort(self, event: Event) -> None:
        if isinstance(event, Progress | Started):
            self.progressed.emit(event)
        elif isinstance(event, Warning):
            self.warned.emit(event.message)
        elif isinstance(event, Metric):
            self.measured.emit(event)
        elif isinstance(event, Preview):
            self.previewed.emit(event)
        elif isinstance(event, Finished):
            self.finished.emit(event.result, event.seconds)
        elif isinstance(event, Failed):
            self.failed.emit(event)


def cancel_all(jobs: Sequence[RunningJob], *_: object, grace_seconds: float = GRACE_SECONDS) -> None:
    """Stop jobs of a window that is gone; to be connected to its ``destroyed``."""
    for job in jobs:
        job.cancel(grace_seconds)
