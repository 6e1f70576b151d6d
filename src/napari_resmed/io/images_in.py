"""The images that paths stand for: files, folders of them, folders of DICOM files, archives of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.archives import SUFFIX, array_names, read_array
from napari_resmed.io.files import is_dicom
from napari_resmed.io.image_file import SECOND_HALVES, is_image_name
from napari_resmed.io.pictures import is_picture
from napari_resmed.io.provenance import is_heat_map

__all__ = ["images_in"]

_IMAGES = "_images"


def images_in(paths: Sequence[Path]) -> list[Path]:
    """Every image that is meant, in natural order of the folders; each once.

    A folder that holds DICOM files is one image; other image files beside them are images of their own. Of other
    folders, every image file in it and below it, but no heat maps of earlier answers.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist")
        inside = list(_in_folder(path)) if path.is_dir() else list(_in_file(path))
        if not inside:
            raise InputError(f"{path} holds no image; expected NIfTI, NRRD, MetaImage, DICOM, PNG, JPEG or TIFF files")
        found.update(dict.fromkeys(inside))
    return list(found)


def _in_file(path: Path) -> Iterator[Path]:
    if path.suffix.lower() != SUFFIX:
        yield path
        return
    for name in array_names(path):
        if name.endswith(_IMAGES):
            part = path.absolute() / name.removesuffix(_IMAGES)
            yield from (part / str(number) for number in range(len(read_array(path.absolute(), name))))


def _in_folder(folder: Path) -> Iterator[Path]:
    files = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    named = [
        entry
        for entry in files
        if entry.is_file() and (is_picture(entry) or is_image_name(entry)) and not is_heat_map(entry)
    ]
    images = set(named)
    holds_dicom = any(is_dicom(entry) for entry in files if entry.is_file() and entry not in images)
    if holds_dicom:
        yield folder
    yield from (entry for entry in named if not entry.name.lower().endswith(SECOND_HALVES))
    if named or not holds_dicom:  # what lies below DICOM alone is of the same study
        for entry in files:
            if entry.is_dir():
                yield from _in_folder(entry)
