"""Which DICOM series there are, by their headers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.headers import read_slices
from napari_resmed.io.dicom.places import files_behind
from napari_resmed.io.dicom.series import Series, series_of
from napari_resmed.io.dicom.slice import Slice

__all__ = ["find_series"]

# Often enough for a bar that moves, and for a cancel that is felt at once.
_PROGRESS_EVERY = 20

Progress = Callable[[int, int], object]


def find_series(path: Path | str | Sequence[Path | str], progress: Progress | None = None) -> list[Series]:
    """List the series in a folder and all folders below it, around one file, among files, or in an archive.

    Only headers are read. For a single file the answer is what its folder holds of the series it belongs to; for
    a DICOMDIR the files that it names; a zip archive is unpacked into a folder that goes when the last of its
    series is forgotten.

    Parameters
    ----------
    path:
        A folder, a file, a DICOMDIR, a zip archive, or a list of files.
    progress:
        Called now and then with the number of files done and of all; what it raises stops the search.

    Returns
    -------
    list of Series
        At least one, in order of files; those that cannot be read have a ``problem``.

    Raises
    ------
    InputError
        If nothing is there, nothing of it is DICOM, or an archive is damaged or unsafe.
    WorkError
        If an archive cannot be unpacked for want of space.
    """
    place = files_behind(path)
    if place is None:
        return _around(Path(path), progress)  # type: ignore[arg-type]
    slices = _read_all(place.files, progress)
    if not slices:
        count = len(place.files)
        found = f"{count} file{'s' if count != 1 else ''}, none of them a DICOM image" if count else "no file"
        raise InputError(f"found {found} in {place.name}, expected DICOM files; choose the folder of a series")
    found_series = series_of(slices)
    if place.warnings or place.keep is not None:
        found_series = [
            replace(series, keep=place.keep, warnings=(*place.warnings, *series.warnings)) for series in found_series
        ]
    return found_series


def _around(file: Path, progress: Progress | None) -> list[Series]:
    """List the series of one file: what its folder holds of it."""
    own = read_slices(file)
    if not own:
        raise InputError(f"{file.name} is not a DICOM file; choose a DICOM file or the folder that holds a series")
    uids = {image.series_uid for image in own}
    beside = [other for other in sorted(file.parent.iterdir()) if other.is_file() and other.name != file.name]
    others = [image for image in _read_all(beside, progress) if image.series_uid in uids]
    return [series for series in series_of([*own, *others]) if file in series.files]


def _read_all(files: Sequence[Path], progress: Progress | None) -> list[Slice]:
    slices: list[Slice] = []
    for done, file in enumerate(files):
        if progress is not None and done % _PROGRESS_EVERY == 0:
            progress(done, len(files))
        slices += read_slices(file)
    if progress is not None:
        progress(len(files), len(files))
    return slices
