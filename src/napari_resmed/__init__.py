"""Open a medical image, click Segment, correct, train.

Importing the package alone loads neither numpy nor torch; the public names below arrive on first use.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_resmed.io import read, write
    from napari_resmed.labels import Code, Label, LabelMap, LabelSet
    from napari_resmed.volume import Volume

try:
    __version__ = version("napari-resmed")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"

_HOMES = {
    "Code": "labels",
    "Label": "labels",
    "LabelMap": "labels",
    "LabelSet": "labels",
    "Volume": "volume",
    "read": "io",
    "write": "io",
}

__all__ = ["Code", "Label", "LabelMap", "LabelSet", "Volume", "__version__", "read", "write"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"napari_resmed.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
