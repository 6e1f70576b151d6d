"""What the header of a DICOM file says of the images in it: one :class:`Slice` for each.

A classic file holds one image, an enhanced multi-frame file many; above this module both are the same. No
tag that names a patient, a person, a date or an institution is ever read.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, RLELossless

from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.values import Malformed, number, numbers, text

__all__ = ["read_slices"]

# Storage classes with rows and columns that are no pictures of a patient to be stacked (PS3.4 B.5).
_NOT_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "label map segmentation",
    "1.2.840.10008.5.1.4.1.1.30": "parametric map",
    "1.2.840.10008.5.1.4.1.1.481.2": "radiotherapy dose",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "whole-slide microscopy image",
}
# Objects that mark structures on images (PS3.4 B.5): opened as labels, not stacked.
_LABELS = {
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
}
# Enhanced and legacy-converted CT, MR and PET: every frame states its place in the same functional groups.
_ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.3",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.128.1",
    "1.2.840.10008.5.1.4.1.1.130",
}
_BYTE = 8
_DICOMDIR = "1.2.840.10008.1.3.10"
# A file without the 128-byte preamble begins with group 0002 or 0008, in either byte order.
_BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")

_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")
# Direction vectors may be this much off length 1: cosines printed with two digits are off by 0.005 each.
_LENGTH_OFF = 0.02

# Facts worth keeping beside the image: our name, the tag. None of them tells who the patient is.
_FACTS = {
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
    "units": "Units",
}
_TAGS = [
    *_FACTS.values(),
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesDescription",
    "ProtocolName",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "SpacingBetweenSlices",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "InstanceNumber",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


def read_slices(path: Path) -> list[Slice]:
    """List the images that a file holds; none where it is no DICOM file, or an index of other files.

    A file that says it is DICOM and cannot be used gives one :class:`Slice` with its ``problem``.
    """
    try:
        header = _open(path)
    except InvalidDicomError:
        return []
    except OSError as problem:
        return [Slice(path, problem=f"{path.name} cannot be opened ({problem.strerror}); check the disk")]
    except Exception:  # pydicom meets a broken file with any of a dozen kinds
        return [Slice(path, problem=_cut_off(path))]
    # Said twice; where the header breaks off, the first place is the whole one.
    kind = text(getattr(header, "file_meta", {}), "MediaStorageSOPClassUID") or text(header, "SOPClassUID")
    if kind == _DICOMDIR:
        return []
    if "Rows" not in header and (not kind or "Image Storage" in UID(kind).name):
        return [Slice(path, series_uid=text(header, "SeriesInstanceUID"), problem=_cut_off(path))]
    try:
        common = _common(header) | {"sop_class": kind, "kind": _kind(kind, header)}
    except Malformed as problem:
        return [Slice(path, series_uid=text(header, "SeriesInstanceUID"), problem=f"{path.name}: {problem}")]
    refusal = _refusal(header, kind, common)
    if refusal:
        return [Slice(path, **common, problem=refusal)]
    try:
        if kind in _ENHANCED:
            return list(_frames(path, header, common))
        return [Slice(path, **common | _place(header) | _order(header))]
    except Malformed as problem:
        return [Slice(path, **common, problem=f"{path.name}: {problem}")]


def _kind(sop_class: str, header: Any) -> str:
    if sop_class in _LABELS:
        return "labels"
    return "image" if "Rows" in header and sop_class not in _NOT_IMAGES else "other"


def _cut_off(path: Path) -> str:
    return f"{path.name} begins as a DICOM image but states no rows and columns; copy it again from its source"


def _open(path: Path) -> Any:
    """Read the tags that we use, pixels left alone."""
    with path.open("rb") as file:
        start = file.read(132)
    bare = start[128:] != b"DICM"
    if bare and start[:2] not in _BARE_STARTS:
        raise InvalidDicomError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values, and say nothing that we do not check
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=bare)
            for element in header:  # values are parsed on first use: let what is broken break here
                _ = element.value
        except OSError:
            raise
        except Exception as problem:
            raise (InvalidDicomError() if bare else problem) from problem
    if bare and not (header.get("SOPClassUID") and header.get("SeriesInstanceUID")):
        raise InvalidDicomError  # some other format that happens to begin alike
    return header


def _common(header: Any) -> dict[str, Any]:
    """Collect what all images of a file share."""
    facts = {ours: _plain(header.get(tag)) for ours, tag in _FACTS.items()}
    frame_count = number(header, "NumberOfFrames")
    return {
        "uid": text(header, "SOPInstanceUID"),
        "series_uid": text(header, "SeriesInstanceUID"),
        "frame_of_reference": text(header, "FrameOfReferenceUID"),
        "modality": text(header, "Modality"),
        "description": text(header, "SeriesDescription") or text(header, "ProtocolName"),
        "rows": int(number(header, "Rows") or 0),
        "columns": int(number(header, "Columns") or 0),
        "samples": int(number(header, "SamplesPerPixel") or 1),
        "photometric": text(header, "PhotometricInterpretation"),
        "bits": int(number(header, "BitsStored") or 16),
        "signed": number(header, "PixelRepresentation") == 1,
        "frame": 0 if frame_count and frame_count > 1 else None,
        "facts": {key: value for key, value in facts.items() if value not in (None, "")},
    }


def _refusal(header: Any, kind: str, common: Mapping[str, Any]) -> str:
    """Why the file is no image that can be stacked, in a sentence; empty if it is one."""
    if kind in _NOT_IMAGES or not (common["rows"] and common["columns"]):
        found = _NOT_IMAGES.get(kind) or UID(kind).name.removesuffix(" Storage")
        return f"found an object of the kind {found!r}, expected an image; choose an image series instead"
    syntax = text(getattr(header, "file_meta", {}), "TransferSyntaxUID")
    if syntax == RLELossless and common["samples"] > 1 and common["bits"] > _BYTE:
        return (
            "found colour of more than 8 bits in run-length encoding, which the decoder gets wrong, expected "
            "another encoding; decompress the files first, e.g. with dcmdrle"
        )
    if "MOSAIC" in text(header, "ImageType").split("\\"):
        return (
            "found Siemens mosaics (all slices tiled in one picture), which this version does not read yet; "
            "convert them with dcm2niix and open the NIfTI file"
        )
    if common["frame"] is not None and kind not in _ENHANCED:
        return (
            f"found a multi-frame {UID(kind).name.removesuffix(' Storage')}, which this version does not "
            "read yet, expected single images or enhanced CT, MR or PET; convert it with dcm2niix"
        )
    return ""


def _place(header: Any) -> dict[str, Any]:
    """Where a classic image lies, and how its values are scaled."""
    spacing = numbers(header, "PixelSpacing", 2)
    # Projection radiographs give the spacing at the detector instead, or a scanner's bed its own.
    at_detector = () if spacing else numbers(header, "ImagerPixelSpacing", 2)
    nominal = () if spacing or at_detector else numbers(header, "NominalScannedPixelSpacing", 2)
    return {
        **_directions(numbers(header, "ImageOrientationPatient", 6)),
        **_scale(header),
        "position": numbers(header, "ImagePositionPatient", 3),
        "spacing_mm": _positive(spacing or at_detector or nominal),
        "spacing_at_detector": bool(at_detector),
        "thickness_mm": number(header, "SliceThickness"),
        "slice_gap_mm": number(header, "SpacingBetweenSlices"),
    }


def _order(header: Any) -> dict[str, Any]:
    """Collect what sets a classic image apart from others at the same place."""
    keys = ("TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "InstanceNumber")
    clock = text(header, "AcquisitionTime").replace(":", "")
    echo, echo_time = text(header, "EchoNumbers"), number(header, "EchoTime")
    return {
        "contrast": _contrast(text(header, "ImageType"), echo, echo_time),
        "times": (
            *(number(header, key) for key in keys),
            float(clock) if clock.replace(".", "", 1).isdigit() else None,
        ),
    }


def _frames(path: Path, header: Any, common: dict[str, Any]) -> Iterator[Slice]:
    """Give the images of an enhanced multi-frame file (PS3.3 C.7.6.16)."""
    shared = header.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    expected = int(number(header, "NumberOfFrames") or 1)
    if len(per_frame) != expected:
        raise Malformed(f"found {len(per_frame)} descriptions for {expected} frames; export the series again")
    acquisition, instance = number(header, "AcquisitionNumber"), number(header, "InstanceNumber")
    for index, groups in enumerate(per_frame):

        def group(name: str, groups: Any = groups) -> Any:
            """Find the first item of a functional group: the frame's own, else the shared one."""
            items = groups.get(name) or shared[0].get(name)
            return items[0] if items else pydicom.Dataset()

        measures, content = group("PixelMeasuresSequence"), group("FrameContentSequence")
        kind = next(
            (text(group(name), "FrameType") for name in _FRAME_TYPES if "FrameType" in group(name)),
            text(header, "ImageType"),
        )
        echo_time = number(group("MREchoSequence"), "EffectiveEchoTime")
        thickness = number(measures, "SliceThickness")
        facts = {"slice_thickness_mm": thickness, "echo_time_ms": echo_time} | common["facts"]
        yield Slice(
            path,
            **common
            | {"frame": index, "facts": {key: value for key, value in facts.items() if value is not None}}
            | _directions(numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6))
            | _scale(group("PixelValueTransformationSequence")),
            stack=text(content, "StackID"),
            position=numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3),
            spacing_mm=_positive(numbers(measures, "PixelSpacing", 2)),
            thickness_mm=thickness,
            contrast=_contrast(kind, "", echo_time),
            times=(
                number(content, "TemporalPositionIndex"),
                number(group("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime"),
                acquisition,
                # Files of one series follow each other, and the frames within them.
                None if instance is None else instance + index / expected,
                None,
            ),
        )


