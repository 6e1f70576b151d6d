"""One writer at a time, on one machine or several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import reason

__all__ = ["locked"]

LOCK = ".resmed.lock"
# The lock is held for renames and two small files; whoever has it for longer hangs.
WAIT_SECONDS = 15.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a project's lock; the system gives it back when a program dies.

    Never nest it, and never wait for it on a window's own thread.

    Raises
    ------
    InputError
        If nothing can be written in the project.
    WorkError
        If another program does not let go of it.
    """
    lock = filelock.FileLock(folder / LOCK, timeout=WAIT_SECONDS, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout as problem:
        raise WorkError(
            f"another window has been writing to the project {folder.name} for {WAIT_SECONDS:.0f} s; close it, or "
            "try again"
        ) from problem
    except OSError as problem:
        raise InputError(f"cannot write to the project {folder.name}: {reason(problem)}") from problem
    try:
        yield
    finally:
        lock.release()
