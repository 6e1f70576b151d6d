"""Which files are behind a path: a folder's, a list's, those that a DICOMDIR names, those in a zip archive."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.archive import is_archive
from napari_resmed.io.below import files_below
from napari_resmed.io.dicom.header import may_be_dicom

__all__ = ["Place", "files_behind"]

# A study on a disc has some thousand files and some GB; what claims far more is a bomb or a mistake.
MOST_MEMBERS = 200_000
MOST_BYTES = 64 * 2**30
# Deflate's own limit is 1032:1, and images reach 3:1; only what repeats itself goes far beyond this.
MOST_RATIO = 200
_RATIO_FROM_BYTES = 64 * 2**20
_CHUNK = 2**20
_DICOMDIR = "DICOMDIR"


@dataclass(frozen=True)
class Place:
    """Files to be looked at, what to call the place, what should be said of it; ``keep`` as long as they live."""

    files: list[Path]
    name: str
    warnings: tuple[str, ...] = ()
    keep: object = None


def files_behind(path: Path | str | Sequence[Path | str]) -> Place | None:
    """List the files behind a path, in order; None for a single file that is none of a kind known here.

    Raises
    ------
    InputError
        If nothing is there, or an archive or a DICOMDIR is damaged or unsafe.
    """
    if not isinstance(path, Path | str):
        files = [Path(one) for one in path]
        for file in files:
            if not file.is_file():
                raise InputError(f"found no file {file.name}, expected DICOM files; check the list")
        return Place(files, "the list")
    place = Path(path)
    if place.is_dir():
        return Place(sorted(files_below(place)), "the folder")
    if not place.is_file():
        raise InputError(f"found neither a file nor a folder {place.name}; check the path")
    if place.name.upper() == _DICOMDIR:
        return _listed(place)
    if is_archive(place):
        return _unpacked(place)
    return None


def _listed(index: Path) -> Place:
    """The files that a DICOMDIR names (PS3.3 F.3), as far as they lie below its folder."""
    damaged = f"{index.name} is no index of DICOM files, or damaged; choose its folder instead"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = pydicom.dcmread(index, specific_tags=["DirectoryRecordSequence"]).DirectoryRecordSequence
            named = [record.get("ReferencedFileID") for record in records]
    except Exception as problem:  # pydicom meets a broken file with any of a dozen kinds
        raise InputError(damaged) from problem
    root = index.parent.resolve()
    files: dict[Path, None] = {}
    absent = 0
    for value in named:
        if not value:
            continue
        parts = [value] if isinstance(value, str) else list(value)
        file = _inside(root, index.parent, [str(part) for part in parts])
        if file is None:
            absent += 1
        else:
            files[file] = None
    if not files:
        raise InputError(
            f"found none of the {absent} files that {index.name} names, expected them beside it; copy the whole disc"
        )
    notes = []
    if absent:
        notes.append(
            f"{absent} of {absent + len(files)} files that {index.name} names are not there: slices may be missing"
        )
    known = {file.resolve() for file in files} | {index.resolve()}
    more = sum(_looks_like_dicom(file) for file in files_below(index.parent) if file.resolve() not in known)
    if more:
        notes.append(
            f"{index.name} names {len(files)} files, and leaves out {more} DICOM files that lie beside them: slices "
            "may be missing; choose its folder to see all"
        )
    return Place(list(files), index.name, tuple(notes))


def _looks_like_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _inside(root: Path, folder: Path, parts: list[str]) -> Path | None:
    """The file, if it is there and below the folder; discs are often copied with their names in small letters."""
    for tried in (parts, [part.lower() for part in parts]):
        try:
            file = folder.joinpath(*tried)
            if file.is_file() and file.resolve().is_relative_to(root):
                return file
        except (OSError, ValueError):
            continue
    return None


def _unpacked(archive: Path) -> Place:
    """Unpack into a folder of ours, which goes when nobody holds ``keep`` any more.

    Members get names of our making, so that none leaves the folder; sizes are limited by what the archive
    declares and, while unpacking, by what comes out.
    """
    again = f"{archive.name} is a damaged archive; copy it again, or unpack it and choose the folder"
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [one for one in opened.infolist() if not one.is_dir()]
            _check_sizes(archive, members)
            keep = tempfile.TemporaryDirectory(prefix="resmed-study-")
            free = shutil.disk_usage(keep.name).free
            declared = sum(one.file_size for one in members)
            if declared > free:
                raise WorkError(
                    f"{archive.name} unpacks to {declared / 2**30:.1f} GB, {free / 2**30:.1f} GB are free; make space"
                )
            folders: dict[str, Path] = {}
            files = [file for one in members if (file := _extract(opened, one, Path(keep.name), folders)) is not None]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError, ValueError) as problem:
        raise InputError(again) from problem
    except RuntimeError as problem:
        raise InputError(f"{archive.name} is locked with a password; unpack it and choose the folder") from problem
    except OSError as problem:
        raise WorkError(f"{archive.name} cannot be unpacked ({problem.strerror}); check disk and space") from problem
    except Exception as problem:  # zlib, lzma and bz2 each have an error of their own
        if isinstance(problem, InputError | WorkError):
            raise
        raise InputError(again) from problem
    return Place(files, archive.name, keep=keep)


def _check_sizes(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    declared = sum(one.file_size for one in members)
    packed = archive.stat().st_size
    if len(members) > MOST_MEMBERS or declared > MOST_BYTES:
        raise InputError(
            f"{archive.name} holds {len(members)} files of {declared / 2**30:.1f} GB, expected {MOST_MEMBERS} and "
            f"{MOST_BYTES // 2**30} GB at most; unpack it and choose the folder"
        )
    if declared > max(_RATIO_FROM_BYTES, MOST_RATIO * packed):
        raise InputError(
            f"{archive.name} would unpack to {declared / packed:.0f} times its size, expected {MOST_RATIO} at most, as "
            "images do; it looks like a bomb and is left alone"
        )


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, into: Path, folders: dict[str, Path]) -> Path | None:
    """One member, if it is no hidden file; never more bytes than it declares."""
    where, _, name = member.filename.replace("\\", "/").rpartition("/")
    if not name or name.startswith(".") or "__MACOSX" in where:
        return None
    folder = folders.get(where)
    if folder is None:
        folder = folders[where] = into / f"{len(folders):05d}"
        folder.mkdir()
    file = folder / (re.sub(r"[^\w.+-]", "_", name)[-100:] or "file")
    while file.exists():
        file = file.with_name("again_" + file.name)
    left = member.file_size
    with opened.open(member) as source:
        chunk = source.read(_CHUNK)
        if not may_be_dicom(chunk):
            return None
        with file.open("wb") as target:
            while chunk:
                left -= len(chunk)
                if left < 0:
                    raise zipfile.BadZipFile("more than declared")
                target.write(chunk)
                chunk = source.read(_CHUNK)
    return file
