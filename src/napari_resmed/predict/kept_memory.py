"""Memory that a network uses again and again, instead of giving it back between its layers."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from napari_resmed.predict.machine import Machine

__all__ = ["kept_memory"]

# Of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER, _NONE = 2**31 - 1, 0
# What holds else: the largest of the sizes that glibc settles on by itself, and its own number of blocks.
_USUAL = ((_MMAP_MAX, 65536), (_MMAP_THRESHOLD, 2**25), (_TRIM_THRESHOLD, 2**26))

_lock = Lock()
_inside = 0


@contextmanager
def kept_memory(machine: Machine) -> Iterator[None]:
    """Large blocks of memory are used again while a network runs, and given back at the end.

    Linux' C library asks the system for every block of more than 32 MB and gives it back when it is freed; a network's
    features are such blocks, and the system empties each page anew. On a virtual machine that is a third of a step.
    Does nothing on a GPU, and where there is no such library.

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
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    try:
        return library.mallopt, library.malloc_trim
    except AttributeError:  # musl
        return None
