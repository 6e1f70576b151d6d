"""What a job under way shows in the panel, and its end in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ProgressArea"]


def _nothing(_: Any) -> str:
    return ""


class ProgressArea:
    """Bar, words and Cancel; one job at a time.

    Parameters
    ----------
    bar, words, cancel:
        ``QProgressBar``, ``QLabel``, ``QPushButton``.
    changed:
        Called when a job begins or ends.
    """

    def __init__(self, bar: Any, words: Any, cancel: Any, changed: Callable[[], None]) -> None:
        self._bar, self._words, self._cancel, self._changed = bar, words, cancel, changed
        self.job: Any = None
        self._done: Callable[[Any, float], str] = lambda result, seconds: ""
        self._left: Callable[[Any], str] = _nothing
        self._notes: list[str] = []
        bar.maximum = 100
        cancel.connect("clicked()", self.cancel)
        self._show(False)

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self.job is not None

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        self._words.text = sentence[:1].upper() + sentence[1:]

    def run(
        self,
        start: Callable[[Callable[[Any], None]], Any],
        done: Callable[[Any, float], str],
        left: Callable[[Any], str] = _nothing,
    ) -> None:
        """Begin a job; an error of its own is said instead.

        Parameters
        ----------
        start:
            Given the listener, begins the job and returns it.
        done:
            Given result and seconds, says what was made.
        left:
            Given the job, which was cancelled or failed, says what is left of it all the same.
        """
        from napari_resmed.errors import ResMedError

        if self.job is not None:
            return
        self._done, self._left = done, left
        self._notes.clear()
        self._bar.value = 0
        self.say("Starting…")
        try:
            job = start(self.hear)
        except ResMedError as problem:
            self.say(f"{problem}.")
            return
        if not job.ended:
            self.job = job
            self._show(True)

    def cancel(self) -> None:
        """Stop the job under way."""
        if self.job is not None:
            self.say("Stopping…")
            self.job.cancel()

    def hear(self, event: Any) -> None:
        """Show an event."""
        from napari_resmed.events import Failed, Finished, Progress, Started, Warning

        if isinstance(event, Progress):
            self._bar.value = round(100 * event.done)
            left = f", {round(event.seconds_left)} s left" if event.seconds_left else ""
            self.say(f"{event.what}{left}")
        elif isinstance(event, Started):
            self.say(event.what)
        elif isinstance(event, Warning):
            if event.message not in self._notes:
                self._notes.append(event.message)
        elif isinstance(event, Finished):
            # Under way they would be gone before anyone could read them.
            notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in self._notes)
            self._end(self._done(event.result, event.seconds) + notes)
        elif isinstance(event, Failed):
            left = self._left(self.job)
            if event.kind == "cancelled":
                self._end(f"Cancelled; {left or 'nothing was changed'}.")
            else:
                self._end(f"{event.message}." + (f" {left[:1].upper()}{left[1:]}." if left else ""))

    def _end(self, sentence: str) -> None:
        self.job = None
        self.say(sentence)
        self._show(False)

    def _show(self, running: bool) -> None:
        self._bar.visible = running
        self._cancel.visible = running
        self._changed()
