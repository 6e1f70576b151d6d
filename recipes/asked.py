"""What was asked of a work folder: what it holds was made so, and nothing else is made of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["agree"]


def agree(work: Path, asked: Mapping[str, Any]) -> None:
    """Note what is asked, or compare it with what was.

    Parameters
    ----------
    work:
        The folder; it is made.
    asked:
        Plain values by name.

    Raises
    ------
    ValueError
        If the folder was begun with other values: what it holds would be taken for what it is not.
    """
    work.mkdir(parents=True, exist_ok=True)
    path, now = work / "asked.json", json.loads(json.dumps(asked))
    if path.exists():
        former = json.loads(path.read_text(encoding="utf-8"))
        for name, value in now.items():
            if former.get(name) != value:
                raise ValueError(
                    f"{work} was begun with {name} {_short(former.get(name))}, and {_short(value)} was asked for; "
                    "ask for the same, or name another folder"
                )
        return
    part = path.with_suffix(f".{os.getpid()}")  # several processes may begin a folder at once
    part.write_text(json.dumps(now, indent=2), encoding="utf-8")
    part.replace(path)


def _short(value: Any) -> str:
    said = json.dumps(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
