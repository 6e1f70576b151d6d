"""The use-cases, one file each.

A job is a generator function: it yields events and returns its result. Between two events its runner may stop
it by closing the generator, which is all that cancelling takes; or send it a word that the job understands, as
training does "stop".
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari_resmed.events import Event

__all__ = ["Job", "find_job"]

Job = Callable[..., Generator[Event, Any, Any]]


def find_job(name: str) -> Job:
    """The job of a name; its libraries are loaded only now.

    Raises
    ------
    KeyError
        If there is none.
    """
    if name == "segment":
        from napari_resmed.jobs.segment import segment

        return segment
    if name == "train":
        from napari_resmed.jobs.train import train

        return train
    if name == "warm_up":
        from napari_resmed.jobs.warm_up import warm_up

        return warm_up
    if name == "evaluate":
        from napari_resmed.jobs.evaluate import evaluate

        return evaluate
    if name == "measure":
        from napari_resmed.jobs.measure import measure

        return measure
    if name == "scribble":
        from napari_resmed.jobs.scribble import scribble

        return scribble
    if name == "look_at":
        from napari_resmed.jobs.scribble import look_at

        return look_at
    if name == "scribble_model":
        from napari_resmed.jobs.scribble_model import scribble_model

        return scribble_model
    raise KeyError(name)
