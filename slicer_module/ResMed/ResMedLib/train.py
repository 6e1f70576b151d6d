"""Train a model on segments painted over volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.train.painted import BACKGROUND, look_through
from ResMedLib.cases import TrainCase
from ResMedLib.complete_slices import complete_slices
from ResMedLib.hierarchy import groups_of
from ResMedLib.only_painted import is_only_painted
from ResMedLib.painted import labels_of, lying_on, values_of
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.training_job import start_training

__all__ = ["collect", "train"]


def collect(cases: Sequence[TrainCase], *, only_painted: bool | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """Cases as :func:`napari_resmed.jobs.train.train` takes them, as the nodes are now.

    They are called "case 1", "case 2", ...: names of nodes may be patients', and a model remembers its cases. Those of
    one patient of the subject hierarchy are learnt from together or held out together.

    Parameters
    ----------
    only_painted:
        Whether what is not painted is unknown rather than background; None: in each as it was said of it, see
        :mod:`ResMedLib.only_painted`.

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
    made, notes, told_apart = [], [], len(values) > 1
    known: dict[int, Label] = {}
    patients = groups_of([case.volumes[0] if case.volumes else case.segmentation for case in cases])
    for number, (case, patient) in enumerate(zip(cases, patients, strict=True), 1):
        name = f"case {number}"
        only = is_only_painted(case.segmentation) if only_painted is None else only_painted
        try:
            with lying_on(case.segmentation, case.volumes) as source:
                labels, said = labels_of(case.segmentation, source, values)
                marks = complete_slices(case.segmentation, source) if only else []
        except InputError as problem:
            raise InputError(f"{name}: {problem}") from problem
        if not only and look_through(labels.data).is_partly(labels.spacing_mm):
            said.append("only some slices are painted, and the rest of the volume counts as background")
        # "Tumour" and "tumour" are one structure, as it was written first.
        agreed = LabelSet(tuple(known.setdefault(label.value, label) for label in labels.labels))
        told_apart = told_apart or bool(marks) or not only
        notes += [f"{name}: {note}" for note in said]
        made.append(
            {
                "name": name,
                "images": [source.volume] if case.volumes else [],
                "labels": replace(labels, labels=agreed),
                "only_painted": only,
                "complete_slices": marks,
                "group": patient,
            }
        )
    if not told_apart:
        raise InputError(
            "only one segment is painted, and nothing to tell it from: mark slices as complete, or paint some of the "
            'rest in a segment called "background"'
        )
    return made, notes


def train(
    cases: Sequence[TrainCase], name: str, on_event: OnEvent, *, only_painted: bool | None = None, **options: Any
) -> RunningJob:
    """Train on painted segments; see :func:`ResMedLib.training_job.start_training` for what is told and drawn.

    Parameters
    ----------
    cases:
        Segmentations, and the volumes they were painted over; with ``synthetic`` also segmentations without a volume.
    name:
        Of the new model.
    only_painted, options:
        Of :func:`collect`, and of :func:`napari_resmed.jobs.train.train`: ``base``, ``minutes``, ``synthetic``, ...

    Raises
    ------
    InputError
        If nothing can be learnt from what is painted.
    """
    data, notes = collect(cases, only_painted=only_painted)
    return start_training(name, {"data": data, **options}, on_event, notes)
