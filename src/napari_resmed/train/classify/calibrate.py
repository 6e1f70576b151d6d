"""How sure a classifier may be: one temperature that its scores are divided by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

__all__ = ["fit_temperature"]

# Beyond these it would only hide that something is wrong.
LEAST, MOST = 0.1, 10.0


def fit_temperature(scores: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """The temperature at which what was held out is least surprising (Guo et al., ICML 2017, arXiv 1706.04599).

    Of each of ``n`` cases an ``n + 2``-th counts for the other classes (Platt, "Probabilistic outputs for support
    vector machines", 1999): a few cases, all of them right, are no reason to be sure.

    Parameters
    ----------
    scores:
        ``(case, class)``, before any softmax.
    classes:
        int ``(case,)``.

    Returns
    -------
    float
        1 where there is nothing to tell by.
    """
    if not len(classes):
        return 1.0

    count, others = len(classes), max(1, scores.shape[1] - 1)
    targets = np.full(scores.shape, 1 / (count + 2) / others)
    targets[np.arange(count), classes] = 1 - 1 / (count + 2)

    def surprise(log_temperature: float) -> float:
        shares = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-(targets * shares).sum(1).mean())

    found = minimize_scalar(surprise, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    return float(np.exp(found.x))
