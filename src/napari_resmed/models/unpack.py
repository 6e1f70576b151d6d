"""Taking the files that count out of a zip archive somebody sent."""

from __future__ import annotations

import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import reason

__all__ = ["unpack_some"]


def unpack_some(source: Path, place: Path, counts: Callable[[PurePosixPath], bool]) -> None:
    """Unpack the files that count, whatever else is in it; never out of ``place``.

    Parameters
    ----------
    source:
        The archive.
    place:
        A folder that is there.
    counts:
        Whether a file is wanted, by its path in the archive.

    Raises
    ------
    InputError
        If it is no whole zip archive.
    WorkError
        If writing fails.
    """
    try:
        with zipfile.ZipFile(source) as packed:
            for entry in packed.infolist():
                path = PurePosixPath(entry.filename)
                if entry.is_dir() or not counts(path) or _leads_out(path):
                    continue
                target = place.joinpath(*path.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as inner, target.open("wb") as out:
                    shutil.copyfileobj(inner, out)
    except OSError as problem:
        raise WorkError(f"could not unpack {source.name}: {reason(problem)}") from problem
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        RuntimeError,
        EOFError,
        NotImplementedError,
    ) as problem:
        raise InputError(f"{source.name} cannot be unpacked: {problem}; get the file anew") from problem


def _leads_out(path: PurePosixPath) -> bool:
    """Whether a path of an archive lies elsewhere than in its folder, on whatever system: ``D:`` is a drive on one."""
    return path.is_absolute() or any(part == ".." or ":" in part or "\\" in part for part in path.parts)
