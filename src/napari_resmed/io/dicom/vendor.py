"""What vendors say in private tags where the public ones are silent: b-values, and which part of a complex image.

A private number means something only below its creator's name (PS3.5 7.8.1); the first block is the one that these
vendors take. Meanings: the vendors' conformance statements, as dcm2niix reads them.
"""

from __future__ import annotations

import struct

from napari_resmed.io.dicom.header import Header
from napari_resmed.io.dicom.values import number, text

__all__ = ["b_value", "part"]

_SIEMENS, _GE, _PHILIPS = "SIEMENS MR HEADER", "GEMS_PARM_01", "Philips Imaging DD 001"
# GE adds this to some b-values, to say how they were reached.
_GE_OFFSET = 1_000_000_000
# RawDataType_ImageType (0043,102F).
_GE_PARTS = {1: "phase", 2: "real", 3: "imaginary"}
# VasCollapseFlag (0043,1030) of the magnitude beside a map of the field, or beside flow; diffusion has 3 and more.
_GE_MAGNITUDE = 2


def b_value(header: Header) -> float | None:
    """Diffusion weighting in s/mm²: the public tag, else Siemens', GE's or Philips' own; None where none says it."""
    public = number(header, "DiffusionBValue")
    if public is not None:
        return public
    if _words(header, "CreatorSiemens") == _SIEMENS and "BValueSiemens" in header:
        return _number(header, "BValueSiemens")
    if _words(header, "CreatorGE") == _GE and "BValueGE" in header:
        stated = _number(header, "BValueGE")
        return None if stated is None else stated % _GE_OFFSET
    if _words(header, "CreatorPhilips") == _PHILIPS:
        return _number(header, "BValuePhilips", "f")
    return None


def part(header: Header) -> str:
    """Which part of a complex image it is, where the image type does not tell them apart; empty where nothing says."""
    public = text(header, "ComplexImageComponent")
    if public or _words(header, "CreatorGE") != _GE:
        return public.lower()
    stated = _GE_PARTS.get(int(_number(header, "RawDataTypeGE", "h") or 0), "")
    return stated or ("magnitude" if _number(header, "VasCollapseGE", "h") == _GE_MAGNITUDE else "")


def _number(header: Header, name: str, packed: str = "") -> float | None:
    """The first number of a private tag: of the ``packed`` kind where it is as long, else written out."""
    value = header.get(name)
    if packed and isinstance(value, bytes) and len(value) == struct.calcsize(packed):
        return float(struct.unpack(("<" if header.little else ">") + packed, value)[0])
    return number({name: _words(header, name).split("\\")[0]}, name)


def _words(header: Header, name: str) -> str:
    value = header.get(name)
    return value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else ""
