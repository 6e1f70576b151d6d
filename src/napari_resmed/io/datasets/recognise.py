"""Which layout a folder or a file has, and what is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.datasets import decathlon, folders, label_maps, nnunet, table
from napari_resmed.io.datasets.case_list import FILE as CASE_LIST
from napari_resmed.io.datasets.case_list import add_case_list
from napari_resmed.io.datasets.description import FILE as DESCRIPTION
from napari_resmed.io.datasets.description import read_description
from napari_resmed.io.datasets.found import Found, a_few
from napari_resmed.io.datasets.meaning import Meaning
from napari_resmed.io.datasets.peek import peek_channels, peek_labels
from napari_resmed.io.files import is_readable

__all__ = ["EXPECTED", "read_dataset"]

EXPECTED = (
    "expected dataset.json with imagesTr and labelsTr (nnU-Net, Medical Segmentation Decathlon), the folders images "
    "and labels, or a CSV file with the columns image and label; or label maps alone, of whole numbers from 0 on"
)


def read_dataset(path: Path | str, lonely_labels: bool = False) -> tuple[Dataset, tuple[str, ...]]:
    """The cases of a training folder or a table; but for a few files, none is opened.

    Parameters
    ----------
    path:
        A folder: nnU-Net's raw layout, the Medical Segmentation Decathlon's, ``images`` and ``labels`` beside each
        other, or one that holds a single CSV file of cases; or a CSV file; or a ``dataset.json``; or label maps alone,
        in the folder itself or in ``labels``.
    lonely_labels:
        Whether label maps beside images, without one of their own, are cases too; so are those beside an empty folder
        of images.

    Returns
    -------
    dataset
        Cases by name, or in the order of the list. Files that are missing or cannot be read are found when they are
        opened. Where nothing names the structures, ``dataset.labels`` holds what a few files show, as ``label 1``, ...
    notes
        What a person should know, one sentence each: labels without an image, cases of a list that are not there.

    Raises
    ------
    InputError
        If there is nothing there, it is none of these, or what it says cannot be understood.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_file() and path.name == DESCRIPTION:
        path = path.parent
    if path.is_file():
        return _finish(_single_file(path), path.parent, path.stem)
    description = read_description(path)
    found = (
        decathlon.find(path, description)
        or nnunet.find(path, description)
        or folders.find(path, description, lonely_labels)
    )
    if found is not None and lonely_labels:
        found = label_maps.add_lonely(found, path)
    if found is None:
        tables = sorted(file for file in path.glob("*.csv") if not file.name.startswith("."))
        only = tables[0] if len(tables) == 1 else None
        if only is not None and table.lists_cases(only):
            return _finish(table.find(only), path, path.resolve().name)
        found = label_maps.find(path, description)
        if found is None and only is not None:
            found = table.find(only)  # says what it lacks
        if found is None:
            raise InputError(f"{path.name} holds {_contents(path)}; {EXPECTED}")
    if (path / CASE_LIST).is_file():
        found = add_case_list(found, path / CASE_LIST, {} if _is_named(found) else peek_labels(found.cases).seen)
    return _finish(found, path, path.resolve().name)


def _single_file(path: Path) -> Found:
    if path.suffix.lower() == ".csv":
        return table.find(path)
    if path.suffix.lower() == ".npz":
        raise InputError(
            f"{path.name} looks like a MedMNIST file, which is for classification; train it with --task classify"
        )
    if is_readable(path):
        raise InputError(f"{path.name} is one image; {EXPECTED}")
    raise InputError(f"{path.name} is no training data; {EXPECTED}")


def _finish(found: Found, folder: Path, name: str) -> tuple[Dataset, tuple[str, ...]]:
    meaning = found.meaning or peek_labels(found.cases).meaning
    cases = label_maps.settle_lonely(_settle_splits(found.cases))
    if meaning.only_painted:
        cases = tuple(replace(case, only_painted=True) for case in cases)
    return _dataset(cases, meaning, found.channels or peek_channels(cases), name), found.notes


def _dataset(cases: tuple[Case, ...], meaning: Meaning, channels: tuple[str, ...], name: str) -> Dataset:
    return Dataset(cases, meaning.labels, channels, meaning.background, meaning.ignored, name)


def _settle_splits(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """A column that says "train" for every case decides nothing: part of them is held out then as always."""
    if any(case.split != "train" for case in cases):
        return cases
    return tuple(replace(case, split="") for case in cases)


def _is_named(found: Found) -> bool:
    return found.meaning is not None and found.meaning.is_named


def _contents(folder: Path) -> str:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    parts = [path.name for path in inside if path.is_dir()]
    files = [path.name for path in inside if path.is_file()]
    said = ([f"the folders {a_few(parts)}"] if parts else []) + ([f"the files {a_few(files)}"] if files else [])
    return " and ".join(said) or "nothing"
