"""Where a MONAI bundle lies: in a folder or a zip file, at the top or one folder further in."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from napari_resmed.errors import InputError
from napari_resmed.models.unpack import unpack_some

__all__ = ["Bundle", "is_bundle", "open_bundle"]

METADATA = Path("configs/metadata.json")
CONFIGURATIONS = ("inference.json", "inference.yaml", "inference.yml")
# Of a zip file only these are taken out: descriptions, weights, and what else expressions may load.
KEPT = {".json", ".yaml", ".yml", ".pt", ".pth", ".ts", ".md", ".txt", ""}
# A description is a few kB.
LARGEST_TEXT = 10_000_000


@dataclass(frozen=True)
class Bundle:
    """One bundle.

    Parameters
    ----------
    folder:
        Where it lies.
    called:
        The name of what a person chose.
    inference, metadata:
        What the two files hold.
    """

    folder: Path
    called: str
    inference: Mapping[str, Any]
    metadata: Mapping[str, Any]

    def text(self, *names: str) -> str:
        """The first of some files that is there, as text; empty where none is."""
        for name in names:
            path = self.folder / name
            if path.is_file() and path.stat().st_size < LARGEST_TEXT:
                return path.read_text(encoding="utf-8", errors="replace")
        return ""


def is_bundle(source: Path) -> bool:
    """Whether a folder or a zip file holds a MONAI bundle, as far as its names tell."""
    if source.is_dir():
        return _inside(source) is not None
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            return any(PurePosixPath(name).match(METADATA.as_posix()) for name in packed.namelist())
    return False


@contextmanager
def open_bundle(source: Path) -> Iterator[Bundle]:
    """Find the bundle in a folder or a zip file; of the file only while the block runs.

    Raises
    ------
    InputError
        If there is none, or a file of it is damaged.
    WorkError
        If a zip file cannot be unpacked for want of room.
    """
    if source.is_dir():
        yield _read(source, source.resolve().name)
    elif zipfile.is_zipfile(source):
        with tempfile.TemporaryDirectory(prefix="bundle-") as place:
            unpack_some(source, Path(place), lambda path: path.suffix in KEPT)
            yield _read(Path(place), source.name)
    else:
        found = "is neither a folder nor a zip file" if source.exists() else "does not exist"
        raise InputError(f"{source} {found}; expected a MONAI bundle, with configs/metadata.json")


def _inside(folder: Path) -> Path | None:
    places = [folder, *(sorted(inner for inner in folder.iterdir() if inner.is_dir() and not inner.is_symlink()))]
    return next((place for place in places if (place / METADATA).is_file()), None)


def _read(source: Path, called: str) -> Bundle:
    folder = _inside(source)
    if folder is None:
        raise InputError(f"{called} holds no MONAI bundle: expected configs/metadata.json in it")
    there = [name for name in CONFIGURATIONS if (folder / "configs" / name).is_file()]
    if not there:
        raise InputError(f"{called} does not say how its network is used: expected configs/{CONFIGURATIONS[0]}")
    return Bundle(folder, called, _entries(folder / "configs" / there[0]), _entries(folder / METADATA))


def _entries(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise InputError(f"{path.name} has {path.stat().st_size} bytes, expected a description")
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as problem:
        raise InputError(f"{path.name} cannot be read: {' '.join(str(problem).split())}") from problem
    if not isinstance(values, Mapping):
        raise InputError(f"{path.name} holds no entries by name")
    return values
