"""Where a project of a folder of images lies: proposed, and found again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.project.index import read_index
from napari_resmed.io.project.layout import INDEX
from napari_resmed.io.project.origin import fingerprint_of
from napari_resmed.io.project.sources import find_sources, images_folder, is_all_dicom

__all__ = ["find_project_of", "suggest_folder"]

# nnU-Net's own data sets have numbers up to 500 by custom.
FIRST_NUMBER = 501
# Names of folders that say nothing of what is in them.
_PLAIN_NAMES = ("images", "imagestr", "imagests", "data", "nifti", "dicom", "raw")
_NAMELESS = "cases"


def suggest_folder(images: Path) -> Path:
    """A place for a project, beside the folder of images, with a name that nnU-Net takes: ``Dataset501_liver``.

    A folder of DICOM alone gives it no name, for it may be called like the patient.
    """
    root = images_folder(images)
    subject = root if root.name.lower() not in _PLAIN_NAMES else root.parent
    name = "".join(letter if letter.isalnum() else "_" for letter in subject.name).strip("_")
    if not name or is_all_dicom(images):
        name = _NAMELESS
    place = root.parent if root == images else images
    place = place if place != subject else subject.parent
    taken = {path.name.split("_")[0] for path in place.glob("Dataset*")}
    number = next(number for number in range(FIRST_NUMBER, 10_000) if f"Dataset{number}" not in taken)
    return place / f"Dataset{number}_{name}"


def find_project_of(images: Path) -> Path | None:
    """The project that was made of a folder of images before, if it lies where :func:`suggest_folder` puts one.

    One of DICOM alone does not say what folder that was; it is known by its series.
    """
    series: set[str] | None = None
    for folder in sorted(suggest_folder(images).parent.glob("Dataset*")):
        if not (folder / INDEX).is_file():
            continue
        with suppress(InputError, OSError):
            index = read_index(folder)
            if index.source:
                if (folder / index.source).resolve() == images.resolve():
                    return folder
                continue
            if series is None:
                series = _series_of(images)
            if series & {record.fingerprint for record in index.cases.values()}:
                return folder
    return None


def _series_of(images: Path) -> set[str]:
    try:
        return {fingerprint_of(source) for source in find_sources(images) if source.series is not None} - {""}
    except InputError:
        return set()
