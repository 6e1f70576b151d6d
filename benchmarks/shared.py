"""What several benchmarks do alike."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["finish", "shared_data"]

Result = TypeVar("Result")


def finish(steps: Generator[Any, Any, Result]) -> Result:
    """Run a job, or anything like it, to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def shared_data() -> Path:
    """The real data beside the repository, or where RESMED_SHARED says."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RESMED_SHARED", beside))
    if not folder.is_dir():
        raise SystemExit("the shared data are not here: set RESMED_SHARED to their folder")
    return folder
