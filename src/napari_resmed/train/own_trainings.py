"""Trainings of one's own models: which names are free, which trainings are unfinished."""

from __future__ import annotations

from collections.abc import Iterable

from napari_resmed.models.catalogue import own_models_folder
from napari_resmed.models.names import name_trouble
from napari_resmed.train.run_folder import RunFolder

__all__ = ["free_name", "is_unfinished", "last_unfinished", "run_of"]


def run_of(name: str) -> RunFolder:
    """Where the training of an own model lies."""
    return RunFolder.beside(own_models_folder() / name)


def is_unfinished(name: str) -> bool:
    """Whether there is a training of this name to go on with."""
    return not name_trouble(name) and run_of(name).is_unfinished


def last_unfinished() -> str:
    """The training that was last at work and gave no model; empty where there is none."""
    found = []
    for folder in own_models_folder().glob(".*.training"):
        name = folder.name.removeprefix(".").removesuffix(".training")
        if RunFolder(folder).is_unfinished and not (own_models_folder() / name).exists():
            found.append((folder.stat().st_mtime, name))
    return max(found)[1] if found else ""


def free_name(stem: str, taken: Iterable[str]) -> str:
    """The name, with a number where a model or an unfinished training has it already."""
    taken = set(taken)
    number, name = 1, stem
    while name in taken or (own_models_folder() / name).exists() or run_of(name).path.exists():
        number += 1
        name = f"{stem}-{number}"
    return name
