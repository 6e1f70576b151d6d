"""The command line."""

from __future__ import annotations

from napari_resmed.cli.main import main

__all__ = ["main"]
