"""Which prediction belongs to which truth: by file name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.files import is_image_name
from napari_resmed.io.formats import stem
from napari_resmed.io.image_file import SECOND_HALVES

__all__ = ["Pair", "Pairing", "case_name", "find_case", "image_of", "pair_files", "spoken"]

# What programs and people add to the name of a case: ours `_seg`, others `_pred`, `_gt`.
_ADDED = re.compile(
    r"[._-](?:seg|segmentation|segmented|labels?|labelmap|masks?|pred|prediction|predicted|gt|truth|ground_?truth)$",
    re.IGNORECASE,
)
# nnU-Net's number of the channel, which stands in the names of images but not of label maps.
_CHANNEL = re.compile(r"_\d{4}$")
_SPOKEN = 5  # names told in one message


@dataclass(frozen=True)
class Pair:
    """One case: its truth, and the prediction that is measured against it (None where there is none)."""

    name: str
    truth: Path
    prediction: Path | None


@dataclass(frozen=True)
class Pairing:
    """The cases in the order of their names, and what no truth belongs to."""

    pairs: tuple[Pair, ...]
    predictions_alone: tuple[Path, ...] = ()


def pair_files(predictions: Path, truth: Path) -> Pairing:
    """Pair two files, or the files of two folders.

    Files of one name belong together; of the rest, those whose names are the same without what is added to a case's
    name: ``case_seg.nii.gz``, ``case_0000_seg.nii.gz`` and ``case.mha`` are all ``case``.

    Raises
    ------
    InputError
        If a path is missing, one is a file and the other a folder, a folder holds no label map, two files could be
        one case, or nothing pairs.
    """
    for path in (predictions, truth):
        if not path.exists():
            raise InputError(f"{path} does not exist")
    if predictions.is_dir() != truth.is_dir():
        kinds = ["a folder" if path.is_dir() else "a file" for path in (predictions, truth)]
        raise InputError(f"PREDICTIONS is {kinds[0]} and TRUTH is {kinds[1]}, expected two files or two folders")
    if truth.is_file():
        for path in (predictions, truth):
            _check_kind(path)
        return Pairing((Pair(case_name(truth), truth, predictions),))
    ours, theirs = _files(predictions), _files(truth)
    found: dict[Path, Path] = {}
    for our_name, their_name in _READINGS:
        left = _by_name([path for path in ours if path not in found.values()], our_name)
        wanted = _by_name([path for path in theirs if path not in found], their_name)
        for name in sorted(left.keys() & wanted.keys()):
            for files, folder in ((left[name], predictions), (wanted[name], truth)):
                if len(files) > 1:
                    raise InputError(
                        f"{spoken(files)} of {folder.name} could each be the case {name}; keep one of them"
                    )
            found[wanted[name][0]] = left[name][0]
    if not found:
        raise InputError(
            f"no file of {predictions.name} is named like one of {truth.name} (found {spoken(ours)} and "
            f"{spoken(theirs)}), expected <case>.nii.gz or <case>_seg.nii.gz beside <case>.nii.gz"
        )
    taken = set(found.values())
    names = _case_names(theirs)
    return Pairing(
        tuple(
            sorted((Pair(names[path], path, found.get(path)) for path in theirs), key=lambda pair: _natural(pair.name))
        ),
        tuple(sorted((path for path in ours if path not in taken), key=lambda path: _natural(path.name))),
    )


def image_of(truth: Path, images: Path) -> Path | None:
    """The image of a case: ``images`` itself if it is a file, else the first file of that folder named like it.

    Raises
    ------
    InputError
        If the folder holds no image.
    """
    if images.is_file():
        return images
    files = _files(images)
    for image_name, truth_name in _READINGS:
        for path in files:
            if image_name(path) == truth_name(truth):
                return path
    return None


def find_case(truth: Path, names: Iterable[str]) -> str | None:
    """The name in a list that means the same case as a file; None where there is none."""
    listed = [Path(name) for name in names]
    for list_name, truth_name in _READINGS:
        for name in listed:
            if list_name(name) == truth_name(truth):
                return str(name)
    return None


def case_name(path: Path) -> str:
    """The file's name without its ending and without what is added to a case's name."""
    name = _stem(path)
    while True:
        shorter = _ADDED.sub("", name)
        if shorter in ("", name):
            return name
        name = shorter


def _without_channel(path: Path) -> str:
    return _CHANNEL.sub("", case_name(path)) or case_name(path)


def spoken(names: Iterable[str | Path]) -> str:
    """Names for a message: the first few, and how many more."""
    listed = [name.name if isinstance(name, Path) else name for name in names]
    more = f" and {len(listed) - _SPOKEN} more" if len(listed) > _SPOKEN else ""
    return ", ".join(listed[:_SPOKEN]) + more


def _files(folder: Path) -> list[Path]:
    """The image files right in a folder; of a header and its data file the header."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    images = [path for path in files if is_image_name(path)]
    images = [path for path in images if not path.name.lower().endswith(SECOND_HALVES)]
    if not images:
        tables = [path for path in files if _is_table(path)]
        if tables:
            _check_kind(tables[0])
        raise InputError(f"{folder} holds no label map; expected .nii.gz, .nii, .nrrd or .mha files")
    return images


def _check_kind(path: Path) -> None:
    if _is_table(path):
        raise InputError(
            f"{path.name} is a table; expected two label maps, or answers as `classify` writes them (CSV with path, "
            "predicted, p_CLASS) and the true classes"
        )


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".json", ".xlsx")


def _by_name(files: Iterable[Path], name: Callable[[Path], str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in files:
        found.setdefault(name(path), []).append(path)
    return found


def _case_names(files: list[Path]) -> dict[Path, str]:
    """A name for every case: the short one, where no other case has it too."""
    short = _by_name(files, case_name)
    return {path: case_name(path) if len(short[case_name(path)]) == 1 else _stem(path) for path in files}


def _stem(path: Path) -> str:
    return stem(path.name)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key in which case_9 stands before case_10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


# How two names may be read as one case, the surest first. The channel is never taken from both: scan_0001 and
# scan_0002 are two cases.
_READINGS: tuple[tuple[Callable[[Path], str], Callable[[Path], str]], ...] = (
    (_stem, _stem),
    (case_name, case_name),
    (_without_channel, case_name),
    (case_name, _without_channel),
)
