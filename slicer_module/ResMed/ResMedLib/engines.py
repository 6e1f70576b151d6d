"""The engine as Slicer uses it: its worker is a ``PythonSlicer`` process.

Inside the application a TorchScript cannot be loaded on Linux (Slicer issue 9275), and nothing there could be ended.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache

from napari_resmed.engine.client import Engine

__all__ = ["close_engines", "shared_engine", "training_engine"]


@cache
def shared_engine() -> Engine:
    """The one engine of this application; its worker starts with the first job and keeps the model warm."""
    return Engine(_command())


@cache
def training_engine() -> Engine:
    """A second one, for jobs of minutes and hours: a click on Segment must not wait behind them."""
    return Engine(_command())


def close_engines() -> None:
    """End both workers and everything under way; the next click starts them again."""
    for one in (shared_engine, training_engine):
        if one.cache_info().currsize:
            one().close()
            one.cache_clear()


def _command() -> tuple[str, ...]:
    # The launcher stands in the PATH that the application gives itself; a console is Slicer's Python already.
    python = shutil.which("PythonSlicer") or sys.executable
    return (python, "-P", "-m", "napari_resmed.engine.server")
