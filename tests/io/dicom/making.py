"""Series that tests make and then bend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from napari_resmed import geometry
from napari_resmed.io.dicom.write import write_series
from napari_resmed.volume import Volume

__all__ = ["AFFINE", "bundled", "change", "make_series", "ramp"]

AFFINE = geometry.compose((10, -20, 30), (3, 1.5, 0.7))


def ramp(shape: tuple[int, ...] = (6, 5, 4)) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def make_series(folder: Path, shape: tuple[int, ...] = (6, 5, 4)) -> Path:
    """Slices 3 mm apart, rows 1.5 mm, columns 0.7 mm; values are their own numbers."""
    write_series(Volume(ramp(shape), AFFINE, modality="MR", meta={"format": "DICOM", "description": "ramp"}), folder)
    return folder


def change(file: Path, edit: Callable[[Dataset], None], to: Path | None = None) -> None:
    data = pydicom.dcmread(file)
    edit(data)
    data.save_as(to or file)


def bundled(name: str) -> Path:
    """One of the files that pydicom's package carries."""
    return Path(str(get_testdata_file(name, download=False)))
