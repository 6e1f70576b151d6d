"""Train a model on segments painted over volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Metric, Warning
from ResMedLib.cases import TrainCase
from ResMedLib.curves import Curves
from ResMedLib.engines import training_engine
from ResMedLib.painted import labels_of, values_of
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.volumes import joined, source_of

__all__ = ["BACKGROUND", "collect", "train"]

# A segment of this name was painted as background on purpose, as in napari.
BACKGROUND = "background"
# A training writes down where it is when it is cancelled, which takes a moment.
CANCEL_SECONDS = 5.0


def collect(cases: Sequence[TrainCase], *, only_painted: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Cases as :func:`napari_resmed.jobs.train.train` takes them, as the nodes are now.

    They are called "case 1", "case 2", ...: names of nodes may be patients', and a model remembers its cases.

    Parameters
    ----------
    only_painted:
        Whether what is not painted is unknown rather than background.

    Returns
    -------
    cases, notes
        And sentences that a person should read.

    Raises
    ------
    InputError
        If nothing can be learnt from what is painted.
    """
    if not cases:
        raise InputError("there is nothing to learn from: choose a segmentation and the volume it was painted over")
    values = values_of([case.segmentation for case in cases])
    if set(values) <= {BACKGROUND}:
        raise InputError("only background is painted, or nothing: add a segment and paint the structure")
    if only_painted and len(values) == 1:
        raise InputError(
            "only one segment is painted, and nothing to tell it from: paint some of the rest in a segment called "
            '"background"'
        )
    made, notes = [], []
    for number, case in enumerate(cases, 1):
        source = joined([source_of(node) for node in case.volumes])
        name = f"case {number}"
        try:
            labels, said = labels_of(case.segmentation, source, values)
        except InputError as problem:
            raise InputError(f"{name}: {problem}") from problem
        notes += [f"{name}: {note}" for note in said]
        made.append({"name": name, "images": [source.volume], "labels": labels, "only_painted": only_painted})
    return made, notes


def train(
    cases: Sequence[TrainCase],
    name: str,
    on_event: OnEvent,
    *,
    base: str = "",
    minutes: float = 10.0,
    only_painted: bool = False,
    **options: Any,
) -> RunningJob:
    """Train; returns at once. ``ask("stop")`` ends early and keeps the best.

    The curves are drawn in the scene. The last event is ``Finished`` with the fields of
    :class:`napari_resmed.jobs.training.Training`; the model is in everybody's list then.

    Parameters
    ----------
    name:
        Of the new model.
    base:
        A model to start from; empty: from scratch.
    minutes:
        How long it may take.
    options:
        Of :func:`napari_resmed.jobs.train.train`.

    Raises
    ------
    InputError
        If nothing can be learnt from what is painted.
    """
    data, notes = collect(cases, only_painted=only_painted)
    curves: list[Curves] = []

    def hear(event: Event) -> None:
        if isinstance(event, Metric):
            if not curves:
                curves.append(Curves(name))
            curves[0].add(event)
        on_event(event)

    for note in notes:
        on_event(Warning(note))
    parameters = {"data": data, "name": name, "base": base, "minutes": minutes, **options}
    return RunningJob(training_engine(), "train", parameters, lambda result: result, hear, CANCEL_SECONDS)
