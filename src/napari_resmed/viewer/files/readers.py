"""Files and folders dropped on napari."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from napari_resmed.viewer.layers import LayerData

__all__ = ["get_folder_reader", "get_reader", "read_layers"]

Paths = str | list[str]
Reader = Callable[[Paths], list[LayerData] | list[tuple[None]]]
# A folder of images, or an archive of DICOM, starts with them; one whose first files are not is left to other readers.
FILES_TRIED = 40
# What stands at byte 128 of a DICOM file (PS3.10 7.1).
_MARK, _MARK_AT = b"DICM", 128


def get_reader(path: Paths) -> Reader | None:
    """The reader for image files; cheap, for napari asks on every drop."""
    from napari_resmed.io.files import is_readable

    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    # Of archives only those that begin with DICOM: zip is the wrapping of many other things.
    ours = (_is_archive(one) if one.suffix.lower() == ".zip" else is_readable(one) for one in paths)
    return read_layers if paths and all(ours) else None


def get_folder_reader(path: Paths) -> Reader | None:
    """The reader for a folder that holds DICOM or other image files."""
    from napari_resmed.io.below import files_below
    from napari_resmed.io.files import is_readable

    if not isinstance(path, str) or not Path(path).is_dir():
        return None
    return read_layers if any(is_readable(file) for file in islice(files_below(Path(path)), FILES_TRIED)) else None


def read_layers(path: Paths) -> list[LayerData] | list[tuple[None]]:
    """Read every image and every label map behind a path or a list of paths.

    What cannot be read is said in a notification, one sentence each, and the rest is shown.
    """
    from napari_resmed.viewer.files.read_files import read_files

    return read_files([Path(path)] if isinstance(path, str) else [Path(one) for one in path])


def _is_archive(path: Path) -> bool:
    """Whether a zip archive begins with DICOM files."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            members = (member for member in archive.infolist() if not member.is_dir())
            for member in islice(members, FILES_TRIED):
                with archive.open(member) as file:
                    if file.read(_MARK_AT + len(_MARK))[_MARK_AT:] == _MARK:
                        return True
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, NotImplementedError):
        return True  # damaged or locked: to be told by who reads archives
    return False
