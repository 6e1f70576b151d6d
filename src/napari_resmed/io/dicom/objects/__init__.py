"""DICOM objects that hold labels: segmentations, read and written, and structure sets, read."""

from __future__ import annotations

from napari_resmed.io.dicom.objects.read import is_fractional, read_fraction, read_object, read_objects
from napari_resmed.io.dicom.objects.write import write_segmentation

__all__ = ["is_fractional", "read_fraction", "read_object", "read_objects", "write_segmentation"]
