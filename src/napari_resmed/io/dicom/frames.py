"""The images of a multi-frame file: placed one by one, at even distances, or one after the other in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from napari_resmed.io.dicom.classic import contrast, directions, echo_time, order, place, positive, scale
from napari_resmed.io.dicom.header import Header
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.values import Malformed, number, numbers, text

__all__ = ["frames"]

_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")
# Single-image classes: many frames in them have no place that the standard would define.
_SINGLE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PET",
}
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_NUCLEAR = "1.2.840.10008.5.1.4.1.1.20"
_SLICE_VECTOR = 0x00540080


def frames(path: Path, header: Header, common: dict[str, Any]) -> Iterator[Slice]:
    """Give the images of a multi-frame file in its order.

    Raises
    ------
    Malformed
        If the frames' description contradicts itself, or does not say where slices lie that must lie somewhere.
    """
    count = int(number(header, "NumberOfFrames") or 1)
    if "PerFrameFunctionalGroupsSequence" in header:
        return _described(path, header, common, count)
    if "GridFrameOffsetVector" in header:
        return _offsets(path, header, common, count)
    if common["sop_class"] == _NUCLEAR:
        return _nuclear(path, header, common, count)
    if common["sop_class"] in _SINGLE_CLASSES:
        raise Malformed(
            f"found {count} frames in a {_SINGLE_CLASSES[common['sop_class']]} image of a class that holds one, "
            "without their places; export the series as enhanced multi-frame or as single images"
        )
    return _in_time(path, header, common, count)


def _described(path: Path, header: Header, common: dict[str, Any], count: int) -> Iterator[Slice]:
    """Frames that state their place in functional groups (PS3.3 C.7.6.16)."""
    shared = header.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    if len(per_frame) != count:
        raise Malformed(f"found {len(per_frame)} descriptions for {count} frames; export the series again")
    acquisition, instance = number(header, "AcquisitionNumber"), number(header, "InstanceNumber")
    for index, groups in enumerate(per_frame):

        def group(name: str, groups: Any = groups) -> Any:
            """Find the first item of a functional group: the frame's own, else the shared one."""
            items = groups.get(name) or shared[0].get(name)
            return items[0] if items else pydicom.Dataset()

        measures, content = group("PixelMeasuresSequence"), group("FrameContentSequence")
        frame_type = next((group(name) for name in _FRAME_TYPES if "FrameType" in group(name)), pydicom.Dataset())
        kind = text(frame_type, "FrameType") or text(header, "ImageType")
        echo_ms = number(group("MREchoSequence"), "EffectiveEchoTime")
        thickness = number(measures, "SliceThickness")
        facts = {"slice_thickness_mm": thickness, "echo_time_ms": echo_ms} | common["facts"]
        # What is not scaled by frame is scaled for the whole file; a parametric map has a way of its own.
        own_scale = group("PixelValueTransformationSequence")
        scaled = scale(own_scale if "RescaleSlope" in own_scale else header)
        if common["sop_class"] == _PARAMETRIC_MAP:
            scaled, units = _real_world(group("RealWorldValueMappingSequence"))
            facts = facts | ({"units": units} if units else {})
        yield Slice(
            path,
            **common
            | {"frame": index, "facts": {key: value for key, value in facts.items() if value is not None}}
            | directions(numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6))
            | scaled
            | contrast(kind, text(frame_type, "ComplexImageComponent").lower(), text(own_scale, "RescaleType")),
            stack=text(content, "StackID"),
            position=numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3),
            spacing_mm=positive(numbers(measures, "PixelSpacing", 2)),
            thickness_mm=thickness,
            echo_time_ms=echo_time(group("MREchoSequence"), "EffectiveEchoTime"),
            times=(
                number(content, "TemporalPositionIndex"),
                number(group("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime"),
                number(group("MRDiffusionSequence"), "DiffusionBValue"),
                acquisition,
                # Files of one series follow each other, and the frames within them.
                None if instance is None else instance + index / count,
                None,
                None,
                None,
            ),
        )


def _real_world(mapping: Any) -> tuple[dict[str, float], str]:
    """How a parametric map's values become what they mean, and their units (PS3.3 C.7.6.16.2.11)."""
    slope, intercept = number(mapping, "RealWorldValueSlope"), number(mapping, "RealWorldValueIntercept")
    if slope is None and "RealWorldValueLUTData" in mapping:
        raise Malformed("found a parametric map that looks its values up in a table, expected slope and intercept")
    units = mapping.get("MeasurementUnitsCodeSequence") or [pydicom.Dataset()]
    scaled = {"slope": slope or 1.0, "intercept": intercept or 0.0}
    return scaled, text(units[0], "CodeMeaning")


def _offsets(path: Path, header: Header, common: dict[str, Any], count: int) -> Iterator[Slice]:
    """Planes of a dose grid (PS3.3 C.8.8.3.2): offsets along the normal, or z itself where the first is not 0."""
    offsets = numbers(header, "GridFrameOffsetVector", count)
    placed, ordered = place(header), order(header)
    if not (offsets and placed["position"] and "row" in placed):
        raise Malformed("found a dose grid without GridFrameOffsetVector, position or orientation; export it again")
    normal = np.cross(placed["row"], placed["column"])
    start = np.array(placed["position"])
    for index, offset in enumerate(offsets):
        along = offset if offsets[0] == 0 else (offset - start[2]) * float(np.sign(normal[2]) or 1)
        yield Slice(
            path,
            **common
            | placed
            | ordered
            | {
                "frame": index if count > 1 else None,
                "position": tuple((start + along * normal).tolist()),
                "slice_gap_mm": None,
            },
        )


def _nuclear(path: Path, header: Header, common: dict[str, Any], count: int) -> Iterator[Slice]:
    """Reconstructed slices of nuclear medicine lie a stated distance apart (PS3.3 C.8.4.15); the rest is time."""
    pointer = header.get("FrameIncrementPointer")
    pointers = [] if pointer is None else [pointer] if isinstance(pointer, int) else list(pointer)
    detectors = header.get("DetectorInformationSequence") or [pydicom.Dataset()]
    position = numbers(detectors[0], "ImagePositionPatient", 3)
    cosines = numbers(detectors[0], "ImageOrientationPatient", 6)
    gap = number(header, "SpacingBetweenSlices")
    if [int(one) for one in pointers] != [_SLICE_VECTOR]:
        yield from _in_time(path, header, common, count)
        return
    if not (position and cosines and gap):
        raise Malformed(
            "found reconstructed slices without position, orientation or SpacingBetweenSlices, expected all three; "
            "export the series again"
        )
    placed = place(header) | directions(cosines)
    up = np.cross(placed["row"], placed["column"]) * gap
    for index in range(count):
        at = tuple((np.array(position) + index * up).tolist())
        yield Slice(path, **common | placed | order(header) | {"frame": index if count > 1 else None, "position": at})


def _in_time(path: Path, header: Header, common: dict[str, Any], count: int) -> Iterator[Slice]:
    """Frames of which nothing but their order is known: a film."""
    placed, ordered = place(header), order(header)
    for index in range(count):
        yield Slice(
            path,
            **common | placed | ordered | {"frame": index, "position": (), "film": count > 1},
        )
