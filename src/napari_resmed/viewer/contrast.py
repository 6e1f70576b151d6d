"""Which values are black and which are white."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["contrast_limits"]

# Samples along each axis: enough for percentiles, quick for any size.
_SAMPLES = 48
PERCENTILES = (0.5, 99.8)


def contrast_limits(data: NDArray[Any], meta: Mapping[str, Any]) -> tuple[float, float]:
    """The window of the header where it shows anything of the image, else nearly all values; never an empty range.

    Parameters
    ----------
    data:
        Any axes; a coarse sample is looked at.
    meta:
        What the file said: ``window_centre`` and ``window_width``, as numbers or lists of which the first counts
        (PS3.3 C.11.2.1.2).
    """
    step = tuple(slice(None, None, max(1, size // _SAMPLES)) for size in data.shape)
    sample = np.asarray(data[step], dtype=np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    centre, width = (_first(meta.get(name)) for name in ("window_centre", "window_width"))
    if centre is not None and width is not None and width > 1:
        low, high = centre - width / 2, centre + width / 2
        if sample.min() < high and sample.max() > low:
            return low, high
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    return (low, high) if high > low else (low, low + 1)


def _first(value: Any) -> float | None:
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return float(value) if isinstance(value, int | float) else None
