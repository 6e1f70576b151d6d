"""A training under way: in a worker of its own, its curves in the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_resmed.events import Event, Failed, Metric, Warning
from ResMedLib.curves import Curves
from ResMedLib.engines import training_engine
from ResMedLib.running_job import OnEvent, RunningJob

__all__ = ["resume_training", "start_training"]

# A training writes down where it is when it is cancelled, which takes a moment.
CANCEL_SECONDS = 5.0


def start_training(
    name: str, parameters: Mapping[str, Any], on_event: OnEvent, notes: Sequence[str] = ()
) -> RunningJob:
    """Begin; returns at once. ``ask("stop")`` ends early and keeps the best.

    The curves are drawn in the scene, and taken out again where no model comes of it. The last event is ``Finished``
    with the fields of :class:`napari_resmed.jobs.training.Training`; the model is in everybody's list then.

    Parameters
    ----------
    name:
        Of the new model.
    parameters:
        The others of :func:`napari_resmed.jobs.train.train`.
    notes:
        What was seen on the way, told as warnings.
    """
    curves: list[Curves] = []

    def hear(event: Event) -> None:
        if isinstance(event, Metric):
            if not curves:
                curves.append(Curves(name))
            curves[0].add(event)
        elif isinstance(event, Failed) and curves:
            curves[0].remove()
        on_event(event)

    for note in notes:
        on_event(Warning(note))
    job = {"name": name, **parameters}
    return RunningJob(training_engine(), "train", job, lambda result: result, hear, CANCEL_SECONDS)


def resume_training(name: str, on_event: OnEvent) -> RunningJob:
    """Go on with a training of this name that was stopped, cancelled or cut off, with the data and the plan it had.

    ``Failed`` is told where there is none; see :func:`napari_resmed.train.own_trainings.last_unfinished`.
    """
    return start_training(name, {"data": "", "resume": True}, on_event)
