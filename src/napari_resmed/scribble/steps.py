"""Long work in small steps, between which it can be stopped."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

__all__ = ["Steps", "to_end"]

Result = TypeVar("Result")

# Yields the share that is done.
Steps = Generator[float, None, Result]


def to_end(steps: Generator[float, None, Result]) -> Result:
    """Do all of it, and give what it gives."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
