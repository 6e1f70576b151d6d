"""A training belongs to one program at a time: two at work on it would write over each other's checkpoints."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from platformdirs import user_cache_path

from napari_resmed.errors import InputError
from napari_resmed.train.run_folder import RunFolder

__all__ = ["claim", "is_claimed"]

# Whoever only looks whether a training is claimed holds it for a moment; whoever works on it, for minutes.
LOOK_SECONDS = 0.5


@contextmanager
def claim(run: RunFolder, wait_seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """Keep a training for this program; the system lets go of it when the program dies.

    Programs of one person on one computer know of each other; another computer's do not.

    Parameters
    ----------
    run:
        The training.
    wait_seconds:
        How long to wait for another program to let go of it.

    Raises
    ------
    InputError
        If another program is at work on it.
    """
    try:
        lock = filelock.FileLock(_place(run), timeout=wait_seconds, thread_local=False)
        lock.acquire()
    except filelock.Timeout as problem:
        raise InputError(
            f"{run.model_name} is being trained already, in another window or program; wait for it, stop it there, or "
            "choose another name"
        ) from problem
    except (OSError, NotImplementedError):  # no place for it: better trained than not
        yield
        return
    try:
        yield
    finally:
        lock.release()


def is_claimed(run: RunFolder) -> bool:
    """Whether a program is at work on it."""
    try:
        with claim(run, 0):
            return False
    except InputError:
        return True


def _place(run: RunFolder) -> Path:
    """Not in the run folder, which comes and goes."""
    chosen = os.environ.get("RESMED_CACHE")
    folder = (Path(chosen) if chosen else user_cache_path("napari-resmed", appauthor=False)) / "trainings"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.blake2b(str(run.path.resolve()).encode(), digest_size=12).hexdigest()
    return folder / f"{digest}.lock"
