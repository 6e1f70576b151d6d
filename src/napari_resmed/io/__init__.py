"""Files to values and back.

The format libraries are loaded on first use: a table or a note needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_resmed.io.files import is_readable, read, read_all, write
    from napari_resmed.io.listing import Entry, find_images

_HOMES = {
    "Entry": "listing",
    "find_images": "listing",
    "is_readable": "files",
    "read": "files",
    "read_all": "files",
    "write": "files",
}

__all__ = ["Entry", "find_images", "is_readable", "read", "read_all", "write"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"napari_resmed.io.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
