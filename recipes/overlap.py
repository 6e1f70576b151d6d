"""How much two masks overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dice"]


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice's coefficient of two masks; NaN where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else float("nan")
