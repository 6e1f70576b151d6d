"""What SimpleITK leaves out of a NRRD header: the sides of an image in time, and that channels are colours."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["complete_header"]

_SPACE_AND_TIME = (b"space dimension: 4", b"space: left-posterior-superior-time")
_COLOURS = {"RGB": b"RGB-color", "RGBA": b"RGBA-color"}


def complete_header(path: Path, colour: str = "") -> None:
    """Write the fields into a file that SimpleITK wrote just now.

    Parameters
    ----------
    path:
        ``.nrrd`` or ``.nhdr``, LPS as SimpleITK writes.
    colour:
        ``"RGB"`` or ``"RGBA"`` where the channels are that, else empty.

    Raises
    ------
    OSError
        If the disk is full.
    """
    with path.open("rb") as source:
        lines = []
        # The header ends with an empty line, or with the file.
        while (line := source.readline()) and line.strip():
            lines.append(line.rstrip(b"\r\n"))
        told = [_told(line, colour) for line in lines]
        if told == lines:
            return
        part = path.with_name(f"{path.name}.completed")
        with part.open("wb") as target:
            target.write(b"\n".join(told) + b"\n")
            if line:
                target.write(b"\n")
                shutil.copyfileobj(source, target, 2**20)
    part.replace(path)


def _told(line: bytes, colour: str) -> bytes:
    if line == _SPACE_AND_TIME[0]:
        return _SPACE_AND_TIME[1]
    if line.startswith(b"kinds: vector ") and colour in _COLOURS:
        return line.replace(b"vector", _COLOURS[colour], 1)
    return line
