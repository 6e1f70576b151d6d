"""Train a model that tells what a volume as a whole is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_resmed.errors import InputError
from ResMedLib.class_cases import ClassCase, trouble_with
from ResMedLib.hierarchy import groups_of
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.training_job import start_training
from ResMedLib.volumes import source_of

__all__ = ["collect_classes", "train_classes"]


def collect_classes(cases: Sequence[ClassCase]) -> list[dict[str, Any]]:
    """Cases as :func:`napari_resmed.jobs.train.train` takes them, as the nodes are now; of a sequence the shown frame.

    They are called "case 1", "case 2", ..., and those of one patient of the subject hierarchy are a group, which is
    never on both sides when the model is judged.

    Raises
    ------
    InputError
        If there are no two classes of two patients each, or a volume holds no image.
    """
    if trouble := trouble_with(cases):
        raise InputError(trouble)
    patients = groups_of([case.volume for case in cases])
    made = []
    for number, (case, patient) in enumerate(zip(cases, patients, strict=True), 1):
        try:
            image = source_of(case.volume).volume
        except InputError as problem:
            raise InputError(f"{case.volume.GetName()}: {problem}") from problem
        made.append({"name": f"case {number}", "images": [image], "class_name": case.class_name, "group": patient})
    return made


def train_classes(cases: Sequence[ClassCase], name: str, on_event: OnEvent, **options: Any) -> RunningJob:
    """Train a classifier; see :func:`ResMedLib.training_job.start_training` for what is told and drawn.

    Parameters
    ----------
    cases:
        Volumes, and what each is.
    name:
        Of the new model.
    options:
        Of :func:`napari_resmed.jobs.train.train`; the model it begins with, ``base``, may be one that classifies, or
        one that segments, whose encoder is taken.

    Raises
    ------
    InputError
        As of :func:`collect_classes`.
    """
    return start_training(name, {"data": collect_classes(cases), "task": "classify", **options}, on_event)
