"""Measure answers of a classifier against the truth."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import napari_resmed
from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.found import a_few
from napari_resmed.io.tables import write_table
from napari_resmed.io.whole_file import whole_folder
from napari_resmed.review.class_scores import ClassEvaluation, measure_classes
from napari_resmed.review.class_table import Joined, join_with_truth

__all__ = ["evaluate_classes"]

# Wrong answers whose images are shown: two rows on a wide screen.
PICTURES = 6
# So few that the figures say little.
FEW = 20


def evaluate_classes(
    predictions: Path | str,
    truth: Path | str,
    *,
    report: Path | str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Generator[Event, None, ClassEvaluation]:
    """Compare a table of answers with the truth.

    Parameters
    ----------
    predictions:
        CSV as ``classify`` writes it: ``path``, ``predicted``, ``p_<class>``.
    truth:
        What :func:`napari_resmed.io.datasets.classes.read_classes` reads: a CSV with ``path`` and ``class``, a folder
        per class, a MedMNIST file.
    report:
        A new or empty folder, or that of an earlier report, for ``report.html``, ``metrics.csv``, ``metrics.json``.
    resamples, seed:
        For the intervals.

    Raises
    ------
    InputError
        If a file or a parameter cannot be used, or nothing joins.
    WorkError
        If the report cannot be written.
    """
    predictions, truth = Path(predictions), Path(truth)
    if resamples < 0:
        raise InputError(f"found {resamples} resamples, expected 0 or more")
    if report is not None:
        # Not before it is needed: it brings matplotlib.
        from napari_resmed.review.report import check_report_place

        check_report_place(Path(report))
    joined = join_with_truth(predictions, truth)
    answers = joined.answers
    yield Started(f"Evaluating {len(answers.names)} answers")
    yield Progress("Comparing", 0.0)
    summaries, mean, intervals = measure_classes(answers, resamples, seed)
    confusion = np.zeros((len(answers.classes),) * 2, np.int64)
    np.add.at(confusion, (answers.truth, answers.predicted), 1)
    warnings = tuple(_warnings(joined))
    for message in warnings:
        yield Warning(message)
    evaluation = ClassEvaluation(
        predictions=predictions.name,
        truth=truth.name,
        answers=answers,
        classes=summaries,
        mean=mean,
        intervals=intervals,
        confusion=confusion,
        resamples=resamples,
        failed=joined.failed,
        warnings=warnings,
        made_by={
            "program": f"napari-resmed {napari_resmed.__version__}",
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    if report is not None:
        yield Progress("Writing the report", 0.8)
        _write_report(evaluation, joined, Path(report))
    return evaluation


def _warnings(joined: Joined) -> Iterator[str]:
    """What speaks against taking the figures as they are."""
    if joined.failed:
        yield f"{len(joined.failed)} cases have no answer and are in no figure: {a_few(sorted(joined.failed))}"
    if joined.without_answer:
        count = len(joined.without_answer)
        yield f"{count} cases are not in the table of answers, left out: {a_few(list(joined.without_answer))}"
    if joined.without_truth:
        count = len(joined.without_truth)
        yield f"of {count} answers the truth is not known, left out: {a_few(list(joined.without_truth))}"
    if joined.learnt:
        yield (
            f"{joined.learnt} of the {len(joined.answers.names)} answers are to cases of the training split; a model "
            "that learnt from them is flattered by the figures"
        )
    counts = np.bincount(joined.answers.truth, minlength=len(joined.answers.classes))
    for name, count in zip(joined.answers.classes, counts, strict=True):
        if count < FEW:
            yield f"only {count} cases are of the class {name!r}; its figures say little"


def _write_report(evaluation: ClassEvaluation, joined: Joined, folder: Path) -> None:
    from napari_resmed.review.class_page import class_page, surest_wrong
    from napari_resmed.review.class_pictures import case_picture
    from napari_resmed.review.class_plots import class_plots

    cases = {case.name: case for case in joined.dataset.cases}
    worst = [evaluation.answers.names[row] for row, _ in surest_wrong(evaluation)[:PICTURES]]
    drawn = {name: picture for name in worst if (picture := case_picture(cases[name], joined.dataset)) is not None}
    forget_archives()
    page = class_page(evaluation, class_plots(evaluation), drawn)
    with whole_folder(folder) as part:
        (part / "report.html").write_text(page, encoding="utf-8")
        write_table(evaluation.rows(), part / "metrics.csv")
        text = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (part / "metrics.json").write_text(text + "\n", encoding="utf-8")
