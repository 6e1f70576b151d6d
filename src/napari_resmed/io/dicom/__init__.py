"""DICOM: which series there are, reading one, looking at one, writing one.

Its libraries are loaded on first use: who reads NIfTI needs none of them, and they take an eighth of a gigabyte.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_resmed.io.dicom.description import describe
    from napari_resmed.io.dicom.find import find_series
    from napari_resmed.io.dicom.read import read_series
    from napari_resmed.io.dicom.series import Series
    from napari_resmed.io.dicom.thumbnail import preview
    from napari_resmed.io.dicom.write import check_folder, write_series

# No module may be called like a function here: once it is loaded, its name would be the module's.
_HOMES = {
    "Series": "series",
    "check_folder": "write",
    "describe": "description",
    "find_series": "find",
    "preview": "thumbnail",
    "read_series": "read",
    "write_series": "write",
}

__all__ = ["Series", "check_folder", "describe", "find_series", "preview", "read_series", "write_series"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"napari_resmed.io.dicom.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
