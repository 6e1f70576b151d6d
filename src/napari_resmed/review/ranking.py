"""How well scores rank what is of a class above what is not: ROC and precision-recall, and the areas under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["area_under_roc", "average_precision", "precision_recall_curve", "roc_curve"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def area_under_roc(positive: Bools, scores: Floats) -> float | None:
    """The probability that one of the class has a higher score than one that is not, ties counting half.

    The Mann-Whitney statistic (Hanley and McNeil, Radiology 1982). None where either kind is absent.

    Parameters
    ----------
    positive:
        bool ``(n,)``: what is of the class.
    scores:
        ``(n,)``, higher for more likely.
    """
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return None
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def roc_curve(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates, from no image called positive to all of them."""
    found, called = _counts(positive, scores)
    missed = called - found
    return missed / max(1, missed[-1]), found / max(1, found[-1])


def precision_recall_curve(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Precision and recall at every score, from the highest down."""
    found, called = _counts(positive, scores)
    return found[1:] / called[1:], found[1:] / max(1, found[-1])


def average_precision(positive: Bools, scores: Floats) -> float | None:
    """Sum of the precisions, each weighted by what recall it adds; None where nothing is of the class."""
    if not positive.any():
        return None
    precision, recall = precision_recall_curve(positive, scores)
    return float((np.diff(recall, prepend=0) * precision).sum())


def _counts(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """How many of the class, and how many at all, have at least each score that occurs; beginning with none."""
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(order) - 1]
    found = np.cumsum(positive[order])[last]
    return np.r_[0, found].astype(float), np.r_[0, last + 1].astype(float)
