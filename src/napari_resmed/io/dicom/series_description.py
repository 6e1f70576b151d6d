"""What a series that is written is called."""

from __future__ import annotations

from napari_resmed.io.dicom.values import one_line
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["series_description"]


def series_description(volume: Volume) -> str:
    """A SeriesDescription: that of the DICOM it was read from, the model that made it, or what kind of thing it is.

    Never the volume's name: that is most often a file's, and files are named after patients.
    """
    made_by = volume.meta.get("made_by") or {}
    said = volume.meta.get("description") if str(volume.meta.get("format", "")).startswith("DICOM") else ""
    said = made_by.get("model") or said
    return one_line(str(said or "")) or ("Segmentation" if isinstance(volume, LabelMap) else "Image")
