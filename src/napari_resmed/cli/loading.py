"""Loading large libraries so that Ctrl-C in the middle of it ends the program as it does anywhere else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["whole"]


@contextmanager
def whole() -> Iterator[None]:
    """Let Ctrl-C wait until what is imported here is whole: torch, interrupted while it loads, crashes the process."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
