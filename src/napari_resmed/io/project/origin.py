"""Where a case-to-be came from, as far as a project may say it: of DICOM nothing that names a person."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.io.project.sources import Source

__all__ = ["fingerprint_of", "in_words", "place_of", "relative"]


def place_of(source: Source, project: Path) -> str:
    """Its file, relative to the project; empty of DICOM, as folders may be named after people."""
    return relative(source.files[0], project) if source.files else ""


def relative(path: Path, project: Path) -> str:
    """A path from the project on; empty where there is none, as on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), project.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return ""


def fingerprint_of(source: Source) -> str:
    """What tells a case-to-be from any other, wherever it lies: its series, or what is in its files.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    if source.fingerprint:
        return source.fingerprint
    contents = {path: _content(path) for path in source.told_by}
    if source.series is None:
        return hashlib.sha256(b"".join(contents.values())).hexdigest()
    images = sorted((contents[image.path], image.frame or 0) for image in source.series.slices)
    return hashlib.sha256(repr(images).encode()).hexdigest()


def _content(path: Path) -> bytes:
    """What tells a file's content from any other."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        raise InputError(f"{path.name} cannot be read: {why}") from problem


def in_words(problem: ResMedError, source: Source) -> str:
    """Why it cannot be used, fit for a project's files: without folders, and of DICOM without names of files."""
    text = str(problem)
    for file in (*source.files, *([source.labels] if source.labels else [])):
        text = text.replace(str(file), file.name)
    if source.series is None:
        return text
    names = sorted({file.name for file in source.series.files}, key=len, reverse=True)
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", "one of its files", text)
