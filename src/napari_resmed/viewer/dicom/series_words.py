"""What a list says of a DICOM series."""

from __future__ import annotations

from napari_resmed.io.dicom import Series
from napari_resmed.viewer.parts.series_volumes import can_open

__all__ = ["REMEDIES", "images_line", "notes_of", "size_line", "title_of"]

# What a button says that opens an irregular series all the same, and what it does.
REMEDIES = {
    "largest_block": ("Open the largest even part", "The longest run of evenly spaced slices; the others are left out"),
    "resample": ("Open resampled", "All slices, put on even distances by interpolation between neighbours"),
}
_KINDS = {"labels": "segmentation", "other": "not an image"}


def title_of(series: Series) -> str:
    """What the scanner's operator called it, or what it is."""
    return series.description.strip() or f"{series.modality or 'DICOM'} without description"


def images_line(series: Series) -> str:
    """Modality, how many images, and their size as columns x rows x slices."""
    words = [series.modality]
    if series.kind == "image":
        number = len(series.slices) or len(series.files)
        words.append(f"{number} image{'s' * (number != 1)}")
    else:
        words.append(_KINDS[series.kind])
    if series.shape:
        slices, rows, columns = series.shape[-3:]
        words.append(f"{columns}×{rows}" + (f"×{slices}" if slices > 1 else ""))
    return " · ".join(word for word in words if word)


def size_line(series: Series) -> str:
    """The voxel's edges as columns x rows x slices, what else it is, and whether there is something to know."""
    words = []
    if series.shape:
        dz, dy, dx = series.spacing_mm
        deep = series.shape[-3] > 1
        words.append(f"{dx:.3g}×{dy:.3g}" + (f"×{dz:.3g} mm" if deep else " mm"))
    if "t" in series.axes:
        words.append(series.times)
    if "c" in series.axes:
        words.append("colour")
    if not can_open(series):
        words.append("uneven, needs your choice" if series.remedies else "cannot be opened")
    elif series.warnings:
        words.append(f"{len(series.warnings)} note{'s' * (len(series.warnings) != 1)}")
    return " · ".join(words)


def notes_of(series: Series) -> list[str]:
    """Everything a person should know before opening it, a sentence each; the reason why it cannot be comes first."""
    notes = [] if can_open(series) else [series.problem]
    return [note[:1].upper() + note[1:].rstrip(".") + "." for note in (*notes, *series.warnings)]
