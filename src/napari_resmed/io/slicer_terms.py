"""3D Slicer's terminology entries: a segment's category, type, modifier and region as one string.

The format is described in Slicer's developer guide under "Segmentations" and "Terminologies".
"""

from __future__ import annotations

import re

from napari_resmed.io.terms import SLICERS_STRUCTURE, stated, to_state
from napari_resmed.labels import Code, Label

__all__ = ["codes_of", "terminology_entry"]

# The lists that Slicer takes its terms from; it shows a term of another list as well, without the list's colours.
_TYPES = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"
_SEPARATORS = re.compile(r"[~^|:\r\n]+")


def terminology_entry(label: Label) -> str:
    """The entry of a label; of one that nothing is known of, Slicer's own "Tissue"."""
    parts = [_TYPES, *to_state(label, SLICERS_STRUCTURE), label.modifier, _REGIONS, label.region, label.region_modifier]
    return "~".join(part if isinstance(part, str) else _triplet(part) for part in parts)


def codes_of(entry: str) -> dict[str, Code | None]:
    """The terms of an entry by their names in :class:`~napari_resmed.labels.Label`; none of one that is damaged."""
    parts = entry.split("~")
    if len(parts) < 7:
        return {}
    names = {"category": 1, "code": 2, "modifier": 3, "region": 5, "region_modifier": 6}
    codes: dict[str, Code | None] = {name: _code(parts[place]) for name, place in names.items()}
    codes["category"], codes["code"] = stated(codes["category"], codes["code"])
    return codes


def _code(triplet: str) -> Code | None:
    parts = [part.strip() for part in triplet.split("^")]
    return Code(*parts) if len(parts) == 3 and parts[1] else None


def _triplet(code: Code | None) -> str:
    if code is None:
        return "^^"
    return "^".join(_SEPARATORS.sub(" ", part).strip() for part in (code.scheme, code.value, code.meaning))
