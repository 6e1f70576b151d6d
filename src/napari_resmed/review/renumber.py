"""Labels numbered without gaps, so that they can be counted through tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["renumber"]

# Up to this value labels are renumbered through a table, which is many times faster than a search.
_TABLE = 2**16


def renumber(data: NDArray[Any], known: NDArray[np.int64], kind: np.dtype[Any]) -> NDArray[Any]:
    """Place of every voxel's value in ``known``, from 1; 0 where it is not among them.

    Parameters
    ----------
    data:
        Whole numbers of 0 or more, any shape.
    known:
        The values that count, 1 or more, ascending.
    kind:
        Type of the result; it must hold the number of values.
    """
    if not len(known):
        return np.zeros(data.shape, kind)
    if known[-1] < _TABLE:
        table = np.zeros(_TABLE + 1, kind)
        table[known] = np.arange(1, len(known) + 1)
        narrow = data if data.dtype.itemsize <= 2 else np.minimum(data, _TABLE)
        return np.asarray(table[narrow])
    wide = data.astype(np.int64)
    place = np.minimum(np.searchsorted(known, wide), len(known) - 1)
    return np.where(known[place] == wide, place + 1, 0).astype(kind)
