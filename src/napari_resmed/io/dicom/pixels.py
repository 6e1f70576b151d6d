"""Voxels of DICOM files: read or decoded, rescaled, in the type that holds them exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.decoders import decoded_frames
from napari_resmed.io.dicom.native import is_native, read_native
from napari_resmed.io.dicom.slice import Slice

__all__ = ["TooNarrow", "decode", "decode_into", "value_type"]

_INTEGERS = tuple(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"))
# float32 holds every whole number up to this.
_FLOAT32_WHOLE = 2**24
_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}


def value_type(image: Slice) -> np.dtype[Any]:
    """Smallest type that holds every value that the header allows, exactly: stored bits, then rescaled."""
    if image.pixels in _FLOATS:
        return np.dtype(_FLOATS[image.pixels] if (image.slope, image.intercept) == (1.0, 0.0) else np.float64)
    if image.photometric == "PALETTE COLOR":
        return np.dtype(np.uint8)  # GDCM looks the colours up
    if image.samples > 1:
        return np.min_scalar_type(2**image.bits - 1)
    return _grey_type(image.bits, image.signed, image.slope, image.intercept)


@lru_cache(maxsize=1024)
def _grey_type(bits: int, signed: bool, slope: float, intercept: float) -> np.dtype[Any]:
    low = -(2 ** (bits - 1)) if signed else 0
    exact, added = Fraction(slope), Fraction(intercept)
    ends = sorted(exact * value + added for value in (low, low + 2**bits - 1))
    denominator = max(exact.denominator, added.denominator)  # powers of two, as of every float
    if denominator == 1:
        for integer in _INTEGERS:
            info = np.iinfo(integer)
            if info.min <= ends[0] and ends[1] <= info.max:
                return integer
    fits = max(abs(end) for end in ends) * denominator <= _FLOAT32_WHOLE
    return np.dtype(np.float32 if fits else np.float64)


class TooNarrow(Exception):  # noqa: N818 - not an error: the caller starts again with a wider type
    """Values lie beyond the stored bits that the header admits to; ``dtype`` holds them."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        super().__init__(str(dtype))
        self.dtype = dtype


def decode(image: Slice) -> NDArray[Any]:
    """Values of one image, ``(row, column)`` or ``(row, column, 3)`` for colour; rescaled.

    Raises
    ------
    InputError
        If the file cannot be decoded or holds something else than its header says.
    """
    colour = image.samples > 1 or image.photometric == "PALETTE COLOR"
    target = np.empty((image.rows, image.columns, *((3,) if colour else ())), value_type(image))
    try:
        decode_into([image], [target])
    except TooNarrow as wider:
        target = target.astype(wider.dtype)
        decode_into([image], [target])
    return target


def decode_into(images: Sequence[Slice], targets: Sequence[NDArray[Any]]) -> None:
    """Put the values of images of one file where they belong, rescaled.

    Parameters
    ----------
    images:
        Slices with the same ``path``.
    targets:
        For each an array ``(row, column)``, or ``(row, column, 3)`` for colour.

    Raises
    ------
    InputError
        If the file cannot be decoded or holds something else than its header says.
    TooNarrow
        If the targets' type does not hold the values.
    """
    first = images[0]
    if not is_native(first):
        by_frame: defaultdict[int, list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            by_frame[image.frame or 0].append(index)
        for frame, pixels in decoded_frames(first, set(by_frame)):
            for index in by_frame[frame]:
                _put(pixels, images[index], targets[index])
    elif first.picture:
        whole: dict[int, NDArray[Any]] = {}
        for image, target in zip(images, targets, strict=True):
            if (image.frame or 0) not in whole:
                whole = {image.frame or 0: read_native(image)}
            _put(whole[image.frame or 0], image, target)
    else:
        for image, target in zip(images, targets, strict=True):
            _put(read_native(image, target), image, target)


def _put(pixels: NDArray[Any], image: Slice, target: NDArray[Any]) -> None:
    """From stored values to what they mean: the tile cut out, rescaled."""
    y, x = image.corner
    pixels = pixels[y : y + image.rows, x : x + image.columns]
    if pixels.shape != target.shape:
        found = "colour" if pixels.ndim > 2 else "grey"
        raise InputError(f"{image.path.name} holds {found} pixels, its header says otherwise; export it again")
    if (image.slope, image.intercept) == (1.0, 0.0) or target.ndim > 2:
        if not np.can_cast(pixels.dtype, target.dtype):
            _check_fit(pixels, target.dtype)
        if not (pixels.dtype == target.dtype and np.may_share_memory(pixels, target)):
            np.copyto(target, pixels, casting="unsafe")
    elif target.dtype.kind in "iu" and _within_bits(pixels, image):
        # Sums and products that wrap round on the way wrap back: the result is within the type.
        if not np.may_share_memory(pixels, target):
            np.copyto(target, pixels, casting="unsafe")
        if image.slope != 1.0:
            np.multiply(target, _wrapped(image.slope, target.dtype), out=target)
        np.add(target, _wrapped(image.intercept, target.dtype), out=target)
    else:
        values = pixels * image.slope + image.intercept
        if target.dtype.kind in "iu":
            _check_fit(values, target.dtype)
        np.copyto(target, values, casting="unsafe")


def _wrapped(whole: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.array(int(whole), np.int64).astype(dtype)


def _within_bits(pixels: NDArray[Any], image: Slice) -> bool:
    """Whether no stored value is beyond the bits that the header states, and slope and intercept are whole."""
    if not (float(image.slope).is_integer() and float(image.intercept).is_integer()):
        return False
    low = -(2 ** (image.bits - 1)) if image.signed else 0
    info = np.iinfo(pixels.dtype)
    if low <= info.min and info.max <= low + 2**image.bits - 1:
        return True
    return bool(pixels.min() >= low and pixels.max() <= low + 2**image.bits - 1)


def _check_fit(pixels: NDArray[Any], dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if pixels.min() < info.min or pixels.max() > info.max:
            raise TooNarrow(np.promote_types(pixels.dtype, dtype))
    if pixels.dtype.kind == "f" and not (pixels.astype(dtype) == pixels).all():
        raise TooNarrow(np.promote_types(pixels.dtype, dtype))
