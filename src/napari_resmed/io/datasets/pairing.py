"""Images and labels of two folders, paired by name."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.found import a_few
from napari_resmed.io.formats import is_readable, stem
from napari_resmed.io.label_words import without_label_word
from napari_resmed.io.umlauts import in_one_way

__all__ = ["by_stem", "pair"]

# nnU-Net's channel number.
_CHANNEL = re.compile(r"^(.+)_(\d{4})$")


def pair(images: Path, labels: Path, channels: int = 0) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Cases of two folders.

    An image ``CASE.ext``, or one file per channel ``CASE_0000.ext``, ``CASE_0001.ext``, belongs to the labels
    ``CASE.ext`` or ``CASE_seg.ext`` (also ``_label``, ``-label``, ``_mask``, ...). A folder inside ``images`` is a
    DICOM series of that name.

    Parameters
    ----------
    images, labels:
        The folders.
    channels:
        How many files a case should have, where that is known and names end in the channel's number (nnU-Net);
        0 finds out by the names.

    Returns
    -------
    cases
        By name. One without labels has none; one that lacks a channel names the missing file all the same, so that it
        is told when it is opened.
    notes
        Labels without an image, two files of one name.

    Raises
    ------
    InputError
        If there is no image.
    """
    image_files, notes = by_stem(images)
    label_files, more = by_stem(labels)
    if not image_files:
        raise InputError(
            f"{images.name} holds no image that can be read; expected NIfTI, NRRD, MetaImage, MGH, AFNI or "
            f"DICOM{_instead(images)}"
        )
    names = set(image_files)
    bases = {match[1] for name in names if (match := _CHANNEL.match(name))}
    always = channels > 0 and all(_CHANNEL.match(name) for name in names)
    found: dict[str, Path] = {}
    lonely: list[str] = []
    for name, path in label_files.items():
        short = without_label_word(name)
        fits = [word for known in ((bases,) if always else (names, bases)) for word in (name, short) if word in known]
        if not fits:
            lonely.append(name)
        elif fits[0] in found:
            more.append(f"{labels.name} holds two label files for {fits[0]}; {found[fits[0]].name} was taken")
        else:
            found[fits[0]] = path
    if always or any(name not in names for name in found):
        cases = _grouped(image_files, set() if always else set(found), channels)
    else:
        cases = {name: [path] for name, path in image_files.items()}
    if lonely:
        notes.append(f"labels without an image, not used: {a_few(lonely)}")
    return tuple(Case(name, tuple(paths), found.get(name)) for name, paths in sorted(cases.items())), (*notes, *more)


def by_stem(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Image files and series folders by name; what the system hides is left out."""
    files: dict[str, Path] = {}
    notes: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not _is_image(path):
            continue
        name = in_one_way(path.name if path.is_dir() else stem(path.name))
        if name in files:
            notes.append(f"{folder.name} holds both {files[name].name} and {path.name}; the first was taken")
        else:
            files[name] = path
    return files, notes


def _is_image(path: Path) -> bool:
    if path.is_dir():
        return any(not inside.name.startswith(".") for inside in path.iterdir())
    lower = path.name.lower()
    for data, header in ((".img.gz", ".hdr.gz"), (".img.gz", ".hdr"), (".img", ".hdr")):
        if lower.endswith(data) and path.with_name(path.name[: -len(data)] + header).exists():
            return False  # its header stands for the pair
    return is_readable(path)


def _grouped(files: dict[str, Path], whole: set[str], channels: int) -> dict[str, list[Path]]:
    """The files of each case, by channel; names in ``whole`` bear no channel's number."""
    cases: dict[str, dict[int, Path]] = {}
    for name, path in files.items():
        match = None if name in whole else _CHANNEL.match(name)
        case, number = (match[1], int(match[2])) if match else (name, 0)
        cases.setdefault(case, {})[number] = path
    usual = Counter(tuple(sorted(numbers)) for numbers in cases.values()).most_common(1)[0][0]
    expected = range(channels) if channels else usual
    grouped = {}
    for case, numbers in cases.items():
        like = next(iter(numbers.values()))
        ending = like.name.removeprefix(stem(like.name))
        wanted = sorted({*expected, *numbers})
        grouped[case] = [numbers.get(n) or like.with_name(f"{case}_{n:04d}{ending}") for n in wanted]
    return grouped


def _instead(folder: Path) -> str:
    others = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return f"; it holds {len(others)} other files, e.g. {others[0]}" if others else ", but the folder is empty"
