"""Steps of a lower floor, told as events."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from napari_resmed.events import Event

__all__ = ["follow"]

Step = TypeVar("Step")
Result = TypeVar("Result")


def follow(
    steps: Generator[Step, None, Result], tell: Callable[[Step], Event | None]
) -> Generator[Event, None, Result]:
    """Run ``steps`` to their end, yielding what ``tell`` makes of each, if anything; returns what they return."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            if (event := tell(step)) is not None:
                yield event
