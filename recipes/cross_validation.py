"""Train on all parts of a data set but one, judge on that one, part after part; then train on everything.

Every case is so judged once by a network that never saw it, through the same Segment job that a click runs. Training,
predictions and figures lie in a work folder; a run that was stopped goes on where it was. Several processes may do some
of the parts each.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from napari_resmed.case import Case, Dataset
from napari_resmed.events import Metric, Warning
from napari_resmed.jobs.evaluate import evaluate
from napari_resmed.jobs.segment_file import segment_file
from napari_resmed.jobs.train import train
from napari_resmed.models.folder import load_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.review.scores import Evaluation
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.same_images import Same, patients_of
from recipes.machine import device_name

__all__ = ["MADE_ON", "PREDICTED", "cross_validate", "mirrored", "parts_of", "run", "train_on"]

# In the work folder: what was segmented; beside a trained model: what it was trained on.
PREDICTED, MADE_ON = "predicted", "made_on.txt"

Result = TypeVar("Result")


def cross_validate(
    dataset: Dataset,
    work: Path,
    *,
    name: str,
    parts: Mapping[str, int],
    minutes: float,
    seed: int,
    plan: Mapping[str, Any] | None = None,
    only: Sequence[int] = (),
) -> Evaluation | None:
    """Judge every case by a network that was trained on the other parts.

    Parameters
    ----------
    dataset:
        The cases that can be used, in a fixed order.
    work:
        Where everything lies that is made.
    name:
        Of the models.
    parts:
        The part of each case by its name, from 0: see :func:`parts_of`.
    minutes, seed:
        Of training for each part, and where chance begins.
    plan:
        Decisions of the plan that the recipe makes itself.
    only:
        Parts to do now, counted from 0, and nothing but those; all, and judged, where empty.

    Returns
    -------
    Evaluation
        With the report in ``work/report``; None where only some parts were done.
    """
    predicted = work / PREDICTED
    for fold in only or sorted(set(parts.values())):
        part = [case for case in dataset.cases if parts[case.name] == fold]
        if all((predicted / f"{case.name}.nii.gz").exists() for case in part):
            continue
        rest = [case for case in dataset.cases if parts[case.name] != fold]
        model = train_on(dataset, rest, _of_part(work, fold, name), minutes, seed, plan)
        _segment(part, predicted, model)
    return None if only else _judge(dataset, predicted, work / "report")


def mirrored(dataset: Dataset, work: Path, *, name: str, parts: Mapping[str, int]) -> Evaluation | None:
    """The same judgement where every window is answered mirrored, too; None of models that know no mirrored images.

    ``dataset, work, name, parts`` as :func:`cross_validate` was given them, which is done.
    """
    predicted = work / f"{PREDICTED}-mirrored"
    for fold in sorted(set(parts.values())):
        model = _of_part(work, fold, name)
        if not load_model(model).mirror_axes:
            return None
        _segment([case for case in dataset.cases if parts[case.name] == fold], predicted, model, tta=True)
    return _judge(dataset, predicted, work / "report-mirrored")


def parts_of(cases: Sequence[Case], folds: int, same: Same = ()) -> dict[str, int]:
    """The part of each case by its name, patients in turn; cases of the same image count as one patient's."""
    patients = patients_of(cases, same)
    turn = {patient: number % folds for number, patient in enumerate(dict.fromkeys(patients.values()))}
    return {name: turn[patient] for name, patient in patients.items()}


def train_on(
    dataset: Dataset,
    cases: Sequence[Case],
    folder: Path,
    minutes: float,
    seed: int,
    plan: Mapping[str, Any] | None = None,
) -> Path:
    """Train a model on some of the cases, or go on with it; nothing where it is done."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    (folder.parent / MADE_ON).write_text(device_name(choose_machine().device), encoding="utf-8")
    if RunFolder.beside(folder).is_unfinished:
        run(train("", folder, resume=True))
        return folder
    table = folder.parent / f"{folder.name}.csv"
    _write_table(table, dataset, cases)
    run(train(table, folder, minutes=minutes, seed=seed, plan=plan))
    return folder


def run(steps: Generator[Any, Any, Result]) -> Result:
    """A job to its end, with what it warns of and how far it is."""
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        if isinstance(event, Warning):
            print(f"  {event.message}", flush=True)
        if isinstance(event, Metric) and event.name.endswith("Dice"):
            print(f"  step {event.step}: {event.name} {event.value:.3f}", flush=True)


def _of_part(work: Path, fold: int, name: str) -> Path:
    return work / f"fold{fold + 1}" / name


def _segment(cases: Sequence[Case], folder: Path, model: Path, **options: Any) -> None:
    """Every case that was not segmented yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        target = folder / f"{case.name}.nii.gz"
        if not target.exists():
            run(segment_file(Path(str(case.images[0])), target, str(model), **options))
            print(f"  {case.name} segmented by {model.parent.name}'s model", flush=True)


def _judge(dataset: Dataset, predicted: Path, report: Path) -> Evaluation:
    truth = predicted.parent / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    for case in dataset.cases:
        link = truth / f"{case.name}.nii.gz"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(str(case.labels)).absolute())
    known = {label.value: label.name for label in dataset.labels}
    annotated = truth.parent / "annotated.csv" if any(case.annotated is not None for case in dataset.cases) else None
    if annotated is not None:
        _write_annotated(annotated, dataset)
    return run(evaluate(predicted, truth, report=report, names=known, labels=list(known), annotated=annotated))


def _write_table(path: Path, dataset: Dataset, cases: Sequence[Case]) -> None:
    names = {label.value: label.name for label in dataset.labels}
    (path.parent / "labels.json").write_text(json.dumps(names))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("case", "patient", "image", "label", "annotated"))
        for case in cases:
            looked_for = dataset.labels.values if case.annotated is None else case.annotated
            paths = (Path(str(place)).absolute() for place in (case.images[0], case.labels))
            rows.writerow((case.name, case.patient, *paths, ";".join(map(str, looked_for))))


def _write_annotated(path: Path, dataset: Dataset) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("case", *(label.name for label in dataset.labels)))
        for case in dataset.cases:
            looked_for = dataset.labels.values if case.annotated is None else case.annotated
            rows.writerow((case.name, *(int(value in looked_for) for value in dataset.labels.values)))
