"""Trainings of one's own models: which names are free, which trainings are unfinished."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.models.catalogue import own_models_folder
from napari_resmed.models.names import name_trouble
from napari_resmed.train.claim import claim, is_claimed
from napari_resmed.train.run_folder import RunFolder

__all__ = [
    "discard_training",
    "forget_training",
    "free_name",
    "is_unfinished",
    "last_at_work",
    "last_unfinished",
    "run_of",
]


def run_of(name: str) -> RunFolder:
    """Where the training of an own model lies."""
    return RunFolder.beside(own_models_folder() / name)


def is_unfinished(name: str) -> bool:
    """Whether there is a training of this name to go on with; one that another window is at work on is none."""
    return not name_trouble(name) and run_of(name).is_unfinished and not is_claimed(run_of(name))


def forget_training(model: Path) -> None:
    """Remove what a training that was stopped left beside its model: copies of its images, labels, checkpoints.

    One that a program is at work on stays.

    Parameters
    ----------
    model:
        Folder of the model, which is gone.
    """
    run = RunFolder.beside(model)
    if not is_claimed(run):
        run.remove()


def discard_training(name: str) -> None:
    """Remove an unfinished training; a model of that name stays, and an earlier training that was set aside is back.

    Raises
    ------
    InputError
        If there is none, or another program is at work on it.
    WorkError
        If it cannot be removed.
    """
    run = run_of(name)
    with claim(run):
        if not run.is_unfinished:
            raise InputError(f"{name} has no unfinished training any more; nothing was discarded")
        run.discard()


def last_at_work(name: str) -> datetime | None:
    """When an unfinished training last wrote down where it is; None where that is not known."""
    for path in (run_of(name).checkpoint, run_of(name).plan):
        with suppress(OSError):
            return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return None


def last_unfinished() -> str:
    """The training that was last at work and gave no model; empty where there is none."""
    found = []
    for folder in own_models_folder().glob(".*.training"):
        run = RunFolder(folder)
        gave_none = not (own_models_folder() / run.model_name).exists()
        if run.is_unfinished and gave_none and not is_claimed(run):
            found.append((folder.stat().st_mtime, run.model_name))
    return max(found)[1] if found else ""


def free_name(stem: str, taken: Iterable[str]) -> str:
    """The name, with a number where a model or an unfinished training has it already."""
    taken = set(taken)
    number, name = 1, stem
    while name in taken or (own_models_folder() / name).exists() or run_of(name).path.exists():
        number += 1
        name = f"{stem}-{number}"
    return name
