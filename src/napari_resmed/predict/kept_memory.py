"""Memory that a network uses again and again, instead of giving it back between its layers."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from napari_resmed.predict.machine import Machine

__all__ = ["kept_memory"]

# Of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER, _NONE = -1, 0
# What a person set for the process is theirs.
_SET_BY_HAND = ("MALLOC_", "GLIBC_TUNABLES")
# What holds else: the largest of the sizes that glibc settles on by itself, and its own number of blocks.
_USUAL = ((_MMAP_MAX, 65536), (_MMAP_THRESHOLD, 2**25), (_TRIM_THRESHOLD, 2**26))

_lock = Lock()
_inside = 0


@contextmanager
def kept_memory(machine: Machine) -> Iterator[None]:
    """Large blocks of memory are used again while a network runs, and given back at the end.

    Linux' C library asks the system for every block of more than 32 MB and gives it back when it is freed; a network's
    features are such blocks, and the system empties each page anew. On a virtual machine that is a third of a step.
    Holds for the whole process. Does nothing on a GPU, where there is no such library, and where ``MALLOC_…`` or
    ``GLIBC_TUNABLES`` in the environment say how memory is to be had.

    Parameters
    ----------
    machine:
        Where the network runs.
    """
    global _inside
    libc = _libc() if machine.device.type == "cpu" else None
    if libc is None:
        yield
        return
    set_to, trim = libc
    with _lock:
        _inside += 1
        set_to(_MMAP_MAX, _NONE)
        set_to(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                for what, value in _USUAL:
                    set_to(what, value)
                trim(0)


@cache
def _libc() -> tuple[Callable[[int, int], int], Callable[[int], int]] | None:
    """``mallopt`` and ``malloc_trim``; None where the C library is another."""
    if not sys.platform.startswith("linux") or any(name.startswith(_SET_BY_HAND) for name in os.environ):
        return None
    library = ctypes.CDLL(None)
    try:
        set_to, trim = library.mallopt, library.malloc_trim
    except AttributeError:  # musl
        return None
    set_to.argtypes, trim.argtypes = (ctypes.c_int, ctypes.c_int), (ctypes.c_size_t,)
    return set_to, trim
