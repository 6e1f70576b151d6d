"""Every volume of a folder of the subject hierarchy, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import slicer

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.events import Event, Failed, Finished, Progress, Started, Warning
from ResMedLib.hierarchy import volumes_in
from ResMedLib.running_job import OnEvent, RunningJob

__all__ = ["Batch", "BatchResult"]

# Node, listener, and whether what comes of it is the first of a step of Undo.
Start = Callable[[Any, OnEvent, bool], RunningJob]


@dataclass
class BatchResult:
    """What became of each.

    Parameters
    ----------
    done:
        The result of each volume that was worked on.
    failed:
        Name of each node that was not, and why, in one sentence.
    """

    done: list[Any] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


class Batch:
    """Works through the volumes below an item; one that fails is told at the end and does not stop the rest.

    Parameters
    ----------
    item:
        Of the subject hierarchy: a folder, study, patient, or a volume.
    start:
        Begins the work on one node, e.g. :func:`ResMedLib.segment.segment`, given the node, who listens, and whether
        its result begins a step of Undo: all of them are one.
    on_event:
        Told the progress of all together, and at the end ``Finished`` with :class:`BatchResult`, or ``Failed`` where
        it was cancelled.

    Raises
    ------
    InputError
        If there is no volume below the item.
    """

    def __init__(self, item: int, start: Start, on_event: OnEvent) -> None:
        self._nodes = volumes_in(item)
        if not self._nodes:
            raise InputError("there is no volume in this folder; choose one that holds volumes")
        self._start = start
        self._on_event = on_event
        self._at = -1
        self._job: RunningJob | None = None
        self._cancelled = False
        self._seconds = 0.0
        self.result = BatchResult()
        self.ended = False
        self.last: Event | None = None
        self._next()

    def cancel(self) -> None:
        """Stop the one under way and leave the rest; what was made stays."""
        self._cancelled = True
        if self._job is not None:
            self._job.cancel()

    def wait(self) -> Event:
        """Until its last event, which is returned; the application goes on meanwhile. For scripts."""
        while not self.ended and self._job is not None:
            self._job.wait()
        assert self.last is not None
        return self.last

    def _next(self) -> None:
        while True:
            self._at += 1
            if self._cancelled or self._at >= len(self._nodes):
                self._end()
                return
            node = self._nodes[self._at]
            if not slicer.mrmlScene.IsNodePresent(node):
                continue
            try:
                self._job = self._start(node, self._hear, not self.result.done)
            except ResMedError as problem:
                self.result.failed.append((node.GetName(), str(problem)))
            else:
                return

    def _hear(self, event: Event) -> None:
        count = len(self._nodes)
        if isinstance(event, Progress):
            what = f"{event.what}, volume {self._at + 1} of {count}"
            self._on_event(replace(event, what=what, done=(self._at + event.done) / count, seconds_left=None))
        elif isinstance(event, Finished):
            self._seconds += event.seconds
            self.result.done.append(event.result)
            self._next()
        elif isinstance(event, Failed):
            if event.kind == "cancelled":
                self._cancelled = True
            else:
                self.result.failed.append((self._nodes[self._at].GetName(), event.message))
            self._next()
        elif isinstance(event, Warning):
            self._on_event(Warning(f"{self._nodes[self._at].GetName()}: {event.message}"))
        elif not isinstance(event, Started):
            self._on_event(event)

    def _end(self) -> None:
        cancelled = Failed("cancelled", "cancelled")
        self.ended, self.last = True, cancelled if self._cancelled else Finished(self.result, self._seconds)
        self._on_event(self.last)
