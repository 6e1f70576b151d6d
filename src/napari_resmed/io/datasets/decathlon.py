"""Lists in ``dataset.json``: Medical Segmentation Decathlon, nnU-Net 1, MONAI, and nnU-Net 2's ``"dataset"``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_resmed.case import Case
from napari_resmed.errors import InputError
from napari_resmed.io.datasets.description import FILE, Description
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.naming import case_names
from napari_resmed.io.formats import stem

__all__ = ["find"]


def find(folder: Path, description: Description) -> Found | None:
    """The listed cases, or None where nothing is listed.

    A listed image that is not there is looked for as nnU-Net 1 stores it, one file per channel (``CASE_0000``). What
    is missing all the same is told when the case is opened.

    Raises
    ------
    InputError
        If an entry has several label files.
    """
    if not description.listed.get("training"):
        return None
    cases: list[Case] = []
    for part, entries in description.listed.items():
        # Beside a list for validation, the training list is decided too.
        split = "validation" if part == "validation" else "train" if "validation" in description.listed else ""
        cases += [_case(folder, entry, description, split) for entry in entries]
    names = case_names([case.images[0] for case in cases if isinstance(case.images[0], Path)], folder)
    named = (
        replace(case, name=case.name or name.removesuffix("_0000")) for case, name in zip(cases, names, strict=True)
    )
    return Found(tuple(named), description.meaning, description.channels)


def _case(folder: Path, entry: Mapping[str, Any], description: Description, split: str) -> Case:
    listed = entry.get("images", entry.get("image"))
    images = [folder / str(path) for path in (listed if isinstance(listed, list) else [listed])]
    label = entry.get("label")
    if isinstance(label, list):
        raise InputError(
            f"{FILE} lists {len(label)} label files for {images[0].name}, expected one with all structures"
        )
    if len(images) == 1:
        images = _channel_files(images[0], len(description.channels)) or images
    return Case(str(entry.get("name") or ""), tuple(images), folder / str(label) if label else None, split=split)


def _channel_files(path: Path, channels: int) -> list[Path]:
    if path.exists():
        return []
    name = stem(path.name)
    ending = path.name.removeprefix(name)
    files = [path.with_name(f"{name}_{number:04d}{ending}") for number in range(max(1, channels))]
    return files if files[0].exists() else []
