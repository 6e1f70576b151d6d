"""A table of answers, as ``classify`` writes it, joined with the truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.classes import read_classes
from napari_resmed.io.datasets.rows import Row, first_column, read_rows
from napari_resmed.io.umlauts import in_one_way
from napari_resmed.review.class_scores import Answers

__all__ = ["Joined", "is_class_table", "join_with_truth"]

_SHARE = "p_"
# Probabilities as they were rounded for a file.
_SUMS_TO_ONE = 0.01


@dataclass(frozen=True, eq=False)
class Joined:
    """Answers with what is true, and what could not be joined.

    Parameters
    ----------
    answers:
        Cases that have both.
    failed:
        Cases without an answer, with the reason.
    learnt:
        How many of the answers are to cases that the truth gives to training.
    without_truth, without_answer:
        Paths in the table that no case has, and cases that are not in it.
    dataset:
        The truth.
    """

    answers: Answers
    failed: dict[str, str]
    learnt: int
    without_truth: tuple[str, ...]
    without_answer: tuple[str, ...]
    dataset: Dataset


def is_class_table(path: Path) -> bool:
    """Whether a file is a table of answers: CSV with a column ``predicted``."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    try:
        return bool(first_column(read_rows(path), "predicted"))
    except InputError:
        return False


def join_with_truth(predictions: Path, truth: Path) -> Joined:
    """Read both and join them by path; where paths differ, by their last parts, or by what stands before ``.``.

    Parameters
    ----------
    predictions:
        CSV with ``path``, ``predicted``, and ``p_<class>`` for every class.
    truth:
        A data set as :func:`napari_resmed.io.datasets.classes.read_classes` reads it.

    Raises
    ------
    InputError
        If a table cannot be read, its classes are not those of the truth, or nothing joins.
    """
    rows = read_rows(predictions)
    path, predicted = first_column(rows, "path", "image", "case"), first_column(rows, "predicted")
    columns = {name.removeprefix(_SHARE): name for name in rows[0] if name.startswith(_SHARE)}
    if not path or not predicted or len(columns) < 2:
        raise InputError(
            f"{predictions.name} has the columns {', '.join(rows[0])}; expected path, predicted, and p_CLASS for every "
            "class"
        )
    dataset, _ = read_classes(truth, least=1)
    strange = sorted({case.class_name for case in dataset.cases} - set(columns))
    if strange:
        raise InputError(
            f"{truth.name} has the class {strange[0]!r}, {predictions.name} has the classes {', '.join(columns)}; they "
            "must have one name in both"
        )
    rows = _once(rows, path, predictions)
    pairs = _join([row[path] for row in rows], dataset.cases, predictions)
    classes = tuple(columns)
    kept, failed = [], {}
    for number, case in pairs.items():
        row = rows[number]
        if not row[predicted]:
            failed[case.name] = row.get(first_column(rows, "quality"), "") or "it has no answer"
        elif row[predicted] not in columns:
            raise InputError(f"{predictions.name} predicts {row[predicted]!r}, which has no column p_{row[predicted]}")
        else:
            kept.append((case, row))
    if not kept:
        raise InputError(f"no case of {truth.name} has an answer in {predictions.name}; are they of the same images?")
    number_of = {name: number for number, name in enumerate(classes)}
    answers = Answers(
        tuple(case.name for case, _ in kept),
        tuple(case.patient for case, _ in kept),
        classes,
        np.array([number_of[case.class_name] for case, _ in kept], np.int64),
        np.array([number_of[row[predicted]] for _, row in kept], np.int64),
        np.array([[_share(row[name], name, predictions) for name in columns.values()] for _, row in kept], np.float64),
    )
    if np.abs(answers.shares.sum(1) - 1).max() > _SUMS_TO_ONE:
        raise InputError(f"{predictions.name} has probabilities that do not sum to 1; expected one for every class")
    matched = {case.name for case in pairs.values()}
    return Joined(
        answers,
        failed,
        sum(case.split == "train" for case, _ in kept),
        tuple(row[path] for number, row in enumerate(rows) if number not in pairs),
        tuple(case.name for case in dataset.cases if case.name not in matched),
        dataset,
    )


def _once(rows: list[Row], path: str, predictions: Path) -> list[Row]:
    """Rows that are not the same again: an image may have been classified twice, but not into two answers."""
    found: dict[str, Row] = {}
    for row in rows:
        if row != found.setdefault(row[path], row):
            raise InputError(
                f"{predictions.name} has {row[path]} in line {row.line} once more, with another answer; keep one of "
                "them"
            )
    return list(found.values())


def _join(paths: Sequence[str], cases: Sequence[Case], predictions: Path) -> dict[int, Case]:
    """Case of each row: by whole paths where any fits, else by the way, unique on both sides, that fits most."""

    def whole(path: PurePath) -> str:
        return os.path.normpath(Path(path).absolute())

    def last(parts: int) -> Callable[[PurePath], str]:
        return lambda path: "/".join(path.parts[-parts:])

    def stem(path: PurePath) -> str:
        return path.name.split(".")[0]

    def key(way: Callable[[PurePath], str], path: PurePath) -> str:
        return in_one_way(way(path))

    ways: tuple[Callable[[PurePath], str], ...] = (whole, *map(last, (4, 3, 2, 1)), stem)
    most: dict[int, Case] = {}
    for way in ways:
        of_case = {key(way, image): case for case in cases for image in case.images[:1] if isinstance(image, Path)}
        of_row = {key(way, PurePath(path.replace("\\", "/"))): number for number, path in enumerate(paths)}
        if len(of_case) < len(cases) or len(of_row) < len(paths):
            continue
        found = {number: of_case[place] for place, number in of_row.items() if place in of_case}
        if found and way is whole:
            return found
        most = max(most, found, key=len)
    if most:
        return most
    raise InputError(
        f"no path in {predictions.name}, e.g. {paths[0]}, is that of a case in the truth; are they of the same images?"
    )


def _share(cell: str, column: str, path: Path) -> float:
    try:
        share = float(cell)
    except ValueError as problem:
        raise InputError(f"{path.name} has {cell!r} in {column}, expected a probability") from problem
    if not 0 <= share <= 1:
        raise InputError(f"{path.name} has {share} in {column}, expected a probability from 0 to 1")
    return share
