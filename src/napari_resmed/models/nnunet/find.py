"""Where a trained nnU-Net lies: in a folder or a zip file, at the top or further in."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.models.unpack import unpack_some

__all__ = ["Trained", "open_trained"]

# The better kept first: nnU-Net itself takes the last one.
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
# results/Dataset/Trainer__Plans__config, and one more.
DEEPEST = 4


@dataclass(frozen=True)
class Trained:
    """One trained configuration.

    Parameters
    ----------
    name:
        Of its folder, ``Trainer__Plans__configuration``.
    plans, dataset:
        What ``plans.json`` and ``dataset.json`` hold.
    checkpoints:
        By fold.
    """

    name: str
    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]
    checkpoints: Mapping[str, Path]


@contextmanager
def open_trained(source: Path) -> Iterator[Trained]:
    """Find the one trained configuration in a folder or a zip file; of the file only while the block runs.

    Raises
    ------
    InputError
        If there is none or more than one, or a file of it is damaged.
    WorkError
        If a zip file cannot be unpacked for want of room.
    """
    if source.is_dir():
        yield _only(source, source.name)
    elif zipfile.is_zipfile(source):
        with tempfile.TemporaryDirectory(prefix="nnunet-") as place:
            unpack_some(source, Path(place), lambda path: path.name in ("plans.json", "dataset.json", *CHECKPOINTS))
            yield _only(Path(place), source.name)
    else:
        found = "is neither a folder nor a zip file" if source.exists() else "does not exist"
        raise InputError(f"{source} {found}; expected a trained nnU-Net or a MONAI bundle")


def _only(folder: Path, called: str) -> Trained:
    found = [place for place in _folders(folder, DEEPEST) if _is_trained(place)]
    if not found:
        raise InputError(
            f"{called} holds no trained nnU-Net v2: expected a folder with plans.json, dataset.json and "
            f"fold_0/{CHECKPOINTS[0]}; of a MONAI bundle, configs/metadata.json"
        )
    if len(found) > 1:
        names = ", ".join(sorted(str(place.relative_to(folder)) for place in found))
        raise InputError(f"{called} holds {len(found)} trained models; choose one of: {names}")
    place = found[0]
    plans, dataset = _json(place / "plans.json"), _json(place / "dataset.json")
    return Trained(place.name, plans, dataset, _checkpoints(place))


def _folders(folder: Path, deep: int) -> Iterator[Path]:
    yield folder
    if deep:
        for inner in sorted(folder.iterdir()):
            if inner.is_dir() and not inner.is_symlink():
                yield from _folders(inner, deep - 1)


def _is_trained(folder: Path) -> bool:
    there = all((folder / name).is_file() for name in ("plans.json", "dataset.json"))
    return there and bool(_checkpoints(folder))


def _checkpoints(folder: Path) -> dict[str, Path]:
    """The checkpoints of all folds, of one kind; the fold "all" only where there is no other."""
    folds = sorted(place for place in folder.glob("fold_*") if place.is_dir())
    for name in CHECKPOINTS:
        found = {place.name.removeprefix("fold_"): place / name for place in folds if (place / name).is_file()}
        if len(found) > 1:
            found.pop("all", None)
        if found:
            return found
    return {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"{path.name} cannot be read: {problem}") from problem
    if not isinstance(values, Mapping):
        raise InputError(f"{path.name} holds no JSON object")
    return values
