"""A small picture of a series, for lists: one image decoded, no more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.pixels import decode
from napari_resmed.io.dicom.series import Series

__all__ = ["preview"]

# Grey is spread over the middle values, so that a few bright voxels do not leave the rest black.
PERCENTILES = (1.0, 99.0)
_WHITE = 255


def preview(series: Series) -> NDArray[np.uint8]:
    """Show the middle image of a series, at its own size and through the header's window where there is one.

    Parameters
    ----------
    series:
        An image series, with or without a problem: irregular ones have pictures too.

    Returns
    -------
    NDArray of uint8
        ``(y, x)``, or ``(y, x, 3)`` for colour.

    Raises
    ------
    InputError
        If there is no picture in it, or the file cannot be decoded.
    """
    shown = [image for image in series.slices if image.rows and image.columns and not image.problem]
    if series.kind != "image" or not shown:
        raise InputError(series.problem or "found no picture to show, expected an image series")
    middle = shown[len(shown) // 2]
    pixels = decode(middle)
    low, high = _range(pixels, middle.facts)
    if pixels.ndim > 2 and pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    grey = (np.clip(pixels.astype(np.float32), low, high) - low) * (_WHITE / ((high - low) or 1.0))
    shown_grey = np.asarray(np.rint(grey), np.uint8)
    return np.asarray(_WHITE - shown_grey, np.uint8) if middle.photometric == "MONOCHROME1" else shown_grey


def _range(pixels: NDArray[Any], facts: Any) -> tuple[float, float]:
    """From black to white: the header's window if it shows anything of the image, else nearly all of it."""
    if pixels.ndim > 2:
        return 0.0, float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "iu" else float(pixels.max())
    centre, width = (_first(facts.get(key)) for key in ("window_centre", "window_width"))
    if centre is not None and width is not None and width > 1:
        low, high = centre - width / 2, centre + width / 2
        if pixels.min() < high and pixels.max() > low:
            return low, high
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    return (low, high) if high > low else (float(finite.min()), float(finite.max()))


def _first(value: Any) -> float | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return float(value) if isinstance(value, int | float) else None
