"""The use-cases, one file each.

A job is a generator function: it yields events and returns its result. Between two events its runner may stop
it by closing the generator, which is all that cancelling takes; or send it a word that the job understands, as
training does "stop".
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

from napari_resmed.events import Event

__all__ = ["Job", "find_job"]

Job = Callable[..., Generator[Event, Any, Any]]


# Name, and the module of this package that holds it where that has another name.
_JOBS = {
    "segment": "segment",
    "train": "train",
    "classify": "classify",
    "class_layers": "class_layers",
    "scribble": "scribble",
    "scribble_model": "scribble_model",
    "look_at": "scribble",
    "evaluate": "evaluate",
    "evaluate_classes": "evaluate_classes",
    "measure": "measure",
    "import_model": "models",
    "export_model": "models",
    "warm_up": "warm_up",
}


def find_job(name: str) -> Job:
    """The job of a name; its libraries are loaded only now.

    Raises
    ------
    KeyError
        If there is none.
    """
    job: Job = getattr(import_module(f"{__name__}.{_JOBS[name]}"), name)
    return job
