"""What the text headers of NRRD and MetaImage have in common."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

from napari_resmed.errors import InputError

__all__ = ["data_file", "floats", "integers"]


def data_file(header: Path, named: str) -> Path:
    """The file beside or below a header that it names for its voxels.

    A header from elsewhere must not make us open any file of this machine.

    Raises
    ------
    InputError
        If it lies elsewhere or is not there.
    """
    parts = PurePosixPath(named.replace("\\", "/")).parts
    if not parts or "\0" in named or Path(named).is_absolute() or ".." in parts or ":" in parts[0]:
        raise InputError(
            f"{header.name} names a data file outside its own folder; put both into one folder and correct the name"
        )
    path = header.parent.joinpath(*parts)
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputError(f"{header.name} cannot be read: found no data file {parts[-1]!r} beside it; copy both files")
    return path


def integers(text: str, what: str, name: str) -> tuple[int, ...]:
    """Whole numbers with white space between them.

    Raises
    ------
    InputError
        If something else is among them.
    """
    try:
        return tuple(int(word) for word in text.split())
    except ValueError as problem:
        raise _no_numbers(text, what, name) from problem


def floats(text: str, what: str, name: str) -> tuple[float, ...]:
    """Numbers with white space between them; NaN where the format says so.

    Raises
    ------
    InputError
        If something else is among them.
    """
    try:
        numbers = tuple(float(word) for word in text.split())
    except ValueError as problem:
        raise _no_numbers(text, what, name) from problem
    if any(math.isinf(number) for number in numbers):
        raise _no_numbers(text, what, name)
    return numbers


def _no_numbers(text: str, what: str, name: str) -> InputError:
    shown = text.strip()[:40]
    return InputError(f"{name} is damaged: it says {what} {shown!r}, expected numbers")
