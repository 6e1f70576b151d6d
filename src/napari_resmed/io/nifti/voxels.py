"""Voxels of a NIfTI file: read, scaled, and put in the house's order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.nifti.header import Header
from napari_resmed.io.source import Source

__all__ = ["arrange", "arrange_shape", "converter", "read_voxels", "result_type"]

# Intents whose numbers belong together at every voxel; the standard puts them along the fifth dimension, FSL and
# others along the fourth (nifti1.h: GENMATRIX ... TRIANGLE; RGB_VECTOR, RGBA_VECTOR, SHAPE).
_VECTOR_INTENTS = (1004, 1005, 1006, 1007, 1008, 1009, 1010, 2003, 2004, 2005)
_MOST_AXES = 5


def result_type(header: Header, magnitude: bool, name: str) -> np.dtype[Any]:
    """Type of the values that come out, in native byte order.

    Raises
    ------
    InputError
        If voxels are complex and their magnitude was not asked for.
    """
    stored = header.stored
    if stored.kind == "c":
        if not magnitude:
            raise InputError(
                f"{name} holds complex numbers, expected real ones; save its magnitude (napari-resmed convert "
                "--magnitude) or phase, and open that"
            )
        return np.dtype(np.float32 if stored.itemsize <= 8 else np.float64)
    if stored.names:
        return np.dtype(np.uint8)
    if stored.kind == "f" and stored.itemsize > 8:
        return np.dtype(np.float64)
    if (header.slope, header.intercept) == (1.0, 0.0):
        return stored.newbyteorder("=")
    # 16 bits times a header's float32 slope hold no more than float32 does.
    return np.dtype(np.float32 if stored.itemsize <= 2 or stored == np.float32 else np.float64)


def read_voxels(header: Header, source: Source, magnitude: bool = False) -> tuple[NDArray[Any], list[str]]:
    """Read all voxels: an array in C order, the file's axes reversed (RGB last), and what is odd about it.

    Raises
    ------
    InputError
        If the file is cut off, damaged, holds much more than its header says, or complex numbers.
    """
    result = result_type(header, magnitude, source.name)
    shape, stored = header.shape[::-1], header.stored
    if stored.names:
        array = source.array((*shape, len(stored.names)), np.dtype(np.uint8))
    elif result == stored.newbyteorder("="):
        array = source.array(shape, stored)
    else:
        array = source.array(shape, stored, result, converter(header, result))
    return array, source.finish(math.prod(shape) * stored.itemsize, max(shape))


def converter(header: Header, result: np.dtype[Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """How stored values, a piece at a time, become those of :func:`result_type`."""
    slope, intercept = header.slope, header.intercept

    def convert(piece: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            if piece.dtype.kind == "c":  # an intercept of both parts has no meaning
                return np.asarray(np.abs(piece) * abs(slope)).astype(result)
            if (slope, intercept) == (1.0, 0.0):
                return piece.astype(result)
            return np.asarray(piece.astype(np.float64) * slope + intercept).astype(result)

    return convert


def arrange(header: Header, array: NDArray[Any], name: str) -> tuple[NDArray[Any], str]:
    """A view in the house's axes, and their letters.

    The file's fourth dimension is time, its fifth whatever else a voxel holds: channels.

    Raises
    ------
    InputError
        If there are more dimensions than that.
    """
    shape, axes = arrange_shape(header, name)
    colour = bool(header.stored.names)
    times = shape[axes.index("t")] if "t" in axes else 1
    if colour:
        view = array.reshape(times, *shape[-3:], -1)
        view = np.moveaxis(view, -1, 1)
        return (view, axes) if "t" in axes else (view[0], axes)
    channels = shape[axes.index("c")] if "c" in axes else 1
    view = array.reshape(channels, times, *shape[-3:])  # time runs faster than channels in the file
    view = np.swapaxes(view, 0, 1)
    keep = tuple(slice(None) if letter in axes else 0 for letter in "tc")
    return view[keep], axes


def arrange_shape(header: Header, name: str) -> tuple[tuple[int, ...], str]:
    """Shape and axes that :func:`arrange` gives.

    Raises
    ------
    InputError
        If there are more than five dimensions.
    """
    sizes = [*header.shape, 1, 1][: max(3, len(header.shape))]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > _MOST_AXES or (header.stored.names and len(sizes) > 4):
        raise InputError(f"{name} has {len(sizes)} dimensions {tuple(sizes)}; at most 5 can be opened")
    x, y, z, times, channels = (*sizes, 1, 1)[:5]
    if header.stored.names:
        channels = len(header.stored.names)
    elif len(sizes) == 4 and int(header.fields["intent_code"]) in _VECTOR_INTENTS:
        times, channels = 1, times
    lead = [("t", times)] if times > 1 else []
    lead += [("c", channels)] if channels > 1 else []
    return (*(size for _, size in lead), z, y, x), "".join(letter for letter, _ in lead) + "zyx"
