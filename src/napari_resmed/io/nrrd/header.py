"""The text header of a NRRD file (teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.source import open_source

__all__ = ["Fields", "read_fields"]

# Tables of segments take some hundred kB; a header that goes on is none.
_MOST_HEADER = 1 << 24
_PIECE = 1 << 16


@dataclass(frozen=True)
class Fields:
    """Fields by name, lower case and without spaces; key/value pairs; where the header ends, in bytes.

    ``detached`` says that the voxels are in another file.
    """

    fields: dict[str, str]
    pairs: dict[str, str]
    end: int
    detached: bool


def read_fields(path: Path) -> Fields:
    """Read the header.

    Raises
    ------
    InputError
        If it is no NRRD header.
    """
    text = _header_bytes(path)
    end = len(text)
    lines = text.decode("utf-8", "replace").splitlines()
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith("#"):
            continue
        field, at, value = line.partition(": ")
        key, assign, setting = line.partition(":=")
        if assign and (not at or len(key) < len(field)):
            pairs[key] = setting
        elif at or line.endswith(":"):
            name = field.rstrip(":").replace(" ", "").lower()
            if name in fields:
                raise InputError(f"{path.name} is damaged: its header says {name!r} twice")
            fields[name] = value.strip()
            if name == "datafile" and value.split()[:1] == ["LIST"]:
                break
        elif line.strip():
            raise InputError(f"{path.name} is damaged: its header holds the line {line[:40]!r}; copy it again")
    return Fields(fields, pairs, end, "datafile" in fields)


def _header_bytes(path: Path) -> bytes:
    """All up to and with the empty line; all of the file where there is none."""
    with open_source(path) as source:
        text = source.read(_PIECE)
        if not text.startswith(b"NRRD000"):
            raise InputError(f"{path.name} cannot be read: it is no NRRD file, though its name says so")
        while True:
            for blank in (b"\n\n", b"\n\r\n"):
                at = text.find(blank)
                if at >= 0:
                    return text[: at + len(blank)]
            more = source.read(_PIECE)
            if not more:
                return text
            if len(text) > _MOST_HEADER:
                raise InputError(f"{path.name} cannot be read: its header has no end; copy it again from its source")
            text += more
