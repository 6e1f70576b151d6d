"""Uncompressed pixels, straight from the file into the array they belong in.

Nothing is copied twice and no decoder is asked, so that opening a series takes as long as reading its bytes.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import DeflatedExplicitVRLittleEndian

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.ends import check_tail
from napari_resmed.io.dicom.header import inflate
from napari_resmed.io.dicom.slice import Slice

__all__ = ["cut_off", "is_native", "read_native"]

_GREY = ("MONOCHROME1", "MONOCHROME2", "")
_WHOLE_BYTES = (8, 16, 32)


def is_native(image: Slice) -> bool:
    """Whether the pixels lie in the file as whole numbers that need no decoder."""
    grey = image.samples == 1 and image.photometric in _GREY
    rgb = image.samples == 3 and image.photometric == "RGB"
    return bool(
        image.pixels == "PixelData"
        and image.pixels_at
        and image.bits_allocated in _WHOLE_BYTES
        and image.high_bit == image.bits - 1
        # Bytes of big-endian files may lie in words, swapped: pydicom knows when.
        and (image.little or image.bits_allocated > 8)
        and (grey or rgb)
    )


def read_native(image: Slice, into: NDArray[Any] | None = None) -> NDArray[Any]:
    """Stored values of one image.

    Parameters
    ----------
    image:
        One for which :func:`is_native` holds.
    into:
        Contiguous memory of as many bytes, in which the result then lies; where it has another size, it
        is left alone.

    Returns
    -------
    NDArray
        ``(row, column)``, or ``(row, column, 3)`` for colour; neither rescaled nor inverted, in the machine's
        byte order.

    Raises
    ------
    InputError
        If the file holds fewer pixels than its header says.
    """
    rows, columns = image.picture or (image.rows, image.columns)
    count = rows * columns * image.samples
    dtype = np.dtype(f"{'i' if image.signed else 'u'}{image.bits_allocated // 8}")
    start = (image.frame or 0) * count * dtype.itemsize
    if start + count * dtype.itemsize > image.pixels_length:
        raise cut_off(image)
    _check_end(image, count * dtype.itemsize, max(rows, columns))
    if into is not None and into.flags.c_contiguous and into.nbytes == count * dtype.itemsize and not image.planar:
        pixels = into.reshape(-1).view(dtype)
    else:
        pixels = np.empty(count, dtype)
    _fill(pixels, image, image.pixels_at + start)
    if not image.little:
        pixels = pixels.byteswap(inplace=True)
    _clean(pixels, image)
    if image.samples == 1:
        return pixels.reshape(rows, columns)
    if image.planar:
        return np.moveaxis(pixels.reshape(image.samples, rows, columns), 0, -1)
    return pixels.reshape(rows, columns, image.samples)


def _check_end(image: Slice, size: int, longest: int) -> None:
    """Refuse more pixels than the header describes, and pixels that do not end where it says.

    Bytes that were lost or put in before would otherwise move all that follow.
    """
    described = size * image.frames_in_file
    if image.pixels_length - described >= max(size // longest, 2):  # the length is even, so one byte may be
        raise InputError(
            f"{image.path.name} holds more pixels than its header says: {image.pixels_length} bytes for {described}; "
            "export it again"
        )
    if image.syntax == DeflatedExplicitVRLittleEndian or image.frame:
        return
    check_tail(image.path, image.pixels_at + image.pixels_length, image.syntax, image.little)


def _fill(pixels: NDArray[Any], image: Slice, start: int) -> None:
    """Read bytes of the file, or of what it inflates to."""
    try:
        if image.syntax == DeflatedExplicitVRLittleEndian:
            found = inflate(image.path, start + pixels.nbytes)[start:]
            done = len(found)
            if done == pixels.nbytes:
                pixels.view(np.uint8)[:] = np.frombuffer(found, np.uint8)
        else:
            with image.path.open("rb", buffering=0) as file:
                file.seek(start)
                done = _read_all(file, pixels.view(np.uint8).data)
        if done != pixels.nbytes:
            raise cut_off(image)
    except OSError as problem:
        raise InputError(f"{image.path.name} cannot be read ({problem.strerror}); check the disk") from problem
    except zlib.error as problem:
        raise cut_off(image) from problem


def _read_all(file: Any, into: memoryview) -> int:
    """One read may give less than was asked for: more than 2 GB at once, or a network drive."""
    done = 0
    while done < len(into):
        count = file.readinto(into[done:])
        if not count:
            break
        done += count
    return done


def _clean(pixels: NDArray[Any], image: Slice) -> None:
    """Take away what stands in the bits above the stored ones: overlays once did (PS3.5 8.1.1)."""
    spare = image.bits_allocated - image.bits
    if not spare:
        return
    low = -(2 ** (image.bits - 1)) if image.signed else 0
    if pixels.max() > low + 2**image.bits - 1 or (image.signed and pixels.min() < low):
        np.left_shift(pixels, spare, out=pixels)
        np.right_shift(pixels, spare, out=pixels)  # of signed numbers, copies the sign


def cut_off(image: Slice) -> InputError:
    """What to tell of a file that ends too early."""
    return InputError(f"{image.path.name} cannot be decoded: it holds fewer pixels than its header says; copy it again")
