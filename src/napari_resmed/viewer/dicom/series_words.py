"""What a list says of a DICOM series."""

from __future__ import annotations

from napari_resmed.io.dicom import Series

__all__ = ["REMEDIES", "images_line", "notes_of", "size_line", "title_of"]

# What a button says that opens an irregular series all the same, and what it does.
REMEDIES = {
    "largest_block": ("Open the largest even part", "The longest run of evenly spaced slices; the others are left out"),
    "resample": ("Open resampled", "All slices, put on even distances by interpolation between neighbours"),
}
_KINDS = {"labels": "segmentation", "other": "not an image"}


def title_of(series: Series) -> str:
    """What the scanner's operator called it, or what it is."""
    return series.description.strip() or f"{series.modality or 'DICOM'} series without a description"


def size_line(series: Series) -> str:
    """Modality, size as columns x rows x slices, and the voxel's edges in the same order."""
    if not series.shape:
        return " · ".join(word for word in (series.modality, _KINDS.get(series.kind, "irregular")) if word)
    slices, rows, columns = series.shape[-3:]
    dz, dy, dx = series.spacing_mm
    size, voxel = f"{columns}×{rows}", f"{dx:.3g}×{dy:.3g}"
    if slices > 1:
        size, voxel = f"{size}×{slices}", f"{voxel}×{dz:.3g}"
    return " · ".join(word for word in (series.modality, size, f"{voxel} mm") if word)


def images_line(series: Series) -> str:
    """How many images, what else they are, and whether there is something to know."""
    number = len(series.slices) or len(series.files)
    words = [f"{number} image{'s' * (number != 1)}" if series.kind == "image" else _files(series)]
    if "t" in series.axes:
        words.append(f"{series.shape[0]} times")
    if "c" in series.axes:
        words.append("colour")
    if series.problem:
        words.append("not as it is" if series.remedies else "cannot be opened")
    elif series.warnings:
        words.append(f"{len(series.warnings)} note{'s' * (len(series.warnings) != 1)}")
    return ", ".join(words)


def notes_of(series: Series) -> list[str]:
    """Everything a person should know before opening it, a sentence each; the reason why it cannot be comes first."""
    notes = [series.problem] if series.problem else []
    return [note[:1].upper() + note[1:].rstrip(".") + "." for note in (*notes, *series.warnings)]


def _files(series: Series) -> str:
    return f"{len(series.files)} file{'s' * (len(series.files) != 1)}"
