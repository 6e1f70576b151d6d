"""DICOM objects that hold labels: segmentations, read and written, and structure sets, read."""

from __future__ import annotations

from napari_resmed.io.dicom.objects.read import (
    is_fractional,
    parts_of,
    read_fraction,
    read_object,
    read_objects,
    read_part,
)
from napari_resmed.io.dicom.objects.write import write_segmentation

__all__ = [
    "is_fractional",
    "parts_of",
    "read_fraction",
    "read_object",
    "read_objects",
    "read_part",
    "write_segmentation",
]
