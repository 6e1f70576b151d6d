"""How good answers of a classifier are: figures of every class and of all, with how far chance moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io.tables import significant
from napari_resmed.review.ranking import area_under_roc, average_precision

__all__ = ["BINS", "CLASS_FIGURES", "Answers", "ClassEvaluation", "ClassSummary", "measure_classes", "reliability"]

# By class, and as a mean over classes; in words for people.
CLASS_FIGURES = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "auc": "AUC",
    "average_precision": "average precision",
}
# Of equal width, as in Guo et al., ICML 2017.
BINS = 15
# The middle share of the resamples that an interval spans.
CONFIDENCE = 0.95
_DIGITS = 6

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of each case, and what is true.

    Parameters
    ----------
    names, patients:
        Of the cases; those of one patient are drawn together where chance is estimated.
    classes:
        Names, in order.
    truth, predicted:
        int ``(case,)``: number of the class.
    shares:
        float ``(case, class)``: probabilities.
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    classes: tuple[str, ...]
    truth: Ints
    predicted: Ints
    shares: Floats

    def taken(self, rows: Ints) -> Answers:
        """Some of them, perhaps several times."""
        names, patients = (tuple(these[row] for row in rows) for these in (self.names, self.patients))
        return Answers(names, patients, self.classes, self.truth[rows], self.predicted[rows], self.shares[rows])


@dataclass(frozen=True)
class ClassSummary:
    """One class against all others.

    Parameters
    ----------
    name, cases, predicted:
        The class, how many cases are of it, and how many were said to be.
    figures:
        By the keys of :data:`CLASS_FIGURES`; None where there is nothing to tell by.
    intervals:
        Of each, where chance would move it; None where that cannot be told.
    """

    name: str
    cases: int
    predicted: int
    figures: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


@dataclass(frozen=True, eq=False)
class ClassEvaluation:
    """Answers measured against the truth.

    Parameters
    ----------
    predictions, truth:
        Names of the files.
    answers:
        What was compared.
    classes:
        One summary each.
    mean:
        ``accuracy``, ``balanced_accuracy``, ``calibration_error``, and the means over classes of
        :data:`CLASS_FIGURES`, each class alike.
    intervals:
        Of each.
    confusion:
        Cases by true class (rows) and predicted class.
    resamples:
        How often the cases were drawn anew.
    failed:
        Cases without an answer, with the reason; in no figure.
    warnings:
        What a person should know before trusting the figures.
    made_by:
        Program and time.
    """

    predictions: str
    truth: str
    answers: Answers
    classes: tuple[ClassSummary, ...]
    mean: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    confusion: Ints
    resamples: int
    failed: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    made_by: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """A table of the cases: ``case, truth, predicted, correct, p_<class>...``."""
        found = self.answers
        return [
            {
                "case": name,
                "truth": found.classes[found.truth[row]],
                "predicted": found.classes[found.predicted[row]],
                "correct": bool(found.truth[row] == found.predicted[row]),
                **{f"p_{label}": significant(float(found.shares[row, k])) for k, label in enumerate(found.classes)},
            }
            for row, name in enumerate(found.names)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded to six digits."""
        labels = [
            {
                "name": of.name,
                "cases": of.cases,
                "predicted": of.predicted,
                "mean": _rounded(of.figures),
                "interval": _rounded(of.intervals),
            }
            for of in self.classes
        ]
        return {
            "task": "classification",
            "predictions": self.predictions,
            "truth": self.truth,
            "mean": _rounded(self.mean),
            "interval": _rounded(self.intervals),
            "resamples": self.resamples,
            "labels": labels,
            "confusion": self.confusion.tolist(),
            "cases": self.rows(),
            "failed": self.failed,
            "warnings": list(self.warnings),
            "made_by": self.made_by,
        }


