"""Whether pixels end where the file says: bytes lost or put in before would move all that follow them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from napari_resmed.errors import InputError

__all__ = ["check_fragments", "check_object", "check_tail"]

_PIXELS = 0x7FE00010
# What may follow pixels (PS3.5 7.1): further pixel tags, digital signatures, padding; odd groups are private.
_LATER_GROUPS = (0x7FE0, 0xFFFA, 0xFFFC)
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_UNDEFINED = 0xFFFFFFFF
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
# Old media were filled with zeros to the end of a block.
_BLOCK = 512
# What follows is small; of something large only the beginning is looked at.
_LOOK = 1 << 20


def check_tail(path: Path, at: int, syntax: str, little: bool = True) -> None:
    """Refuse a file in which something other than elements follows its pixels.

    Parameters
    ----------
    path:
        The file.
    at:
        Where the pixels end.
    syntax, little:
        Transfer syntax UID and byte order.

    Raises
    ------
    InputError
        If the file goes on with anything else but elements of higher tags, or zeros that fill a block.
    """
    with path.open("rb") as file:
        whole = file.seek(0, io.SEEK_END)
        file.seek(at)
        after = file.read(_LOOK)
    order: Any = "little" if little else "big"
    place, last = 0, _PIXELS
    while place < len(after):
        if not whole % _BLOCK and not after[place:].strip(b"\0"):
            return
        head = after[place : place + 12]
        tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
        group = tag >> 16
        known = group in _LATER_GROUPS or (group % 2 and group > _LATER_GROUPS[0])
        if len(head) < 8 or tag <= last or not known:
            raise _damaged(path)
        if syntax == ImplicitVRLittleEndian:
            size, length = 8, int.from_bytes(head[4:8], order)
        elif head[4:6] in _LONG:
            size, length = 12, int.from_bytes(head[8:12], order)
        elif head[4:6].isalpha() and head[4:6].isupper():
            size, length = 8, int.from_bytes(head[6:8], order)
        else:
            raise _damaged(path)
        if length == _UNDEFINED or len(after) == _LOOK:
            return
        place, last = place + size + length, tag
        if place > len(after):
            raise _damaged(path)


def check_object(header: Any, path: Path) -> None:
    """Refuse an object of many frames whose pixels are more than its header describes, or end elsewhere.

    Parameters
    ----------
    header:
        pydicom's data set, its pixels not yet touched.
    path:
        Its file.

    Raises
    ------
    InputError
        If so.
    """
    element = header.get_item(_PIXELS) if _PIXELS in header else None
    syntax = str(header.file_meta.TransferSyntaxUID)
    start = getattr(element, "value_tell", 0)
    if element is None or not start or syntax == DeflatedExplicitVRLittleEndian:
        return
    if element.length == _UNDEFINED:
        check_fragments(path.name, element.value or b"")
        return
    frames, samples = int(header.get("NumberOfFrames") or 1), int(header.get("SamplesPerPixel") or 1)
    bits = frames * samples * int(header.Rows) * int(header.Columns) * int(header.BitsAllocated)
    if element.length > (bits + 7) // 8 + 1:  # the length is even
        raise InputError(
            f"{path.name} holds more pixels than its header says: {element.length} bytes for {(bits + 7) // 8}; "
            "export it again"
        )
    check_tail(path, start + element.length, syntax)


def check_fragments(name: str, pixels: bytes) -> None:
    """Refuse compressed pixels whose fragments do not follow each other to the end (PS3.5 A.4).

    Decoders look for lost ends far and wide, in gigabytes of their own.

    Raises
    ------
    InputError
        If something else lies between or behind them.
    """
    at = 0
    while at < len(pixels):
        if pixels[at : at + 4] == _END or not pixels[at:].strip(b"\0"):
            return
        length = int.from_bytes(pixels[at + 4 : at + 8], "little")
        if pixels[at : at + 4] != _ITEM or at + 8 + length > len(pixels):
            raise InputError(f"{name} is damaged: its compressed pixels are cut off or not whole; copy it again")
        at += 8 + length


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path.name} is damaged: its pixels do not end where its header says; copy it again from its source"
    )
