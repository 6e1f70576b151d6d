"""Single values out of a DICOM header, checked on the way, and words fit for one."""

from __future__ import annotations

import math
from typing import Any

from pydicom.valuerep import PersonName

# What numbers are written with, NaN and infinity included, and how many letters of them are shown.
_OF_NUMBERS = set("0123456789.+-eE\\ naif")
_LONGEST = 80

__all__ = ["Malformed", "number", "numbers", "one_line", "text"]


class Malformed(Exception):  # noqa: N818 - a finding about a file, told to a person by who catches it
    """A tag says what it must not; the message names tag, value and what was expected."""


def text(header: Any, tag: str) -> str:
    r"""Give a tag as one line of text, several values joined by ``\``; empty where it is absent."""
    value = header.get(tag)
    if value is None:
        return ""
    one = isinstance(value, str | int | float | PersonName) or not hasattr(value, "__iter__")
    parts = [value] if one else list(value)
    return "\\".join(" ".join(str(part).split()) for part in parts)


def one_line(words: str, most: int = 64) -> str:
    """The words as DICOM's LO takes them: one line, no backslash, at most 64 letters (PS3.5 6.2)."""
    return " ".join(words.replace("\\", "/").split())[:most].strip()


def numbers(header: Any, tag: str, count: int) -> tuple[float, ...]:
    """Give a tag's ``count`` finite numbers; empty where it is absent or empty.

    Raises
    ------
    Malformed
        If there is another number of them, or one is no finite number.
    """
    value = header.get(tag)
    if value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0):
        return ()
    parts = [value] if isinstance(value, str | int | float) or not hasattr(value, "__iter__") else list(value)
    try:
        result = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        result = ()
    if len(result) != count or not all(map(math.isfinite, result)):
        shown = "\\".join(str(part) for part in parts)
        # A length that is wrong makes other tags part of this one, a patient's name among them.
        if len(shown) > _LONGEST or not set(shown) <= _OF_NUMBERS:
            shown = "that is none"
        raise Malformed(f"found {tag} {shown!r}, expected {count} finite number{'s' if count > 1 else ''}")
    return result


def number(header: Any, tag: str) -> float | None:
    """Give a tag's number, the first of several; None where it is absent or no finite number."""
    value = header.get(tag)
    if hasattr(value, "__iter__") and not isinstance(value, str):
        value = next(iter(value), None)
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None
