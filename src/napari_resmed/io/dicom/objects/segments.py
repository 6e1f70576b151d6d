"""Segment descriptions to labels and back: names, colours, codes (PS3.3 C.8.20.4, PS3.16 CID 7150 and 7151)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from napari_resmed.io.dicom.values import text
from napari_resmed.io.terms import stated
from napari_resmed.labels import Code, Label, LabelSet, default_colour

__all__ = ["code_of", "labels_of", "noted_values", "renumbered", "value_note"]

# A binary segmentation numbers its segments from 1; the value that one had in the label map stands in its description.
_VALUE_NOTE = re.compile(r"Value (\d+) in the label map\.?")


def labels_of(segments: Sequence[Any]) -> LabelSet:
    """Labels of a SegmentSequence; values are segment numbers. A background item (number 0) is left out."""
    return LabelSet(tuple(_label(segment) for segment in segments if int(segment.SegmentNumber) > 0))


def value_note(value: int) -> str:
    """What to write into a SegmentDescription so that :func:`noted_values` finds the value again."""
    return f"Value {value} in the label map"


def noted_values(segments: Sequence[Any]) -> dict[int, int]:
    """The value that each segment had in the label map it was written from; empty unless all say so."""
    found = {int(s.SegmentNumber): _VALUE_NOTE.fullmatch(text(s, "SegmentDescription")) for s in segments}
    values = {number: int(match[1]) for number, match in found.items() if match}
    complete = len(values) == len(found) == len(set(values.values())) and min(values.values(), default=0) > 0
    return values if complete else {}


def renumbered(labels: LabelSet, values: dict[int, int]) -> LabelSet:
    """The labels with other values."""
    return LabelSet(tuple(replace(label, value=values[label.value]) for label in labels))


def _label(segment: Any) -> Label:
    number = int(segment.SegmentNumber)
    kind = _first(segment, "SegmentedPropertyTypeCodeSequence")
    region = _first(segment, "AnatomicRegionSequence")
    code, category = code_of(kind), code_of(_first(segment, "SegmentedPropertyCategoryCodeSequence"))
    category, code = stated(category, code)
    return Label(
        number,
        text(segment, "SegmentLabel") or (code.meaning if code else f"segment {number}"),
        _colour(segment, number),
        code,
        category,
        code_of(_first(kind, "SegmentedPropertyTypeModifierCodeSequence")),
        code_of(region),
        code_of(_first(region, "AnatomicRegionModifierSequence")),
    )


def _first(item: Any, sequence: str) -> Any:
    items = item.get(sequence) if item is not None else None
    return items[0] if items else None


def code_of(item: Any) -> Code | None:
    """The term of a code sequence's item; None where there is none."""
    if item is None:
        return None
    value = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
    return Code(text(item, "CodingSchemeDesignator"), value, text(item, "CodeMeaning")) if value else None


def _colour(segment: Any, number: int) -> tuple[int, int, int]:
    from highdicom.color import CIELabColor

    try:
        stored = [int(part) for part in segment.get("RecommendedDisplayCIELabValue") or ()]
        # Colours that no screen shows are shown as the nearest that one does.
        red, green, blue = CIELabColor.from_dicom_value(stored).to_rgb(clip=True)
        return round(red), round(green), round(blue)
    except (TypeError, ValueError):
        return default_colour(number)
