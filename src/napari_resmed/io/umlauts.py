"""Names of files as the systems write them."""

from __future__ import annotations

import unicodedata

__all__ = ["in_one_way"]


def in_one_way(name: str) -> str:
    """A name by which files are compared: macOS writes an umlaut as two characters, others as one."""
    return unicodedata.normalize("NFC", name)
