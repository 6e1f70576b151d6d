"""How unsure a model is of every structure, in the table of structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["with_uncertainty"]


def with_uncertainty(
    table: Sequence[Mapping[str, Any]], labels: NDArray[Any], doubt: NDArray[np.float32]
) -> list[dict[str, Any]]:
    """The rows of a table of structures, with the mean ``uncertainty`` of each one's voxels; None without any.

    Parameters
    ----------
    table:
        Rows with a ``value``.
    labels:
        Whole numbers ``(z, y, x)``.
    doubt:
        Of the same shape, 0..1.
    """
    most = max((int(row["value"]) for row in table), default=0)
    sums, counts = np.zeros(most + 1), np.zeros(most + 1)
    for slice_, unsure in zip(labels, doubt, strict=True):  # slice by slice: weights are copied as doubles
        flat = slice_.reshape(-1)
        sums += np.bincount(flat, unsure.reshape(-1), most + 1)[: most + 1]
        counts += np.bincount(flat, minlength=most + 1)[: most + 1]
    means = {int(value): round(float(sums[value] / counts[value]), 4) for value in np.flatnonzero(counts)}
    return [{**row, "uncertainty": means.get(int(row["value"]))} for row in table]
