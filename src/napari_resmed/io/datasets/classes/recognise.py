"""Which layout a folder or a file has, and what is in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.archives import SUFFIX
from napari_resmed.io.datasets.classes import folders, medmnist, table
from napari_resmed.io.datasets.classes.load import COLOURS, is_colour, open_image
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.rows import first_column, read_rows

__all__ = ["EXPECTED", "dataset_of_classes", "read_classes"]

EXPECTED = "expected a CSV file with the columns path and class, a folder per class, or a MedMNIST .npz"
# How many images are opened to see what they are.
_OPENED = 8


def read_classes(path: Path | str, *, least: int = 2) -> tuple[Dataset, tuple[str, ...]]:
    """The cases of a data set for classification; but for a few images, none is opened.

    Parameters
    ----------
    path:
        A CSV file, or a folder that holds a single one; a folder with a folder for each class; a MedMNIST ``.npz``.
        A table of answers in the folder, as ``classify`` writes it, is none.
    least:
        So many classes there must be: two to tell them apart, one for the truth about answers.

    Returns
    -------
    dataset
        ``classes`` in natural order; every case has one of them.
    notes
        What a person should know, one sentence each.

    Raises
    ------
    InputError
        If there is nothing there, it is none of these, what it says cannot be understood, or there are too few classes.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    found = _find(path)
    name = path.stem if path.is_file() else path.resolve().name
    return dataset_of_classes(found.cases, name, found.channels, least), found.notes


def dataset_of_classes(cases: tuple[Case, ...], name: str, channels: tuple[str, ...] = (), least: int = 2) -> Dataset:
    """Cases of classes as a data set.

    Parameters
    ----------
    cases:
        Each with its class.
    name:
        What holds them, for messages.
    channels:
        What the images of a case are; seen from a few of them where empty.
    least:
        As of :func:`read_classes`.

    Raises
    ------
    InputError
        If there are too few classes, or two cases have one name.
    """
    counts = Counter(case.class_name for case in cases)
    if len(counts) < least:
        only = next(iter(counts), None)
        said = f"one class only, {only!r}" if only else "no case"
        raise InputError(f"{name} holds {said}; at least two classes are needed to tell them apart")
    classes = tuple(sorted(counts, key=_natural))
    return Dataset(cases, channels=channels or _channels(cases), name=name, classes=classes)


def _find(path: Path) -> Found:
    if path.is_file():
        if path.suffix.lower() == SUFFIX:
            return medmnist.find(path.absolute())
        if path.suffix.lower() == ".csv":
            return table.find(path)
        raise InputError(f"{path.name} is no data set for classification; {EXPECTED}")
    tables = sorted(file for file in path.glob("*.csv") if not file.name.startswith(".") and not _is_of_answers(file))
    if len(tables) == 1:
        return table.find(tables[0])
    found = folders.find(path)
    if found is None:
        raise InputError(f"{path.name} holds no folders of images for two classes or more; {EXPECTED}")
    return found


def _is_of_answers(path: Path) -> bool:
    """Whether a table lies here because images were classified, and says nothing of what they truly are."""
    try:
        rows = read_rows(path)
    except InputError:
        return False  # whoever reads it says what is wrong
    return bool(first_column(rows, "predicted")) and not first_column(rows, *table.CLASS)


def _channels(cases: tuple[Case, ...]) -> tuple[str, ...]:
    """What a single file's channels are, by a few of them; colour only where all are in colour."""
    step = max(1, len(cases) // _OPENED)
    counts: Counter[int] = Counter()
    modality, in_colour = "", True
    for case in cases[::step]:
        try:
            volume = open_image(case.images[0])
        except InputError:
            continue  # left out later, with the reason
        counts[volume.channels] += 1
        in_colour = in_colour and (volume.channels != len(COLOURS) or is_colour(volume, case.images[0]))
        modality = modality or volume.modality
    if not counts or (1 in counts and set(counts) <= {1, len(COLOURS)}):
        return (modality or "image",)
    most = counts.most_common(1)[0][0]
    return COLOURS if most == len(COLOURS) and in_colour else tuple(f"channel {number + 1}" for number in range(most))


def _natural(name: str) -> tuple[int, int, str]:
    """Numbers by size, before words."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name.casefold())
