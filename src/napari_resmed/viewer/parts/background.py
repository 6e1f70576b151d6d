"""One thread beside the window's, which does things one after the other."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_resmed.errors import ResMedError

__all__ = ["Background"]

_log = logging.getLogger(__name__)


class Background(QObject):
    """Runs functions in order on a thread of its own; their answers arrive on the window's.

    Parameters
    ----------
    parent:
        Owner.
    must_finish:
        Whether what was given is done even when the window closes or the program ends: it may be somebody's labels.
        Else what was not begun is dropped then, and work that takes long looks at ``ending`` and stops.

    Signals
    -------
    failed(str)
        One sentence, for work whose caller did not say whom to tell.
    """

    failed = Signal(str)
    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None, *, must_finish: bool = True) -> None:
        super().__init__(parent)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._alive = threading.Event()
        self._alive.set()
        self.destroyed.connect(self._alive.clear)
        # Emitted on the thread, received on the window's: Qt queues it because the threads differ.
        self._answered.connect(_call)
        thread = threading.Thread(target=_serve, args=(self._work,), name="resmed-background", daemon=True)
        thread.start()
        # Set when nobody waits for answers any more and the thread shall end.
        self.ending = threading.Event()
        # Ends the thread and waits for that; can be called when this object is gone.
        self.finish = partial(_finish, self._work, thread, None if must_finish else self.ending)
        # At exit Python ends such threads where they stand; this one is waited for.
        atexit.register(self.finish)

    def run(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do ``work`` when what was given before is done; returns at once.

        Parameters
        ----------
        work:
            Called on the thread. It must not touch widgets or layers.
        then, failed:
            Called on the window's thread with what it returned, or with what went wrong in one sentence.
        """
        self._work.put(partial(_do, work, then, failed or self.failed.emit, self._answered, self._alive))

    def tell(self, answer: Callable[[], None]) -> None:
        """From the thread: have something called on the window's."""
        _answer(answer, self._answered, self._alive)

    def forget(self) -> None:
        """Drop what was not begun; only for work that changes nothing."""
        _forget(self._work)

    def close(self) -> None:
        """Do what was given, then end the thread; does not wait."""
        self._work.put(None)


def _serve(work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (one := work.get()) is not None:
        one()
        del one  # not kept until the next comes: it may hold an image


def _do(
    work: Callable[[], Any],
    then: Callable[[Any], None] | None,
    failed: Callable[[str], None],
    answered: Any,
    alive: threading.Event,
) -> None:
    answer: Callable[[], None] | None
    try:
        value = work()
    except ResMedError as problem:
        answer = partial(failed, str(problem))
    except Exception as problem:  # an error of ours: told like any other, and the thread goes on
        _log.exception("work in the background failed")
        answer = partial(failed, f"something went wrong ({type(problem).__name__}); what is on disk was kept")
    else:
        answer = partial(then, value) if then is not None else None
    if answer is not None:
        _answer(answer, answered, alive)


def _answer(answer: Callable[[], None], answered: Any, alive: threading.Event) -> None:
    # The window may be gone, and with it everyone who would listen: now, or when the answer arrives.
    if alive.is_set():
        with suppress(RuntimeError):
            answered.emit(partial(_call_if, alive, answer))


def _call_if(alive: threading.Event, answer: Callable[[], None]) -> None:
    if alive.is_set():
        answer()


def _call(answer: Callable[[], None]) -> None:
    answer()


def _forget(work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    with suppress(queue.Empty):
        while True:
            work.get_nowait()


def _finish(
    work: queue.SimpleQueue[Callable[[], None] | None], thread: threading.Thread, ending: threading.Event | None
) -> None:
    if ending is not None:
        ending.set()
        _forget(work)
    work.put(None)
    thread.join()
