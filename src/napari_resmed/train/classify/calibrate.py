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

    def surprise(log_temperature: float) -> float:
        shares = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-shares[np.arange(len(classes)), classes].mean())

    found = minimize_scalar(surprise, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    return float(np.exp(found.x))
