"""Where a classic single image lies, how its values are scaled, and what sets it apart from others."""

from __future__ import annotations

import math
import re
from typing import Any

from napari_resmed.io.dicom.header import Header
from napari_resmed.io.dicom.values import Malformed, number, numbers, text
from napari_resmed.io.dicom.vendor import b_value, part

__all__ = ["contrast", "directions", "echo_time", "order", "place", "positive", "scale"]

# Direction vectors may be this much off length 1: cosines printed with two digits are off by 0.005 each.
_LENGTH_OFF = 0.02
# PhysicalUnitsXDirection (0018,6024) of an ultrasound region, PS3.3 C.8.5.5.1.15.
_CENTIMETRES = 3
_PLANE = 1  # RegionSpatialFormat of an image, as against a curve in time
# Siemens numbers echoes among the words of ImageType too.
_ECHO = re.compile(r"(?:ECHO_|TE)(\d+)")


def place(header: Header) -> dict[str, Any]:
    """Where a classic image lies, and how its values are scaled."""
    spacing = numbers(header, "PixelSpacing", 2)
    # Projection radiographs give the spacing at the detector instead, a scanner's bed or ultrasound its own.
    at_detector = () if spacing else numbers(header, "ImagerPixelSpacing", 2)
    other = () if spacing or at_detector else numbers(header, "NominalScannedPixelSpacing", 2) or _ultrasound(header)
    return {
        **directions(numbers(header, "ImageOrientationPatient", 6)),
        **scale(header),
        "position": numbers(header, "ImagePositionPatient", 3),
        "spacing_mm": positive(spacing or at_detector or other),
        "spacing_at_detector": bool(at_detector),
        "thickness_mm": number(header, "SliceThickness"),
        "slice_gap_mm": number(header, "SpacingBetweenSlices"),
    }


def order(header: Header) -> dict[str, Any]:
    """Collect what sets a classic image apart from others at the same place."""
    units = text(header, "Units") or text(header, "RescaleType")
    described = contrast(text(header, "ImageType"), part(header), units)
    return {
        **described,
        "echo_number": text(header, "EchoNumbers") or described["echo_number"],
        "echo_time_ms": echo_time(header, "EchoTime"),
        "times": (
            *(number(header, key) for key in ("TemporalPositionIdentifier", "TriggerTime")),
            b_value(header),
            *(number(header, key) for key in ("AcquisitionNumber", "InstanceNumber")),
            *(_clock(header, key) for key in ("AcquisitionTime", "ContentTime")),
            number(header, "FrameReferenceTime"),
        ),
    }


def contrast(image_type: str, part: str, units: str) -> dict[str, Any]:
    """Describe what makes another image of the same place another series; echoes are told apart by themselves."""
    words = image_type.split("\\")
    numbers = [found[1] for word in words if (found := _ECHO.fullmatch(word))]
    kept = "\\".join(word for word in words if not _ECHO.fullmatch(word))
    # "US" is "unspecified".
    return {"contrast": (kept, part, units.removeprefix("US")), "echo_number": numbers[0] if numbers else ""}


def echo_time(header: Any, tag: str) -> float | None:
    """The echo time in ms: two digits, for some scanners print it differently from slice to slice."""
    stated = number(header, tag)
    return None if stated is None else round(stated, 2)


def directions(cosines: tuple[float, ...]) -> dict[str, Any]:
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


def scale(source: Any) -> dict[str, float]:
    """How values become what they mean."""
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    dose = number(source, "DoseGridScaling")
    if dose:
        return {"slope": dose, "intercept": 0.0}
    # A slope of 0 would flatten the image: GDCM and others take it for "unsaid", and so do we.
    return {"slope": slope or 1.0, "intercept": intercept or 0.0}


def positive(spacing: tuple[float, ...]) -> tuple[float, ...]:
    """The spacing, if it is one."""
    if spacing and min(spacing) <= 0:
        raise Malformed(f"found a pixel spacing of {list(spacing)} mm, expected two lengths above 0")
    return spacing


def _clock(header: Header, tag: str) -> float | None:
    """A time of day as a number that grows."""
    clock = text(header, tag).replace(":", "")
    return float(clock) if clock.isascii() and clock.replace(".", "", 1).isdecimal() else None


def _ultrasound(header: Header) -> tuple[float, ...]:
    """Spacing of the regions that are pictures in space, if they agree (PS3.3 C.8.5.5)."""
    found = set()
    for region in header.get("SequenceOfUltrasoundRegions") or ():
        units = (number(region, "PhysicalUnitsXDirection"), number(region, "PhysicalUnitsYDirection"))
        steps = [number(region, key) or 0.0 for key in ("PhysicalDeltaY", "PhysicalDeltaX")]
        if number(region, "RegionSpatialFormat") == _PLANE and set(units) == {_CENTIMETRES} and all(steps):
            found.add(tuple(round(abs(step) * 10, 9) for step in steps))
    return found.pop() if len(found) == 1 else ()
