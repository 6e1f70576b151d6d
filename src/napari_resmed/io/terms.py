"""What a file says of a structure that nothing is known of.

DICOM and Slicer want a category and a type for every segment. Where a label has none, it is written as these, and
reading takes them for nothing stated, so that a label comes back as it was.
"""

from __future__ import annotations

from napari_resmed.labels import Code, Label

__all__ = ["SLICERS_STRUCTURE", "STRUCTURE", "TISSUE", "stated", "to_state"]

TISSUE = Code("SCT", "85756007", "Tissue")
# The category of a structure that is named: today's term (PS3.16 CID 7150), and that of older files and Slicer.
STRUCTURE = Code("SCT", "91723000", "Anatomical Structure")
SLICERS_STRUCTURE = Code("SCT", "123037004", "Anatomical Structure")
_STRUCTURES = {STRUCTURE.value, SLICERS_STRUCTURE.value}


def to_state(label: Label, structure: Code = STRUCTURE) -> tuple[Code, Code]:
    """Category and type of a label for a file that must have both."""
    return label.category or (structure if label.code else TISSUE), label.code or TISSUE


def stated(category: Code | None, kind: Code | None) -> tuple[Code | None, Code | None]:
    """Category and type as a file means them: None for what stands there because something must."""
    if kind is not None and kind.value == TISSUE.value and (category is None or category.value == TISSUE.value):
        return None, None
    return (None if category is not None and kind is not None and category.value in _STRUCTURES else category), kind
