"""The usual header, walked through quickly: a folder of thousands of files is listed by this.

Little-endian files with a preamble, as nearly all are. Whatever is unusual - a wanted sequence, an unknown value
representation, an end too early - is not understood here but left to pydicom, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from struct import Struct, error

from pydicom.uid import ImplicitVRLittleEndian

__all__ = ["Scanned", "scan"]

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHL").unpack_from
_LENGTH = Struct("<L").unpack_from
# Value representations by the size of their length (PS3.5 7.1.2).
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS"),
    *(b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_BEGIN = 132
_META_GROUP = 0x0002
_MEDIA_CLASS, _SYNTAX = 0x00020002, 0x00020010
_PIXEL_GROUP = 0x7FE0
_DEEPEST = 16
_SHORTEST_SEQUENCE = 7  # an item's tag and length take eight bytes

# Syntaxes whose header is explicit little-endian: all but these (PS3.5 10).
_OTHERS = {"", ImplicitVRLittleEndian, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.113619.5.2"}


Element = Callable[[bytes, int], tuple[int, bytes | None, int, int]]


class _Unusual(Exception):  # noqa: N818 - a way out, met by pydicom
    pass


@dataclass
class Scanned:
    """Wanted values by tag, each with its representation, and where the header ends: at the pixels or the file's end.

    ``pixel_tag`` is 0 where the file ends without pixels.
    """

    syntax: str = ""
    media_class: str = ""
    implicit: bool = False
    values: dict[int, tuple[str | None, bytes]] = field(default_factory=dict)
    end: int = 0
    pixel_tag: int = 0


def scan(start: bytes, wanted: Container[int], whole: bool) -> Scanned | None:
    """Walk through the first bytes of a file; None where they are unusual, or end within the header.

    Parameters
    ----------
    start:
        The file's first bytes.
    wanted:
        Tags whose values are kept; the others are passed over.
    whole:
        Whether these are all the bytes of the file.
    """
    try:
        return _scan(start, wanted, whole)
    except (_Unusual, error, UnicodeDecodeError):
        return None


def _scan(start: bytes, wanted: Container[int], whole: bool) -> Scanned:
    result = Scanned()
    at = _BEGIN
    while _LENGTH(start, at)[0] & 0xFFFF == _META_GROUP:
        tag, vr, length, value = _explicit(start, at)
        if tag in (_MEDIA_CLASS, _SYNTAX):
            uid = start[value : value + length].rstrip(b"\0 ").decode("ascii")
            if tag == _SYNTAX:
                result.syntax = uid
            else:
                result.media_class = uid
        at = value + length
    result.implicit = result.syntax == ImplicitVRLittleEndian
    if result.syntax in _OTHERS and not result.implicit:
        raise _Unusual
    element = _implicit if result.implicit else _explicit
    size = len(start)
    while at < size or not whole:
        tag, vr, length, value = element(start, at)
        if tag >> 16 == _PIXEL_GROUP:
            result.pixel_tag = tag
            break
        if length == _UNDEFINED:
            if tag in wanted:
                raise _Unusual
            at = _past_sequence(start, value, vr, element, 0)
            continue
        at = value + length
        if at > size:
            raise _Unusual
        if tag in wanted:
            if vr == b"SQ" or (vr is None and length > _SHORTEST_SEQUENCE and _is_item(start, value)):
                raise _Unusual
            result.values[tag] = (None if vr is None else vr.decode("ascii"), start[value:at])
    result.end = at
    return result


def _is_item(start: bytes, at: int) -> bool:
    return start[at : at + 4] == b"\xfe\xff\x00\xe0"


def _explicit(start: bytes, at: int) -> tuple[int, bytes | None, int, int]:
    """Tag, value representation, length of the value and where it begins."""
    group, element, vr, length = _EXPLICIT(start, at)
    if vr in _SHORT:
        return group << 16 | element, vr, length, at + 8
    if vr in _LONG:
        return group << 16 | element, vr, _LENGTH(start, at + 8)[0], at + 12
    raise _Unusual


def _implicit(start: bytes, at: int) -> tuple[int, bytes | None, int, int]:
    group, element, length = _IMPLICIT(start, at)
    return group << 16 | element, None, length, at + 8


def _past_sequence(start: bytes, at: int, vr: bytes | None, element: Element, depth: int) -> int:
    """Where the element after a sequence of undefined length begins."""
    if vr not in (b"SQ", None) or depth > _DEEPEST:
        raise _Unusual
    while True:
        group, number, length = _IMPLICIT(start, at)
        tag = group << 16 | number
        at += 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise _Unusual
        at = at + length if length != _UNDEFINED else _past_item(start, at, element, depth)


def _past_item(start: bytes, at: int, element: Element, depth: int) -> int:
    while True:
        group, number, _ = _IMPLICIT(start, at)
        if group << 16 | number == _ITEM_END:
            return at + 8
        _, vr, length, value = element(start, at)
        at = value + length if length != _UNDEFINED else _past_sequence(start, value, vr, element, depth + 1)
