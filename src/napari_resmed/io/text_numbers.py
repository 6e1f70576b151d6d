"""Voxels that are written out as numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.source import Source

__all__ = ["read_numbers"]

_PIECE = 1 << 18
# No number that means anything is longer.
_LONGEST = 400


def read_numbers(source: Source, shape: tuple[int, ...], stored: np.dtype[Any]) -> NDArray[Any]:
    """Read numbers with white space between them, a piece of text at a time.

    Raises
    ------
    InputError
        If there are fewer or more of them than the header says, or something else is.
    """
    size = math.prod(shape)
    source.expect(2 * size - 1)  # a digit and a space each
    flat = np.empty(size, stored.newbyteorder("="))
    done, carry = 0, b""
    while text := source.read(_PIECE):
        words = (carry + text).split()
        # The last word may go on in the next piece.
        carry = words.pop() if words and not text[-1:].isspace() else b""
        if len(carry) > _LONGEST:
            raise _no_number(source)
        done = _store(words, flat, done, source)
    done = _store([carry] if carry else [], flat, done, source)
    if done < size:
        raise InputError(f"{source.name} is truncated or damaged: it holds {done:,} of {size:,} numbers; copy it again")
    return flat.reshape(shape)


def _store(words: list[bytes], flat: NDArray[Any], done: int, source: Source) -> int:
    if done + len(words) > len(flat):
        raise InputError(f"{source.name} holds more numbers than its header says; copy it again from its source")
    try:
        if flat.dtype.kind == "f":
            flat[done : done + len(words)] = [float(word) for word in words]
        else:
            flat[done : done + len(words)] = [int(word) for word in words]
    except (ValueError, OverflowError) as problem:
        raise _no_number(source) from problem
    return done + len(words)


def _no_number(source: Source) -> InputError:
    return InputError(f"{source.name} is damaged: among its voxels is something that is no number of their type")
