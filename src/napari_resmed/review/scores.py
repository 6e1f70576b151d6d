"""What an evaluation found: scores of every case, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_resmed.review.metrics import METRICS, LabelScore

__all__ = ["CaseScores", "Evaluation", "LabelSummary", "Statistics", "summarise"]

# Digits after the point in files: a millionth of a mm, a mL or a Dice is beyond any meaning.
_DIGITS = 6


@dataclass(frozen=True)
class CaseScores:
    """One case.

    Parameters
    ----------
    name:
        For lists.
    truth, prediction:
        File names; ``prediction`` is None where there was none and an empty map was measured in its place.
    labels:
        One score per label of the evaluation, by value.
    resampled:
        Whether the prediction lay on another grid.
    """

    name: str
    truth: str
    prediction: str | None
    labels: tuple[LabelScore, ...]
    resampled: bool = False

    def mean(self, key: str) -> float | None:
        """Mean of a metric over the labels that have it; None where none has."""
        return _mean(score.figure(key) for score in self.labels)


@dataclass(frozen=True)
class Statistics:
    """Of one metric over cases: None in every field but ``cases`` where no case has it.

    ``std`` is the sample standard deviation; None for fewer than two cases.
    """

    cases: int
    mean: float | None = None
    std: float | None = None
    median: float | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class LabelSummary:
    """One label over all cases.

    Parameters
    ----------
    value, name:
        The label.
    compared, missed, false_alarms, absent, not_annotated:
        Number of cases of each :data:`napari_resmed.review.metrics.Status`.
    statistics:
        By metric. A missed structure and a false alarm count with their zeros; they have no distances.
    """

    value: int
    name: str
    compared: int
    missed: int
    false_alarms: int
    absent: int
    not_annotated: int
    statistics: dict[str, Statistics]


@dataclass(frozen=True)
class Evaluation:
    """Predictions measured against the truth.

    Parameters
    ----------
    predictions, truth:
        Names of the folders or files.
    tolerance_mm:
        Of the surface Dice.
    cases:
        In the order of their names.
    labels:
        One summary per label, by value.
    mean:
        By metric: the mean over labels of their means, each label alike; None where none has one.
    predictions_alone:
        Files of predictions that no truth belongs to; not evaluated.
    failed:
        Cases that could not be compared, with the reason; not in any mean.
    warnings:
        What a person should know before trusting the figures.
    ignore:
        The truth's value for "not known"; None where there is none.
    made_by:
        Program and time.
    """

    predictions: str
    truth: str
    tolerance_mm: float
    cases: tuple[CaseScores, ...]
    labels: tuple[LabelSummary, ...]
    mean: dict[str, float | None]
    predictions_alone: tuple[str, ...] = ()
    failed: dict[str, str] | None = None
    warnings: tuple[str, ...] = ()
    ignore: int | None = None
    made_by: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded to six digits: what ``evaluate --json`` prints and ``metrics.json`` holds."""
        names = {label.value: label.name for label in self.labels}
        return {
            "task": "segmentation",
            "predictions": self.predictions,
            "truth": self.truth,
            "tolerance_mm": self.tolerance_mm,
            "ignore": self.ignore,
            "mean": _rounded(self.mean),
            "labels": [_label_json(label) for label in self.labels],
            "cases": [
                {
                    "case": case.name,
                    "prediction": case.prediction,
                    "truth": case.truth,
                    "resampled": case.resampled,
                    "mean": _rounded({metric.key: case.mean(metric.key) for metric in METRICS}),
                    "labels": [
                        {"value": score.value, "name": names[score.value], **_rounded(_without_value(score))}
                        for score in case.labels
                    ],
                }
                for case in self.cases
            ],
            "failed": [{"case": name, "reason": reason} for name, reason in (self.failed or {}).items()],
            "predictions_without_truth": list(self.predictions_alone),
            "warnings": list(self.warnings),
            "made_by": self.made_by or {},
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per case and label, rounded, for a table."""
        return [
            {
                "case": case["case"],
                "prediction": case["prediction"],
                "truth": case["truth"],
                "label": label["value"],
                **{key: value for key, value in label.items() if key != "value"},
            }
            for case in self.to_json()["cases"]
            for label in case["labels"]
        ]


def summarise(
    cases: Sequence[CaseScores], names: dict[int, str]
) -> tuple[tuple[LabelSummary, ...], dict[str, float | None]]:
    """The labels over all cases, and the mean over labels by metric.

    Parameters
    ----------
    cases:
        Each with one score per label of ``names``, in the order of their values.
    names:
        Of every label, by value.
    """
    labels = []
    for place, value in enumerate(sorted(names)):
        scores = [case.labels[place] for case in cases]
        found = [score.status for score in scores]
        labels.append(
            LabelSummary(
                value=value,
                name=names[value],
                compared=found.count("compared"),
                missed=found.count("missed"),
                false_alarms=found.count("false alarm"),
                absent=found.count("absent"),
                not_annotated=found.count("not annotated"),
                statistics={metric.key: _statistics(score.figure(metric) for score in scores) for metric in METRICS},
            )
        )
    mean = {metric.key: _mean(label.statistics[metric.key].mean for label in labels) for metric in METRICS}
    return tuple(labels), mean


def _statistics(figures: Iterable[float | None]) -> Statistics:
    known = np.array([figure for figure in figures if figure is not None])
    if not len(known):
        return Statistics(0)
    return Statistics(
        len(known),
        float(known.mean()),
        float(known.std(ddof=1)) if len(known) > 1 else None,
        float(np.median(known)),
        float(known.min()),
        float(known.max()),
    )


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known else None


def _label_json(label: LabelSummary) -> dict[str, Any]:
    """Means by metric first: they are what is looked for."""
    statistics = {key: asdict(value) for key, value in label.statistics.items()}
    kinds = ("mean", "std", "median", "min", "max", "cases")
    return {
        "value": label.value,
        "name": label.name,
        **{kind: _rounded({key: values[kind] for key, values in statistics.items()}) for kind in kinds},
        "compared": label.compared,
        "missed": label.missed,
        "false_alarms": label.false_alarms,
        "absent": label.absent,
        "not_annotated": label.not_annotated,
    }


def _without_value(score: LabelScore) -> dict[str, Any]:
    return {key: value for key, value in asdict(score).items() if key != "value"}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, _DIGITS) if isinstance(value, float) else value for key, value in values.items()}
