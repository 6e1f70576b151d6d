"""What the header of a DICOM file says of the images in it: one :class:`Slice` for each.

A classic file holds one image, a multi-frame file or a mosaic many; above this module all are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydicom.config import IGNORE
from pydicom.uid import UID

from napari_resmed.io.dicom.classic import order, place
from napari_resmed.io.dicom.frames import frames
from napari_resmed.io.dicom.header import FACTS, Header, read_header
from napari_resmed.io.dicom.mosaic import is_mosaic, tiles
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.values import Malformed, number, text

__all__ = ["read_slices"]

# Storage classes with rows and columns that are no pictures of a patient to be stacked (PS3.4 B.5).
_NOT_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "label map segmentation",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "whole-slide microscopy image",
}
# Objects that mark structures on images: opened as labels, not stacked.
_LABELS = {
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
}
_DICOMDIR = "1.2.840.10008.1.3.10"
# Rows and columns are 16-bit numbers; what claims more voxels than this in one file is damaged.
_MOST_VOXELS = 2**36


def read_slices(path: Path) -> list[Slice]:
    """List the images that a file holds; none where it is no DICOM file, or an index of other files.

    A file that says it is DICOM and cannot be used gives one :class:`Slice` with its ``problem``.
    """
    try:
        header = read_header(path)
    except OSError as problem:
        return [Slice(path, problem=f"{path.name} cannot be opened ({problem.strerror}); check the disk")]
    except Exception:  # pydicom meets a broken file with any of a dozen kinds
        return [Slice(path, problem=_cut_off(path))]
    if header is None:
        return []
    # Said twice; where the header breaks off, the first place is the whole one.
    kind = header.media_class or text(header, "SOPClassUID")
    if kind == _DICOMDIR:
        return []
    series_uid = text(header, "SeriesInstanceUID")
    if "Rows" not in header and (not kind or "Image Storage" in _name_of(kind)):
        return [Slice(path, series_uid=series_uid, sop_class=kind, problem=_cut_off(path))]
    try:
        common = _common(header) | {"sop_class": kind, "kind": _kind(kind, header)}
    except Malformed as problem:
        return [Slice(path, series_uid=series_uid, sop_class=kind, problem=f"{path.name}: {problem}")]
    refusal = _refusal(kind, header, common)
    if refusal:
        return [Slice(path, **common, problem=refusal)]
    try:
        if is_mosaic(header):
            return list(tiles(path, header, common))
        if common["frame"] is not None or "PerFrameFunctionalGroupsSequence" in header:
            return list(frames(path, header, common))
        return [Slice(path, **common | place(header) | order(header))]
    except Malformed as problem:
        return [Slice(path, **common, problem=f"{path.name}: {problem}")]
    except Exception:  # a nested value that cannot be parsed
        return [Slice(path, **common, problem=f"{path.name} has a damaged header; copy it again from its source")]


def _kind(sop_class: str, header: Header) -> str:
    if sop_class in _LABELS:
        return "labels"
    return "image" if "Rows" in header and sop_class not in _NOT_IMAGES else "other"


def _name_of(kind: str) -> str:
    """What the standard calls a storage class.

    Of a damaged file this may be any of its bytes, a patient's name among them: it is not quoted.
    """
    uid = UID(kind, validation_mode=IGNORE)
    return str(uid.name) if uid.name != uid else "of an unknown class"


def _cut_off(path: Path) -> str:
    return f"{path.name} begins as a DICOM image but states no rows and columns; copy it again from its source"


def _common(header: Header) -> dict[str, Any]:
    """Collect what all images of a file share."""
    frame_count = number(header, "NumberOfFrames")
    bits = int(number(header, "BitsStored") or 16)
    rows, columns = (int(number(header, key) or 0) for key in ("Rows", "Columns"))
    if rows < 0 or columns < 0 or rows * columns * max(frame_count or 1, 1) > _MOST_VOXELS:
        raise Malformed(f"found {frame_count or 1:.0f} images of {rows} x {columns}, expected less")
    return {
        "uid": text(header, "SOPInstanceUID"),
        "series_uid": text(header, "SeriesInstanceUID"),
        "frame_of_reference": text(header, "FrameOfReferenceUID"),
        "modality": text(header, "Modality"),
        "description": text(header, "SeriesDescription") or text(header, "ProtocolName"),
        "rows": rows,
        "columns": columns,
        "samples": int(number(header, "SamplesPerPixel") or 1),
        "photometric": text(header, "PhotometricInterpretation"),
        "bits": bits,
        "bits_allocated": int(number(header, "BitsAllocated") or 16),
        "high_bit": int(_or(number(header, "HighBit"), bits - 1)),
        "planar": number(header, "PlanarConfiguration") == 1,
        "signed": number(header, "PixelRepresentation") == 1,
        "frame": 0 if frame_count and frame_count > 1 else None,
        "frames_in_file": int(max(frame_count or 1, 1)),
        "syntax": header.syntax,
        "pixels": header.pixels,
        "pixels_at": header.pixels_at,
        "element_at": header.element_at,
        "pixels_length": header.pixels_length,
        "little": header.little,
        "facts": _facts(header),
    }


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _facts(header: Header) -> dict[str, Any]:
    facts = {ours: _plain(header.get(tag)) for ours, tag in FACTS.items()}
    facts["units"] = text(header, "Units") or text(header, "DoseUnits") or text(header, "RescaleType")
    if not facts["units"] and text(header, "Modality") == "CT" and number(header, "RescaleIntercept") is not None:
        facts["units"] = "HU"  # what a CT's rescaled values are where it does not say otherwise (PS3.3 C.8.2.1)
    if facts["units"] == "US":
        facts["units"] = ""  # "unspecified"
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _refusal(kind: str, header: Header, common: Mapping[str, Any]) -> str:
    """Why the file is no image that can be stacked, in a sentence; empty if it is one."""
    if kind in _NOT_IMAGES or not (common["rows"] and common["columns"]):
        found = _NOT_IMAGES.get(kind) or _name_of(kind).removesuffix(" Storage")
        return f"found an object of the kind {found!r}, expected an image; choose an image series instead"
    if common["samples"] not in (1, 3, 4):
        return f"found {common['samples']} values a pixel, expected 1 (grey) or 3 (colour); export the image again"
    if not 1 <= common["bits"] <= common["bits_allocated"] <= 64:
        return f"found {common['bits']} bits stored in {common['bits_allocated']}, expected 1 to 64; export it again"
    return ""


def _plain(value: Any) -> Any:
    """Turn a tag's value into Python's own text, number or list."""
    if value is None or isinstance(value, str | int):
        return " ".join(value.split()) if isinstance(value, str) else value
    if isinstance(value, float) or hasattr(value, "real"):
        return float(value)
    return [_plain(part) for part in value]
