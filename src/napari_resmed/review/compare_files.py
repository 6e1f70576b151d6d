"""One case from its two files: read, laid on one grid, compared."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io.files import read
from napari_resmed.labels import LabelMap, LabelSet, count_values
from napari_resmed.review.as_labels import as_labels
from napari_resmed.review.metrics import TOLERANCE_MM, LabelScore, compare
from napari_resmed.review.pairing import Pair
from napari_resmed.review.same_grid import onto_grid

__all__ = ["Compared", "Maps", "Measure", "compare_files", "read_maps"]


@dataclass(frozen=True)
class Measure:
    """How cases are compared; the same for all of them.

    Parameters
    ----------
    tolerance_mm:
        Of the surface Dice.
    labels:
        The values to compare; empty for every one that is there.
    ignore:
        The truth's value for "not known".
    resample:
        Whether a prediction on another grid is taken to that of its truth.
    """

    tolerance_mm: float = TOLERANCE_MM
    labels: tuple[int, ...] = ()
    ignore: int | None = None
    resample: bool = False


@dataclass(frozen=True)
class Maps:
    """Truth and prediction on one grid.

    Parameters
    ----------
    truth:
        As read.
    prediction:
        ``(z, y, x)`` of the truth; all 0 where there is no prediction.
    predicted_labels:
        What the prediction's file says of its labels.
    resampled:
        Whether the prediction lay on another grid.
    """

    truth: LabelMap
    prediction: NDArray[Any]
    predicted_labels: LabelSet
    resampled: bool


@dataclass(frozen=True)
class Compared:
    """What comparing one case gives.

    Parameters
    ----------
    scores:
        By value, of every label that either map holds and was asked for.
    truth_names, predicted_names:
        Of the labels that each file names itself, by value.
    truth_values, predicted_values:
        Every value of a voxel, background and "ignore" left out.
    resampled:
        Whether the prediction lay on another grid.
    spacing_mm:
        Voxel edges of the truth.
    """

    scores: Mapping[int, LabelScore]
    truth_names: Mapping[int, str]
    predicted_names: Mapping[int, str]
    truth_values: frozenset[int]
    predicted_values: frozenset[int]
    resampled: bool
    spacing_mm: tuple[float, float, float]


def compare_files(pair: Pair, measure: Measure) -> Generator[float, None, Compared]:
    """Compare the files of one case; a generator of the share that is done.

    Raises
    ------
    InputError
        If a file cannot be read, is no label map, or the grids differ.
    """
    maps = read_maps(pair, resample=measure.resample)
    known = {0, measure.ignore}
    true = frozenset(_values(maps.truth.data)) - known
    predicted = frozenset(_values(maps.prediction)) - known
    values = sorted((true | predicted) & set(measure.labels) if measure.labels else true | predicted)
    yield 0.0
    scores: dict[int, LabelScore] = {}
    for score in compare(
        maps.prediction,
        maps.truth.data,
        maps.truth.affine,
        values,
        tolerance_mm=measure.tolerance_mm,
        ignore=measure.ignore,
    ):
        scores[score.value] = score
        yield len(scores) / len(values)
    return Compared(
        scores,
        _own_names(maps.truth.labels),
        _own_names(maps.predicted_labels),
        true,
        predicted,
        maps.resampled,
        maps.truth.spacing_mm,
    )


def read_maps(pair: Pair, *, resample: bool = False) -> Maps:
    """Read both files of a case and lay the prediction on the truth's grid.

    Raises
    ------
    InputError
        If a file cannot be read, is no label map, or the grids differ and ``resample`` is not set.
    """
    truth = read(pair.truth)
    if pair.prediction is None:
        labels = as_labels(truth, pair.truth, None)
        return Maps(labels, np.zeros_like(labels.data), LabelSet(), resampled=False)
    prediction = read(pair.prediction)
    labels = as_labels(truth, pair.truth, prediction)
    predicted = as_labels(prediction, pair.prediction, truth)
    data, resampled = onto_grid(predicted, labels, resample=resample)
    return Maps(labels, data, predicted.labels, resampled)


def _values(data: NDArray[Any]) -> Iterable[int]:
    values: list[int] = count_values(data)[0].tolist()
    return values


def _own_names(labels: LabelSet) -> dict[int, str]:
    """The names that are more than the value over again."""
    return {label.value: label.name for label in labels if label.name != f"label {label.value}"}
