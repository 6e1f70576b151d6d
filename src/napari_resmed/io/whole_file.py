"""Writing that leaves a whole file, or folder, or none."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_resmed.errors import InputError, WorkError

# Asked for once, at import: asking sets it for a moment, for every thread of the process.
_UMASK = os.umask(0o077)
os.umask(_UMASK)

__all__ = ["check_place", "reason", "whole_file", "whole_folder"]


def check_place(path: Path) -> None:
    """Refuse, before any work is done, a place where nothing can be written.

    Raises
    ------
    InputError
        If the folder does not exist, is no folder, is not writable, or ``path`` itself is a folder.
    """
    folder = path.parent
    try:
        if not folder.exists():
            raise InputError(f"cannot write {path}: the folder {folder} does not exist; create it first")
        if not folder.is_dir():
            raise InputError(f"cannot write {path}: {folder} is a file, expected a folder")
        if path.is_dir():
            raise InputError(f"cannot write {path}: a folder of that name is there; choose a file name")
        # Asking the file system is the only sure answer: permission bits say nothing of read-only mounts.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise InputError(f"cannot write {path}: {reason(problem)}; choose another place") from problem


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well, else remove it.

    The temporary name keeps the suffix, which writers go by.

    Raises
    ------
    InputError
        If nothing can be written at that place.
    WorkError
        If writing fails half-way, e.g. because the disk is full.
    """
    check_place(path)
    suffix = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix
    handle, name = tempfile.mkstemp(suffix=suffix, prefix=".part-", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp makes files that only their owner can read; a result gets what any new file gets, or what the file
        # had that was there.
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_UMASK)
        part.replace(path)
    except OSError as problem:
        raise WorkError(f"could not write {path}: {reason(problem)}; nothing was left there") from problem
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``, which takes its place when the block ends well.

    What was there goes only when the new one is there.

    Raises
    ------
    WorkError
        If writing fails, e.g. because the disk is full; what was there is then as it was.
    """
    part = None
    try:
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.absolute().parent))
        yield part
        # mkdtemp makes folders that only their owner can open; a result gets what any new folder gets.
        part.chmod(0o777 & ~_UMASK)
        _swap(part, folder)
    except OSError as problem:
        raise WorkError(f"could not write {folder}: {reason(problem)}; nothing was left there") from problem
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, folder: Path) -> None:
    if not folder.exists():
        part.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.absolute().parent))
    folder.rename(old / "old")
    try:
        part.rename(folder)
    except OSError:
        (old / "old").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def reason(problem: OSError) -> str:
    """Why a file could not be written, in words."""
    if problem.errno == errno.ENOSPC:
        return "the disk is full"
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "writing is not allowed there"
    return (problem.strerror or str(problem)).lower()
