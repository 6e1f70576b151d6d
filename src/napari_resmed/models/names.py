"""What a person's own model may be called."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["name_trouble", "slug"]


def name_trouble(name: str) -> str:
    """Why a model cannot be called so, in one sentence; empty where it can."""
    if not name:
        return "The new model has no name; give it one."
    if name != Path(name).name or name.startswith((".", "_")):
        return f"A model cannot be called {name!r}; choose a name without / that begins with a letter."
    return ""


def slug(text: str) -> str:
    """A text as the name of a folder: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
