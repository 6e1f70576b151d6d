"""How a volume's values become the pixels of DICOM files: 16 bits, or red, green and blue in 8 or 16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.valuerep import format_number_as_ds

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["Encoding", "encoding_for"]

_STEPS = 2**16 - 1  # of 16 bits


@dataclass(frozen=True)
class Encoding:
    """``value = slope * stored + intercept``, both as decimal strings; stored in so many bits, samples a pixel."""

    bits: int = 16
    signed: bool = False
    samples: int = 1
    slope: str = "1"
    intercept: str = "0"

    def encode(self, plane: NDArray[Any]) -> bytes:
        """The pixels ``(y, x)`` or ``(c, y, x)`` of one image, padded to an even length (PS3.5 7.1.1)."""
        if (self.slope, self.intercept) != ("1", "0"):
            # With the numbers as printed, so that reading gives what was meant.
            steps = np.rint((plane.astype(np.float64) - float(self.intercept)) / float(self.slope))
            plane = np.clip(steps, 0, _STEPS)
        if self.samples > 1:
            plane = np.moveaxis(plane, 0, -1)
        pixels = plane.astype(f"<{'i' if self.signed else 'u'}{self.bits // 8}").tobytes()
        return pixels + bytes(len(pixels) % 2)


def encoding_for(volume: Volume) -> Encoding:
    """The encoding that keeps the values: as they are where they are whole and fit, else in even steps.

    Raises
    ------
    InputError
        If channels are not red, green and blue in whole numbers of up to 16 bits, or a label is beyond them.
    """
    data = volume.data
    low, high = data.min(), data.max()
    if "c" in volume.axes:
        _check_colour(volume, float(low), float(high))
        return Encoding(bits=8 * data.dtype.itemsize if data.dtype == np.uint8 else 16, samples=3)
    if data.dtype.kind in "biu" or all(bool((plane == np.rint(plane)).all()) for plane in _planes(data)):
        for dtype in (np.uint16, np.int16):
            info = np.iinfo(dtype)
            if info.min <= int(low) and int(high) <= info.max:
                return Encoding(signed=dtype is np.int16)
    if isinstance(volume, LabelMap):
        raise InputError(f"found the label {int(high)}, expected 65535 at most; write NIfTI instead")
    slope = format_number_as_ds((float(high) - float(low)) / _STEPS or 1.0)
    return Encoding(slope=slope, intercept=format_number_as_ds(float(low)))


def _check_colour(volume: Volume, low: float, high: float) -> None:
    """Refuse channels that are no colour: DICOM has no place for other ones in a plain series."""
    if volume.channels != 3:
        raise InputError(
            f"found {volume.channels} channels, expected one, or red, green and blue: a DICOM series holds no others; "
            "choose one channel, or write NIfTI (.nii.gz)"
        )
    # Three channels of bytes are colour in every format; of wider numbers they may be anything.
    colour = volume.data.dtype == np.uint8 or volume.meta.get("colour") == "RGB"
    if not colour or volume.data.dtype.kind not in "iu" or low < 0 or high > _STEPS:
        raise InputError(
            f"found three channels of type {volume.data.dtype} from {low:g} to {high:g}, expected red, green and blue "
            "in whole numbers of 8 or 16 bits; choose one channel, or write NIfTI (.nii.gz)"
        )


def _planes(data: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A plane at a time: a whole copy in float64 may not fit."""
    for place in np.ndindex(data.shape[:-2]):
        yield data[place]
