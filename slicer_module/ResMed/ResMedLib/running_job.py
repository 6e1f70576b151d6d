"""A job of the engine, whose events are heard on the application's own thread.

MRML and Qt may be touched there alone. The engine's threads only fill a queue; a timer of the application empties it.
"""

from __future__ import annotations

import queue
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer

from napari_resmed.engine.client import GRACE_SECONDS, Engine
from napari_resmed.errors import ResMedError
from napari_resmed.events import Event, Failed, Finished

__all__ = ["RunningJob"]

# How often the queue is emptied: twenty times a second looks alive, and costs nothing.
POLL_MS = 50
LET_GO_SECONDS = 0.002

OnEvent = Callable[[Event], None]


class RunningJob:
    """One job under way.

    Parameters
    ----------
    engine:
        Who runs it.
    job, parameters:
        As :meth:`napari_resmed.engine.client.Engine.submit` takes them; a function of parameters is called on the
        engine's thread, and must not touch the scene.
    finish:
        Makes nodes of what the job gave; what it returns is the result that listeners are told.
    on_event:
        Told every event, on the application's thread; after ``Finished`` or ``Failed`` there is none.
    grace_seconds:
        How long the job may take to clear up when it is cancelled.
    """

    def __init__(
        self,
        engine: Engine,
        job: str,
        parameters: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        finish: Callable[[Any], Any],
        on_event: OnEvent,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._engine = engine
        self._finish = finish
        self._on_event = on_event
        self._grace_seconds = grace_seconds
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.ended = False
        self.last: Event | None = None
        self._ticket = engine.submit(job, parameters, self._events.put)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self.poll)
        self._timer.start()

    def cancel(self) -> None:
        """Stop it; ``Failed`` of kind ``"cancelled"`` follows within a second, or when it has cleared up."""
        self._engine.cancel(self._ticket, self._grace_seconds)

    def ask(self, what: str) -> None:
        """Ask something of it, e.g. ``"stop"`` of a training."""
        self._engine.ask(self._ticket, what)

    def wait(self) -> Event:
        """Until its last event, which is returned; the application goes on meanwhile. For scripts."""
        while not self.ended:
            slicer.app.processEvents()
            time.sleep(POLL_MS / 1000)
        assert self.last is not None
        return self.last

    def poll(self) -> None:
        """Tell what arrived since; the timer calls it."""
        # Where the application holds on to the interpreter between its calls, the engine's threads run only now.
        time.sleep(LET_GO_SECONDS)
        while not self.ended:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if isinstance(event, Finished):
            try:
                event = Finished(self._finish(event.result), event.seconds)
            except ResMedError as problem:
                event = Failed(str(problem), "input" if problem.exit_code == 2 else "work")
            except Exception as problem:  # an error of ours: told like any other, and the next click works
                what = f"something unexpected went wrong ({type(problem).__name__}); please report it"
                event = Failed(what, "work", traceback.format_exc())
        if isinstance(event, Finished | Failed):
            self.ended, self.last = True, event
            self._timer.stop()
        self._on_event(event)
