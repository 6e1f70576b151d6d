"""What somebody drops on a dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["dropped_paths"]


def dropped_paths(event: Any) -> list[Path]:
    """The files and folders of a Qt drag or drop event; empty where it carries something else."""
    mime = event.mimeData()
    urls = mime.urls() if mime is not None else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
