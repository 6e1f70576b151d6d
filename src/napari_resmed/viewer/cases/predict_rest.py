"""Segment the cases that nobody has begun, one after the other, while the person goes on working."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Failed, Progress, Started
from napari_resmed.io.project import (
    Project,
    case_uncertainty,
    in_labels_of,
    read_images,
    read_label_set,
    write_label_set,
    write_prediction,
)
from napari_resmed.labels import Label, LabelMap, LabelSet, default_colour
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.duration import duration
from napari_resmed.viewer.parts.running_job import RunningJob
from napari_resmed.volume import Volume

__all__ = ["PredictRest"]

# A worker that dies again and again is not the fault of one image.
DEATHS_IN_A_ROW = 2
# Where so many results could not be kept and none was, no other will be: the disk is full, or structures differ.
LOST_AT_FIRST = 2


class PredictRest(QObject):
    """A row of segmentations.

    Signals
    -------
    progressed(str, float)
        What is done now with the time left, and the share done.
    predicted(str)
        Labels of a case were written.
    ended(str)
        All is done, or it was stopped; in a sentence or two.
    """

    progressed = Signal(str, float)
    predicted = Signal(str)
    ended = Signal(str)

    def __init__(self, files: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._files = files
        self._running = False
        # The job under way; a list of its own, which a closed window can still reach.
        self.jobs: list[RunningJob] = []

    @property
    def is_running(self) -> bool:
        """Whether it is under way."""
        return self._running

    def start(self, project: Project, names: Sequence[str], model: Model, skip: Callable[[str], bool]) -> None:
        """Begin.

        Parameters
        ----------
        project, names:
            The cases, in this order.
        model:
            What segments them.
        skip:
            Asked just before a case's turn whether it is to be passed over.
        """
        self._project, self._model, self._skip = project, model, skip
        self._left, self._total = list(names), len(names)
        self._failures: list[str] = []
        self._warnings: dict[str, str] = {}  # the first of each case
        self._made = self._written = self._deaths = self._lost = 0
        self._began = time.monotonic()
        self._running = True
        self.progressed.emit("Starting…", 0.0)
        self._files.run(partial(_agree_on_labels, project, model), lambda _: self._next(), self._end)

    def cancel(self) -> None:
        """Stop; what is written stays."""
        if not self._running:
            return
        self._left.clear()
        for job in self.jobs:
            job.cancel()
        if not self.jobs:
            self._end_of_row(stopped=True)

    def _next(self) -> None:
        if not self._running:
            return
        while self._left and self._skip(self._left[0]):
            self._left.pop(0)
            self._total -= 1
        if not self._left:
            self._end_of_row(stopped=False)
            return
        name = self._left.pop(0)
        self._tell(name, 0.0)
        job = RunningJob(self)
        job.progressed.connect(partial(self._on_progress, name))
        job.warned.connect(partial(self._note_warning, name))
        job.finished.connect(partial(self._on_finished, name))
        job.failed.connect(partial(self._on_failed, name))
        self.jobs[:] = [job]
        project, model = self._project, str(self._model.folder)
        job.start("segment", lambda: {"image": _one_image(project, name), "model": model, "uncertainty": True})

    def _on_progress(self, name: str, event: Progress | Started) -> None:
        if isinstance(event, Progress):
            self._tell(name, event.done)

    def _tell(self, name: str, share: float) -> None:
        begun = self._total - len(self._left)
        done = (begun - 1 + share) / max(1, self._total)
        left = ""
        if self._made:
            each = (time.monotonic() - self._began) / (begun - 1 + share)
            left = f", {duration(each * (self._total - begun + 1 - share))} left"
        self.progressed.emit(f"Predicting {name}, {begun} of {self._total}{left}", done)

    def _on_finished(self, name: str, result: dict[str, Any], seconds: float) -> None:
        self._let_go()
        self._deaths = 0
        self._made += 1
        project, model = self._project, self._model
        self._files.run(
            partial(_write, project, name, result, model),
            partial(self._on_written, name),
            partial(self._on_lost, name),
        )
        self._next()

    def _on_written(self, name: str, written: bool) -> None:
        if written:  # else somebody began the case meanwhile: theirs stays
            self._written += 1
            self.predicted.emit(name)

    def _on_lost(self, name: str, message: str) -> None:
        self._note_failure(name, message)
        self._lost += 1
        if self._lost >= LOST_AT_FIRST and not self._written:
            self._left.clear()

    def _on_failed(self, name: str, event: Failed) -> None:
        self._let_go()
        if event.kind == "cancelled":
            self._end_of_row(stopped=True)
            return
        self._note_failure(name, event.message)
        self._deaths = self._deaths + 1 if event.kind == "work" else 0
        if self._deaths >= DEATHS_IN_A_ROW:
            self._left.clear()
        self._next()

    def _note_failure(self, name: str, message: str) -> None:
        self._failures.append(f"{name}: {message}")

    def _note_warning(self, name: str, message: str) -> None:
        self._warnings.setdefault(name, message)

    def _let_go(self) -> None:
        for job in self.jobs:
            job.deleteLater()
        self.jobs.clear()

    def _end_of_row(self, stopped: bool) -> None:
        self._running = False  # nothing more is begun; what was made is still being written
        self._files.run(lambda: None, lambda _: self._end(self._summary(stopped)))

    def _end(self, message: str) -> None:
        self._running = False
        self.ended.emit(message)

    def _summary(self, stopped: bool) -> str:
        made = self._written
        cases = "1 case" if made == 1 else f"{made} cases"
        text = f"Stopped; predicted {cases}." if stopped else f"Predicted {cases}."
        if self._failures:
            more = f" ({len(self._failures)} in all)" if len(self._failures) > 1 else ""
            text += f" Not predicted{more}: {self._failures[0]}"
        if self._warnings:
            name, first = next(iter(self._warnings.items()))
            more = f" and {len(self._warnings) - 1} more" if len(self._warnings) > 1 else ""
            text += f" Look twice at {name}{more}: {first}."
        if made and not stopped and not self._failures:
            text += " Next: look at the one it was least sure of."
        return text


def _one_image(project: Project, name: str) -> Volume:
    """The channels of a case as one image ``(c, z, y, x)``, or the only one ``(z, y, x)``."""
    images = read_images(project, name)
    if len(images) == 1:
        return images[0]
    if not all(image.same_grid(images[0]) for image in images):
        raise InputError(f"the channels of {name} do not lie on one grid")
    return images[0].with_data(np.stack([image.data for image in images]), "czyx")


def _agree_on_labels(project: Project, model: Model) -> None:
    """Take the model's labels for a project that has none; refuse a model that knows none of the project's.

    They are numbered without gaps, for nnU-Net would learn a structure for every number between.
    """
    labels = read_label_set(project)
    if not len(labels):
        numbered = (replace(label, value=number) for number, label in enumerate(model.labels, start=1))
        write_label_set(project, LabelSet(tuple(numbered)))
    could = [*(label.name for label in model.labels), *_in_parts(model)]
    named = (Label(number, name, default_colour(number)) for number, name in enumerate(could, start=1))
    nothing = LabelMap(np.zeros((1, 1, 1), np.uint8), np.eye(4), labels=LabelSet(tuple(named)))
    in_labels_of(labels, nothing, model.name)


def _in_parts(model: Model) -> dict[str, str]:
    """The model's own name of every structure, by what it is called in each part that another model finds."""
    if model.found_by is None:
        return {}
    try:
        finder = find_model(model.found_by.model)
    except ModelError:  # told where the part is looked for
        return {}
    parts = model.found_by.parts(finder.labels).values()
    return {f"{part} {label.name}": label.name for part in parts for label in model.labels}


def _write(project: Project, name: str, result: dict[str, Any], model: Model) -> bool:
    labels: LabelMap = result["labels"]
    doubt = case_uncertainty(result["uncertainty"], labels)
    labels = in_labels_of(read_label_set(project), labels, model.name, _in_parts(model))
    return write_prediction(project, name, labels, doubt, f"{model.name} {model.version}")
