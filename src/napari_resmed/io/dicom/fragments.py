"""Where compressed pixels lie in a file: the items of an encapsulated element (PS3.5 A.4).

They are walked through before any decoder sees them: on a file that is cut off GDCM may search for a minute.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from napari_resmed.io.dicom.ends import check_tail
from napari_resmed.io.dicom.native import cut_off
from napari_resmed.io.dicom.slice import Slice

__all__ = ["DELIMITER", "EMPTY_TABLE", "HEAD", "items_of_pixels"]

DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_UNDEFINED = b"\xff\xff\xff\xff"
# The element's tag, representation and length; a table of offsets that says nothing.
HEAD = _PIXEL_DATA + b"OB\x00\x00" + _UNDEFINED
EMPTY_TABLE = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
_ITEM = 0xE000FFFE  # the tag FFFE,E000, its two halves read as one number
_END = 0xE0DDFFFE


def items_of_pixels(file: BinaryIO, image: Slice) -> list[tuple[int, int]]:
    """Where the items of the pixel data begin and how long they are, their heads included; the table of offsets first.

    Raises
    ------
    InputError
        If the items are cut off, there are none, or something else follows them.
    """
    size = file.seek(0, 2)
    at = file.seek(image.element_at)
    start = file.read(12)
    if start[:4] != _PIXEL_DATA or start[8:] != _UNDEFINED:
        raise cut_off(image)
    at += 12
    items: list[tuple[int, int]] = []
    while at < size:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise cut_off(image)
        tag, length = struct.unpack("<LL", head)
        if tag == _END:
            break
        if tag != _ITEM or at + 8 + length > size:
            raise cut_off(image)
        items.append((at, 8 + length))
        at += 8 + length
    if len(items) < 2:  # the table of offsets comes first, empty or not
        raise cut_off(image)
    check_tail(image.path, min(at + len(DELIMITER), size), image.syntax)
    return items
