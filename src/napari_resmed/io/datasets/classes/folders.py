"""A folder per class, with its images; around them, where wanted, the folders train, validation and test."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.io.datasets.found import Found, a_few
from napari_resmed.io.datasets.rows import split_of
from napari_resmed.io.files import is_dicom
from napari_resmed.io.image_file import SECOND_HALVES, is_image_name
from napari_resmed.io.pictures import is_picture
from napari_resmed.io.provenance import NOTE, is_heat_map

__all__ = ["find"]


def find(folder: Path) -> Found | None:
    """The cases, or None where this is another layout.

    A file is a case, and so is a folder of DICOM files within a class.
    """
    parts = {inside: split_of(inside.name) for inside in _folders(folder)}
    if parts and all(parts.values()):
        found = [(split, place) for inside, split in parts.items() for place in _folders(inside)]
    else:
        found = [("", place) for place in _folders(folder)]
    cases: list[Case] = []
    strangers: list[str] = []
    for split, place in found:
        for entry in sorted(place.iterdir()):
            if entry.name.startswith(".") or is_heat_map(entry) or is_heat_map(_noted(entry)):
                continue
            if _is_case(entry):
                name = f"{place.name}/{entry.name}"
                cases.append(Case(f"{split}/{name}" if split else name, (entry,), split=split, class_name=place.name))
            elif not entry.name.lower().endswith(SECOND_HALVES):
                strangers.append(f"{place.name}/{entry.name}")
    if not cases:
        return None
    notes = [f"left out, as they are no images: {a_few(strangers)}"] if strangers else []
    notes.append("every file counts as a patient of its own; a CSV with a column patient says which belong together")
    return Found(tuple(cases), notes=tuple(notes))


def _noted(entry: Path) -> Path:
    """The file that a note of this program lies beside."""
    return entry.with_name(entry.name.removesuffix(NOTE))


def _folders(folder: Path) -> list[Path]:
    return sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))


def _is_case(entry: Path) -> bool:
    if entry.is_dir():
        return any(is_dicom(file) for file in sorted(entry.iterdir()) if file.is_file())
    if entry.name.lower().endswith(SECOND_HALVES):
        return False  # its header stands for the pair
    return is_picture(entry) or is_image_name(entry) or is_dicom(entry)
