"""The header of a DICOM file: the tags that we use, and where the pixels lie; pixels left alone.

No tag that names a patient, a person, a date or an institution is ever read.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_dict
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.errors import InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_dataset, read_partial, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from napari_resmed.io.dicom.scan import scan
from napari_resmed.io.dicom.values import text

__all__ = ["FACTS", "Header", "inflate", "may_be_dicom", "read_header"]

# Facts worth keeping beside the image: our name, the tag. None of them tells who the patient is.
FACTS = {
    "manufacturer": "Manufacturer",
    "scanner": "ManufacturerModelName",
    "field_strength_t": "MagneticFieldStrength",
    "kvp": "KVP",
    "convolution_kernel": "ConvolutionKernel",
    "repetition_time_ms": "RepetitionTime",
    "echo_time_ms": "EchoTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_deg": "FlipAngle",
    "slice_thickness_mm": "SliceThickness",
    "window_centre": "WindowCenter",
    "window_width": "WindowWidth",
    "body_part": "BodyPartExamined",
    "frame_time_ms": "FrameTime",
    "temporal_resolution_ms": "TemporalResolution",
}
_TAGS = (
    *FACTS.values(),
    "AcquisitionNumber",
    "AcquisitionTime",
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "ComplexImageComponent",
    "ContentTime",
    "DetectorInformationSequence",
    "DiffusionBValue",
    "DoseGridScaling",
    "DoseUnits",
    "EchoNumbers",
    "FrameIncrementPointer",
    "FrameOfReferenceUID",
    "FrameReferenceTime",
    "GridFrameOffsetVector",
    "HighBit",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "ImagerPixelSpacing",
    "InstanceNumber",
    "Modality",
    "NominalScannedPixelSpacing",
    "NumberOfFrames",
    "PerFrameFunctionalGroupsSequence",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PixelSpacing",
    "PlanarConfiguration",
    "ProtocolName",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "SequenceOfUltrasoundRegions",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence",
    "SpacingBetweenSlices",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "Units",
)
# Of private blocks who wrote them, and what is in them: bytes, for vendors' own numbers may be written anyhow.
_AS_BYTES = {
    0x00190010: "CreatorSiemens",
    0x0019100C: "BValueSiemens",
    0x00430010: "CreatorGE",
    0x0043102F: "RawDataTypeGE",
    0x00431030: "VasCollapseGE",
    0x00431039: "BValueGE",
    0x20010010: "CreatorPhilips",
    0x20011003: "BValuePhilips",
}
# Siemens' private description of a mosaic, and its count of tiles.
_PRIVATE = {0x00291010: "CSAImageHeaderInfo", 0x0019100A: "NumberOfImagesInMosaic"} | _AS_BYTES
_KEYWORDS = {keyword_dict[name]: name for name in _TAGS} | _PRIVATE
_WANTED = sorted(_KEYWORDS)
_CHARSET = 0x00080005
_WANTED_QUICKLY = {*_WANTED, _CHARSET}

# A file without the 128-byte preamble begins with group 0002 or 0008, in either byte order.
_BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
_PREAMBLE = 128
# Read at once: the headers of single images rarely are longer, and reading on is only slower.
_FIRST_BYTES = 2**16
# Private headers take some hundred kB.
_MORE_BYTES = 2**20
# Of a deflated file: no header is longer, and a bomb goes no farther.
_MOST_INFLATED_HEADER = 2**24
_UNDEFINED = 0xFFFFFFFF
# Syntaxes whose pixels lie in the file as they are; a file without a preamble does not name its own.
_NATIVE = {
    "",
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
}
_PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
# What many slices share is parsed once.
_VALUES_KEPT = 8192
_LONGEST_KEPT = 256


class Header(dict[str, Any]):
    """Values by keyword; sequences as pydicom's.

    ``syntax`` is the transfer syntax UID, ``pixels`` the keyword of the pixel data, ``pixels_at`` and
    ``pixels_length`` say where its value lies in the file, or in what it inflates to: 0 where it is
    compressed or absent. ``element_at`` is where the element of the pixels begins, tag and all.
    """

    syntax = ""
    media_class = ""
    pixels = ""
    pixels_at = 0
    pixels_length = 0
    element_at = 0
    little = True


def read_header(path: Path) -> Header | None:
    """Read the tags that we use; None where the file is no DICOM file.

    Raises
    ------
    OSError
        If the file cannot be opened.
    Exception
        Of a dozen kinds, as pydicom meets a broken file.
    """
    with path.open("rb", buffering=0) as file:
        start = file.read(_FIRST_BYTES)
        bare = start[_PREAMBLE : _PREAMBLE + 4] != b"DICM"
        if not may_be_dicom(start):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values, and say nothing that we do not check
            header = None if bare else _quickly(start, len(start) < _FIRST_BYTES)
            if header is None and not bare and len(start) == _FIRST_BYTES:
                more = start + file.read(_MORE_BYTES)
                header = _quickly(more, len(more) < _FIRST_BYTES + _MORE_BYTES)
            if header is not None:
                return header
            try:
                header = _parse(BytesIO(start), bare) if len(start) < _FIRST_BYTES else _parse_long(start, path, bare)
            except Exception as problem:
                if bare:
                    return None
                if isinstance(problem, InvalidDicomError | OSError):
                    raise EOFError(str(problem)) from problem
                raise
    if bare and not (header.get("SOPClassUID") and header.get("SeriesInstanceUID")):
        return None  # some other format that happens to begin alike
    return header


def _quickly(start: bytes, whole: bool) -> Header | None:
    """Parse a usual header; None for any other."""
    scanned = scan(start, _WANTED_QUICKLY, whole)
    if scanned is None:
        return None
    header = Header()
    header.syntax, header.media_class = scanned.syntax, scanned.media_class
    _, charset = scanned.values.pop(_CHARSET, ("CS", b""))
    encodings = _encodings(charset)
    for tag, (vr, value) in scanned.values.items():
        raw = tag in _AS_BYTES or (len(value) > _LONGEST_KEPT and tag in _PRIVATE)
        header[_KEYWORDS[tag]] = value if raw else _parsed(BaseTag(tag), vr, value, scanned.implicit, True, encodings)
    if scanned.pixel_tag:
        file = BytesIO(start)
        file.seek(scanned.end)
        _find_pixels(file, header, scanned.implicit, True)
        if not header.pixels:
            return None
    return header


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> tuple[str, ...]:
    return tuple(convert_encodings(charset.decode("ascii").split("\\")))


def may_be_dicom(start: bytes) -> bool:
    """Whether a file's first bytes are those of a DICOM file, with or without its preamble."""
    return start[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or start[:2] in _BARE_STARTS


def _parse_long(start: bytes, path: Path, bare: bool) -> Header:
    """Parse the first bytes; the whole file where the header does not end in them."""
    try:
        header = _parse(BytesIO(start), bare)
        if header.pixels:
            return header
    except Exception:
        pass
    with path.open("rb") as file:
        return _parse(file, bare)


def _parse(file: BytesIO | BinaryIO, bare: bool) -> Header:
    meta = {} if bare else _file_meta(file)
    header = Header()
    header.syntax = text(meta, "TransferSyntaxUID")
    header.media_class = text(meta, "MediaStorageSOPClassUID")
    if header.syntax == DeflatedExplicitVRLittleEndian:
        file = BytesIO(_inflated(file, _MOST_INFLATED_HEADER))
        data = read_dataset(file, False, True, stop_when=_at_pixels, specific_tags=_WANTED)
        implicit, little = False, True
    else:
        file.seek(0)
        data = read_partial(file, _at_pixels, specific_tags=_WANTED, force=bare)  # type: ignore[arg-type]
        implicit, little = data.is_implicit_VR, data.is_little_endian
    charset = data.original_character_set
    encodings = tuple([charset] if isinstance(charset, str) else charset)
    for tag in data._dict:
        name = _KEYWORDS.get(int(tag))
        if name:
            header[name] = _value(data, tag, encodings)
    _find_pixels(file, header, implicit, little)
    return header


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in _PIXEL_TAGS


def _value(data: pydicom.Dataset, tag: BaseTag, encodings: tuple[str, ...]) -> Any:
    """Parse one value; broken ones break here."""
    raw = data._dict[tag]
    if isinstance(raw, RawDataElement) and raw.VR != "SQ" and isinstance(raw.value, bytes):
        if len(raw.value) <= _LONGEST_KEPT and int(tag) not in _AS_BYTES:
            return _parsed(raw.tag, raw.VR, raw.value, raw.is_implicit_VR, raw.is_little_endian, encodings)
        if int(tag) in _PRIVATE:
            return raw.value
    return data[tag].value


@lru_cache(maxsize=_VALUES_KEPT)
def _parsed(
    tag: BaseTag, vr: str | None, value: bytes, implicit: bool, little: bool, encodings: tuple[str, ...]
) -> Any:
    raw = RawDataElement(tag, vr, len(value), value, 0, implicit, little)
    return convert_raw_data_element(raw, encoding=list(encodings)).value


def inflate(path: Path, most: int) -> bytes:
    """The data set of a deflated file (PS3.5 A.5), up to ``most`` bytes of it."""
    with path.open("rb") as file:
        _file_meta(file)
        return _inflated(file, most)


def _file_meta(file: BytesIO | BinaryIO) -> Any:
    """The meta information; the file then stands behind it."""
    file.seek(0)
    read_preamble(file, False)
    return _read_file_meta_info(file)


def _inflated(file: BytesIO | BinaryIO, most: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), most)


def _find_pixels(file: BytesIO | BinaryIO, header: Header, implicit: bool, little: bool) -> None:
    """Note where the pixels lie; the file stands before them now."""
    at = file.tell()
    start = file.read(12)
    if len(start) < 12:
        return
    order = "<" if little else ">"
    group, element = struct.unpack(order + "HH", start[:4])
    header.pixels = _PIXEL_TAGS.get(group << 16 | element, "")
    length: int = struct.unpack(order + "L", start[4:8] if implicit else start[8:12])[0]
    header.little, header.element_at = little, at
    if header.pixels and length != _UNDEFINED and header.syntax in _NATIVE:
        header.pixels_at = at + (8 if implicit else 12)
        header.pixels_length = length