def measure_classes(
    answers: Answers, resamples: int = 1000, seed: int = 0
) -> tuple[tuple[ClassSummary, ...], dict[str, float | None], dict[str, tuple[float, float] | None]]:
    """Every figure, and for each the interval that 95 % of resamples of the patients lie in.

    The percentile bootstrap (Efron and Tibshirani, 1993, chapter 13), patients drawn and not images, as those of one
    are alike.

    Parameters
    ----------
    answers:
        At least one.
    resamples:
        How many; 0 for no intervals.
    seed:
        Of the draws.

    Returns
    -------
    summaries
        One for every class.
    mean
        As in :class:`ClassEvaluation`.
    intervals
        Of the mean.
    """
    found = _figures(answers)
    names, groups = np.unique(np.array(answers.patients), return_inverse=True)
    members = [np.flatnonzero(groups == number) for number in range(len(names))]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {key: [] for key in found}
    for _ in range(resamples):
        chosen = generator.integers(0, len(names), len(names))
        again = _figures(answers.taken(np.concatenate([members[number] for number in chosen])))
        for key, value in again.items():
            if value is not None:
                drawn[key].append(value)
    intervals = {key: _interval(drawn[key], resamples) if found[key] is not None else None for key in found}
    summaries = tuple(
        ClassSummary(
            name,
            int((answers.truth == number).sum()),
            int((answers.predicted == number).sum()),
            {key: found[f"{key} {number}"] for key in CLASS_FIGURES},
            {key: intervals[f"{key} {number}"] for key in CLASS_FIGURES},
        )
        for number, name in enumerate(answers.classes)
    )
    of_all = ("accuracy", "balanced_accuracy", "calibration_error", *CLASS_FIGURES)
    return summaries, {key: found[key] for key in of_all}, {key: intervals[key] for key in of_all}


def reliability(answers: Answers) -> tuple[Floats, Floats, Ints]:
    """Of the cases in each bin of how sure their answer was: how sure on average, how many were right, how many."""
    sure = answers.shares[np.arange(len(answers.truth)), answers.predicted]
    right = answers.truth == answers.predicted
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    count = np.bincount(places, minlength=BINS)
    whole = np.maximum(count, 1)
    return np.bincount(places, sure, BINS) / whole, np.bincount(places, right, BINS) / whole, count


def _figures(answers: Answers) -> dict[str, float | None]:
    found: dict[str, float | None] = {"accuracy": float((answers.truth == answers.predicted).mean())}
    for number in range(len(answers.classes)):
        true, called = answers.truth == number, answers.predicted == number
        hits, wrong, missed = int((true & called).sum()), int((~true & called).sum()), int((true & ~called).sum())
        quiet = len(true) - hits - wrong - missed
        # Never called though it is there: a precision of nothing counts as 0, as in scikit-learn.
        found[f"precision {number}"] = _share(hits, hits + wrong) if hits + wrong else (0.0 if missed else None)
        found[f"recall {number}"] = _share(hits, hits + missed)
        found[f"specificity {number}"] = _share(quiet, quiet + wrong)
        found[f"f1 {number}"] = _share(2 * hits, 2 * hits + wrong + missed)
        found[f"auc {number}"] = area_under_roc(true, answers.shares[:, number])
        found[f"average_precision {number}"] = average_precision(true, answers.shares[:, number])
    for key in CLASS_FIGURES:
        values = [found[f"{key} {number}"] for number in range(len(answers.classes))]
        known = [value for value in values if value is not None]
        found[key] = sum(known) / len(known) if known else None
    found["balanced_accuracy"] = found["recall"]
    sure, right, count = reliability(answers)
    found["calibration_error"] = float((np.abs(sure - right) * count).sum() / count.sum())
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _interval(values: Sequence[float], resamples: int) -> tuple[float, float] | None:
    # Where many resamples have no figure, those that have one are no fair sample; and where all are equal, as of a
    # single patient or where every answer is right, they do not tell how far chance would move it.
    if not values or len(values) < CONFIDENCE * resamples or min(values) == max(values):
        return None
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(low), float(high)


def _rounded(figures: Any) -> dict[str, Any]:
    def one(value: Any) -> Any:
        if value is None:
            return None
        return [round(part, _DIGITS) for part in value] if isinstance(value, tuple) else round(value, _DIGITS)

    return {key: one(value) for key, value in figures.items()}
