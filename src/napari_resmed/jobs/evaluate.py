"""Measure predictions against the truth."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path

import napari_resmed
from napari_resmed.errors import InputError, ResMedError, WorkError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.io.structure_names import match_names
from napari_resmed.jobs.follow import follow
from napari_resmed.review.annotated import Annotated, read_annotated
from napari_resmed.review.compare_files import Compared, Measure, compare_files
from napari_resmed.review.metrics import TOLERANCE_MM, absent
from napari_resmed.review.pairing import Pair, Pairing, pair_files, spoken
from napari_resmed.review.same_grid import SAME_VOXEL
from napari_resmed.review.scores import CaseScores, Evaluation, summarise

__all__ = ["evaluate"]

# Share of the job that comparing takes where a report is written too.
_COMPARED = 0.9


def evaluate(
    predictions: Path | str,
    truth: Path | str,
    *,
    report: Path | str | None = None,
    tolerance_mm: float = TOLERANCE_MM,
    labels: Sequence[int] = (),
    names: Mapping[int, str] | None = None,
    ignore: int | None = None,
    annotated: Path | str | None = None,
    images: Path | str | None = None,
    resample: bool = False,
    only_predicted: bool = False,
    processes: int = 1,
) -> Generator[Event, None, Evaluation]:
    """Compare label maps with the truth, case by case and label by label.

    Parameters
    ----------
    predictions, truth:
        Two label files, or two folders whose files are paired by name. A truth without a prediction counts as an
        empty prediction: every structure in it is missed.
    report:
        A new or empty folder, or that of an earlier report, for ``report.html``, ``metrics.csv``, ``metrics.json``.
    tolerance_mm:
        Of the surface Dice.
    labels:
        The values to compare; empty for every one that occurs in any file.
    names:
        Of labels, by value; before those that the files give.
    ignore:
        Voxels of this value in the truth are not known and left out.
    annotated:
        A table of which structures were annotated in which case (see
        :func:`napari_resmed.review.annotated.read_annotated`); the others are left out there.
    images:
        The images, for the pictures in the report: a file or a folder.
    resample:
        Take predictions on another grid to that of their truth, each voxel from the nearest.
    only_predicted:
        Leave truths without a prediction out.
    processes:
        How many cases are compared at a time, each in a process of its own with two label maps in memory.

    Raises
    ------
    InputError
        If a path or a parameter cannot be used, nothing pairs, or no case can be compared. A single bad case among
        others is told in :attr:`napari_resmed.review.scores.Evaluation.failed`.
    WorkError
        If memory runs out, or the report cannot be written.
    """
    begin = time.perf_counter()
    predictions, truth = Path(predictions), Path(truth)
    _check(tolerance_mm, labels, ignore, processes)
    if images is not None and not Path(images).exists():
        raise InputError(f"{images} does not exist; expected the images that were segmented")
    if report is not None:
        # Not before it is needed: it brings matplotlib.
        from napari_resmed.review.report import check_report_place

        check_report_place(Path(report))
    table = read_annotated(Path(annotated)) if annotated is not None else None
    pairing = pair_files(predictions, truth)
    pairs = [pair for pair in pairing.pairs if pair.prediction or not only_predicted]
    measure = Measure(tolerance_mm, tuple(labels), ignore, resample)
    yield Started(f"Evaluating {len(pairs)} case{'s' if len(pairs) != 1 else ''}")
    share = _COMPARED if report is not None else 1.0
    try:
        found = yield from _compare_all(pairs, measure, processes, share, begin)
    except MemoryError as problem:
        raise WorkError("out of memory; close other programs, or evaluate fewer cases at a time") from problem
    done = {pair: result for pair, result in found.items() if isinstance(result, Compared)}
    failed = {pair: result for pair, result in found.items() if isinstance(result, ResMedError)}
    if not done:
        first, reason = next(iter(failed.items()))
        raise InputError(str(reason) if len(pairs) == 1 else f"no case could be compared; {first.name}: {reason}")
    known = _names(done.values(), names or {}, labels)
    if not known:
        raise InputError("neither the truth nor the predictions hold any label: every voxel is 0; check the files")
    unknown = _unknown(done, table, known)
    cases = tuple(_case(pair, result, known, unknown.get(pair) or frozenset()) for pair, result in done.items())
    summaries, mean = summarise(cases, known)
    skipped = [pair for pair in pairing.pairs if pair not in found]
    warnings = tuple(
        _warnings(pairing, skipped, done, failed, known, measure, table, {p for p, u in unknown.items() if u is None})
    )
    evaluation = Evaluation(
        predictions=predictions.name or str(predictions),
        truth=truth.name or str(truth),
        tolerance_mm=tolerance_mm,
        cases=cases,
        labels=summaries,
        mean=mean,
        predictions_alone=tuple(path.name for path in pairing.predictions_alone),
        failed={pair.name: str(problem) for pair, problem in failed.items()},
        warnings=warnings,
        ignore=ignore,
        made_by={
            "program": f"napari-resmed {napari_resmed.__version__}",
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    for message in warnings:
        yield Warning(message)
    if report is not None:
        from napari_resmed.review.report import write_report

        by_name = {pair.name: pair for pair in done}
        yield from follow(
            write_report(evaluation, Path(report), by_name, measure, Path(images) if images is not None else None),
            lambda part: Progress("Writing the report", _COMPARED + (1 - _COMPARED) * part),
        )
    return evaluation


def _check(tolerance_mm: float, labels: Sequence[int], ignore: int | None, processes: int) -> None:
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise InputError(f"the tolerance is {tolerance_mm} mm, expected 0 or more")
    if any(value < 1 for value in labels):
        raise InputError(f"found the label {min(labels)}, expected 1 or more: 0 is background")
    if ignore is not None and ignore in labels:
        raise InputError(f"label {ignore} is to be compared and to be ignored; choose one")
    if ignore is not None and ignore < 1:
        raise InputError(f"found {ignore} to ignore, expected a label of 1 or more")
    if processes < 1:
        raise InputError(f"found {processes} processes, expected 1 or more")


def _compare_all(
    pairs: Sequence[Pair], measure: Measure, processes: int, share: float, begin: float
) -> Generator[Event, None, dict[Pair, Compared | ResMedError]]:
    """Every case, in the order of ``pairs``."""

    def progress(what: str, cases: float) -> Progress:
        part = cases / len(pairs)
        left = (time.perf_counter() - begin) * (1 - part) / part if part > 0 else None
        return Progress(what, share * part, left)

    found: dict[Pair, Compared | ResMedError] = {}
    if processes == 1 or len(pairs) == 1:
        for number, pair in enumerate(pairs):
            what = f"Comparing {pair.name}"
            yield progress(what, number)
            try:
                found[pair] = yield from follow(
                    compare_files(pair, measure),
                    lambda part, what=what, number=number: progress(what, number + part),  # type: ignore[misc]
                )
            except InputError as problem:
                found[pair] = problem
        return found
    for pair, result in _in_processes(pairs, measure, min(processes, len(pairs))):
        found[pair] = result
        yield progress(f"Compared {pair.name}", len(found))
    return {pair: found[pair] for pair in pairs}


def _in_processes(
    pairs: Sequence[Pair], measure: Measure, processes: int
) -> Iterator[tuple[Pair, Compared | ResMedError]]:
    """Cases as they are done."""
    # Started afresh rather than forked: threads of the libraries do not survive a fork.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
    try:
        waiting = {pool.submit(_one, pair, measure): pair for pair in pairs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as problem:
        raise WorkError("a process ended early, most likely for want of memory; use fewer at a time") from problem
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one(pair: Pair, measure: Measure) -> Compared | ResMedError:
    """One case to its end; what is wrong with it is an answer like any."""
    steps = compare_files(pair, measure)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Compared = end.value
            return result
        except InputError as problem:
            return problem


def _names(results: Iterable[Compared], given: Mapping[int, str], labels: Sequence[int]) -> dict[int, str]:
    """A name for every label that is evaluated: as given, else as the truth says, else as the predictions say."""
    listed = list(results)
    values = set(labels) or {value for result in listed for value in result.scores}
    said: dict[int, str] = {}
    for own in (*(result.truth_names for result in listed), *(result.predicted_names for result in listed)):
        for value, name in own.items():
            said.setdefault(value, name)
    return {value: given.get(value, said.get(value, f"label {value}")) for value in sorted(values)}


def _unknown(
    done: Mapping[Pair, Compared], table: Annotated | None, names: Mapping[int, str]
) -> dict[Pair, frozenset[int] | None]:
    """The labels that were not annotated, case by case; None where the table does not know the case."""
    if table is None:
        return {}
    columns = table.known_columns(names)
    return {pair: table.unknown(pair.truth, columns) for pair in done}


def _case(pair: Pair, result: Compared, names: Mapping[int, str], unknown: frozenset[int]) -> CaseScores:
    scores = (result.scores.get(value, absent(value)) for value in names)
    return CaseScores(
        pair.name,
        pair.truth.name,
        pair.prediction.name if pair.prediction else None,
        tuple(score.not_annotated() if score.value in unknown else score for score in scores),
        result.resampled,
    )


def _warnings(
    pairing: Pairing,
    skipped: Sequence[Pair],
    done: Mapping[Pair, Compared],
    failed: Mapping[Pair, ResMedError],
    names: Mapping[int, str],
    measure: Measure,
    table: Annotated | None,
    not_in_table: set[Pair],
) -> Iterator[str]:
    """What speaks against taking the figures as they are."""
    for pair, problem in failed.items():
        yield f"{pair.name} could not be compared and is in no mean: {problem}"
    empty = [pair.truth for pair in done if pair.prediction is None]
    if empty:
        yield (
            f"{_count(empty, 'truth has', 'truths have')} no prediction, counted as one that found nothing: "
            f"{spoken(empty)}; --only-predicted leaves such cases out"
        )
    if skipped:
        yield f"{_count(skipped, 'truth has', 'truths have')} no prediction, left out: " + spoken(
            pair.truth for pair in skipped
        )
    if pairing.predictions_alone:
        alone = pairing.predictions_alone
        yield f"{_count(alone, 'prediction has', 'predictions have')} no truth, left out: {spoken(alone)}"
    resampled = [pair.name for pair, result in done.items() if result.resampled]
    if resampled:
        yield (
            f"{_count(resampled, 'prediction was', 'predictions were')} resampled to the grid of the truth, which "
            f"changes every figure a little: {spoken(resampled)}"
        )
    yield from _about_labels(done, names, measure)
    if table is not None:
        if not_in_table:
            yield (
                f"{table.file} has no row for {spoken(sorted(pair.name for pair in not_in_table))}: "
                "every structure counts as annotated there"
            )
        without = [name for value, name in names.items() if value not in table.known_columns(names)]
        if without:
            yield f"{table.file} has no column for {spoken(without)}: annotated everywhere, as far as is known"


def _about_labels(done: Mapping[Pair, Compared], names: Mapping[int, str], measure: Measure) -> Iterator[str]:
    true = {value for result in done.values() for value in result.truth_values | result.truth_names.keys()}
    predicted = {value for result in done.values() for value in result.predicted_values}
    seen_true = {value for result in done.values() for value in result.truth_values}
    if nowhere := sorted(names.keys() - seen_true - predicted):
        yield f"neither the truth nor the predictions hold {_listed(nowhere, names)}: no figure tells anything of it"
    if only := sorted((predicted - true) & names.keys()):
        yield (
            f"only the predictions hold {_listed(only, names)}: false alarms in every case that has them; --labels "
            "chooses what is compared"
        )
    if (only := sorted((seen_true - predicted) & names.keys())) and any(pair.prediction for pair in done):
        yield f"only the truth holds {_listed(only, names)}: missed in every case that has them"
    for value in names:
        theirs = {result.truth_names[value] for result in done.values() if value in result.truth_names}
        ours = {result.predicted_names[value] for result in done.values() if value in result.predicted_names}
        if theirs and ours and not match_names(theirs, ours):
            yield (
                f"label {value} is {min(theirs)!r} in the truth and {min(ours)!r} in the predictions: make sure that "
                "both mean the same"
            )
    coarse = max(min(result.spacing_mm) for result in done.values())
    if measure.tolerance_mm < coarse * (1 - SAME_VOXEL):
        yield (
            f"the tolerance of {measure.tolerance_mm:g} mm is finer than a voxel of {coarse:.3g} mm: surface Dice then "
            "forgives nothing; --tolerance sets it"
        )


def _listed(values: Sequence[int], names: Mapping[int, str]) -> str:
    return spoken(names[value] if names[value] == f"label {value}" else f"{names[value]} ({value})" for value in values)


def _count(items: Sequence[object], one: str, many: str) -> str:
    return f"{len(items)} {one if len(items) == 1 else many}"
