"""Zip archives, told by their first bytes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_archive"]

_ZIP_START = b"PK\x03\x04"


def is_archive(file: Path) -> bool:
    """Whether a file is a zip archive."""
    try:
        with file.open("rb") as opened:
            return opened.read(4) == _ZIP_START
    except OSError:
        return False
