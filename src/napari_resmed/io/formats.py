"""Which file is of which format, by its name or its first bytes."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.io.archive import is_archive
from napari_resmed.io.image_file import ENDINGS as IMAGE_ENDINGS
from napari_resmed.io.image_file import is_image_name
from napari_resmed.io.seg_nrrd import SUFFIX as SEGMENTS_SUFFIX

__all__ = ["CHOOSE_ONE", "DICOM_SUFFIXES", "ENDINGS", "HOLDS_SEVERAL", "is_dicom", "is_readable", "is_study", "stem"]

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# What a file that holds several label maps ends in.
HOLDS_SEVERAL = (SEGMENTS_SUFFIX, *DICOM_SUFFIXES)
# What to do where one path holds several: not every command takes a series.
CHOOSE_ONE = "choose one with --series, or save one by itself with napari-resmed convert --series"
# What an image file's name may end in; the longest of those that fit stands first.
ENDINGS = (SEGMENTS_SUFFIX, *IMAGE_ENDINGS, *DICOM_SUFFIXES)


def stem(name: str) -> str:
    """A file's name without the ending of an image; ``.nii.gz`` is one ending."""
    ending = next((one for one in ENDINGS if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)]


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its mark at byte 128, or by its suffix where the mark is missing."""
    try:
        with path.open("rb") as file:
            file.seek(128)
            return file.read(4) == b"DICM" or path.suffix.lower() in DICOM_SUFFIXES
    except OSError:
        return False


def is_study(path: Path) -> bool:
    """Whether a file is DICOM, an index of such files, or an archive that may hold some."""
    return is_dicom(path) or is_archive(path)


def is_readable(path: Path) -> bool:
    """Whether the name is that of an image file that can be read, or the file is DICOM or a zip archive."""
    return is_image_name(path) or is_study(path)
