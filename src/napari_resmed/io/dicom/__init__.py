"""DICOM: which series there are, reading one, looking at one, writing one."""

from __future__ import annotations

from napari_resmed.io.dicom.describe import describe
from napari_resmed.io.dicom.find import find_series
from napari_resmed.io.dicom.preview import preview
from napari_resmed.io.dicom.read import read_series
from napari_resmed.io.dicom.series import Series
from napari_resmed.io.dicom.write import write_series

__all__ = ["Series", "describe", "find_series", "preview", "read_series", "write_series"]
