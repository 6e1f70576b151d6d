"""What an imported model is called."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["proposed_name"]

# nnU-Net's folder of one configuration says how it was trained, not what it finds; the one above does.
_NNUNET = re.compile(r".+__.+__.+")
_ODD = re.compile(r"[^\w.-]+")


def proposed_name(source: Path, taken: Collection[str]) -> str:
    """A name after the file or folder, such as no other model has."""
    path = source.parent if _NNUNET.fullmatch(source.name) and source.parent.name else source
    name = path.stem if path.suffix.lower() == ".zip" else path.name
    name = _ODD.sub("-", name).strip("-._") or "model"
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(one for one in names if one not in taken)
