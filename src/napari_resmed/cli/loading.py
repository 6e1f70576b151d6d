"""Ctrl-C while large libraries load ends the program as it does anywhere else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["answered", "whole"]


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


def answered() -> None:
    """Say that an interrupt was dealt with, before the program exits with a code of its own.

    Python notes an interrupt that leaves code made from a string (dataclasses are made so), and then, though it was
    caught further up, ends by the signal; the next such code makes it forget.
    """
    exec("")