def _contrast(image_type: str, echo: str, echo_time: float | None) -> tuple[str, ...]:
    # Two digits: some scanners print the same echo time differently from slice to slice.
    return (image_type, echo, "" if echo_time is None else f"{echo_time:.2f}")


def _directions(cosines: tuple[float, ...]) -> dict[str, Any]:
    """Make unit vectors of ImageOrientationPatient, whose printed digits leave lengths a little off 1."""
    if not cosines:
        return {}
    vectors = cosines[:3], cosines[3:]
    lengths = [math.hypot(*vector) for vector in vectors]
    # Beyond printing: the six numbers are then no directions at all.
    if any(abs(length - 1) > _LENGTH_OFF for length in lengths):
        raise Malformed(f"found ImageOrientationPatient {list(cosines)}, expected two unit vectors")
    row, column = (tuple(c / n for c in v) for v, n in zip(vectors, lengths, strict=True))
    return {"row": row, "column": column}


def _scale(source: Any) -> dict[str, float]:
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    # A slope of 0 would flatten the image: GDCM and others take it for "unsaid", and so do we.
    return {"slope": slope or 1.0, "intercept": intercept or 0.0}


def _positive(spacing: tuple[float, ...]) -> tuple[float, ...]:
    if spacing and min(spacing) <= 0:
        raise Malformed(f"found a pixel spacing of {list(spacing)} mm, expected two lengths above 0")
    return spacing


def _plain(value: Any) -> Any:
    """Turn a tag's value into Python's own text, number or list."""
    if value is None or isinstance(value, str | int):
        return " ".join(value.split()) if isinstance(value, str) else value
    if isinstance(value, float) or hasattr(value, "real"):
        return float(value)
    return [_plain(part) for part in value]
