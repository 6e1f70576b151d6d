"""``dataset.json``: what nnU-Net is told of a project.

Format: nnU-Net v2, ``documentation/dataset_format.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.meaning import read_json
from napari_resmed.io.project.layout import DATASET
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import Label, LabelSet, default_colour

__all__ = ["ENDING", "ENDINGS", "Description", "is_unused", "read_description", "write_description"]

ENDING = ".nii.gz"
# nnU-Net trains on flat pictures too; those are no volumes.
ENDINGS = (ENDING, ".nii", ".nrrd", ".mha")
# nnU-Net wants label values without gaps; a value that nobody uses gets this for a name.
_UNUSED = "unused {}"
# Parcellations have values up to 2 035 and 12 175; beyond, a file of names is too large to be read every few seconds.
MOST_UNUSED = 15_000
_IGNORE = "ignore"


@dataclass(frozen=True)
class Description:
    """What ``dataset.json`` says.

    Parameters
    ----------
    labels:
        Values and names; colours are not in it. nnU-Net's ``ignore`` is among them.
    channels:
        What the images of a case are, in their order.
    ending:
        Of image and label files.
    regions:
        Whether labels are given as regions, which overlap; they are then left as they are.
    rest:
        Everything the file holds, for what we do not know of.
    """

    labels: LabelSet = field(default_factory=LabelSet)
    channels: tuple[str, ...] = ("image",)
    ending: str = ENDING
    regions: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)

    def with_labels(self, labels: LabelSet) -> Description:
        """The description with other labels.

        Raises
        ------
        InputError
            If nnU-Net could not train on them: a name twice, empty or ``unused 3``, ``ignore`` not the highest,
            regions, too many values unused.
        """
        if labels == self.labels:
            return self
        if self.regions:
            raise InputError(f"the labels of this project are regions; change them in {DATASET}")
        names = [label.name for label in labels]
        for name in names:
            if not name.strip() or name == "background":
                raise InputError(f"found a label called {name!r}; give it a name of its own")
            if is_unused(name) and name not in {label.name for label in self.labels}:
                raise InputError(f"found a label called {name!r}, as values that nobody uses are; give it another name")
            if names.count(name) > 1:
                raise InputError(f"two labels are called {name}; give each its own name")
        if _IGNORE in names and names[-1] != _IGNORE:
            raise InputError(f"the label {_IGNORE!r} must have the highest value, for nnU-Net; number the others below")
        _check_gaps(labels)
        return replace(self, labels=labels)


def is_unused(name: str) -> bool:
    """Whether a name is that of a value that nobody uses, of whichever."""
    return re.fullmatch(_UNUSED.format(r"\d+"), name.strip()) is not None


def read_description(folder: Path) -> Description:
    """Read the ``dataset.json`` of a folder.

    Raises
    ------
    InputError
        If it is missing, damaged, of another format, or names files one by one.
    """
    try:
        found = read_json(folder / DATASET)
    except InputError as problem:
        raise InputError(f"{folder.name} has no readable {DATASET}; expected nnU-Net's") from problem
    if not isinstance(found, dict) or not {"channel_names", "labels", "file_ending"} <= set(found):
        raise InputError(
            f"{DATASET} of {folder.name} is not of nnU-Net v2: channel_names, labels or file_ending is missing; choose "
            "the folder of its images instead"
        )
    if "dataset" in found:
        raise InputError(f"{DATASET} of {folder.name} names its files one by one; expected imagesTr and labelsTr")
    ending = str(found["file_ending"])
    if ending not in ENDINGS:
        raise InputError(f"the images of {folder.name} end in {ending}; expected {', '.join(ENDINGS)}")
    try:
        channels = tuple(str(name) for _, name in sorted((int(k), v) for k, v in found["channel_names"].items()))
        labels, regions = _labels(found["labels"])
    except (AttributeError, TypeError, ValueError) as problem:
        raise InputError(f"{DATASET} of {folder.name} says nothing usable of channels and labels") from problem
    if not channels:
        raise InputError(f"{DATASET} of {folder.name} names no channel; expected at least one")
    return Description(labels, channels, ending, regions, found)


def _labels(found: Mapping[str, Any]) -> tuple[LabelSet, bool]:
    regions = any(isinstance(value, list) for value in found.values())
    names: dict[int, str] = {}
    for name, given in found.items():
        values = [int(value) for value in (given if isinstance(given, list) else [given])]
        for value in values:
            unused = re.fullmatch(_UNUSED.format(r"(\d+)"), name)
            if value != 0 and not (unused and int(unused[1]) == value):
                names[value] = name if len(values) == 1 else names.get(value, f"label {value}")
    return LabelSet(tuple(Label(value, name, default_colour(value)) for value, name in names.items())), regions


def write_description(folder: Path, description: Description, cases: int) -> None:
    """Write ``dataset.json`` where it differs from what is there.

    Parameters
    ----------
    folder:
        The project.
    description:
        What to say; gaps between label values are filled, since nnU-Net allows none.
    cases:
        Number of cases in ``imagesTr``.

    Raises
    ------
    InputError, WorkError
        If it cannot be written, or a value lies so high that the gaps could not be filled.
    """
    found: dict[str, Any] = {
        **description.rest,
        "channel_names": {str(number): name for number, name in enumerate(description.channels)},
        "numTraining": cases,
        "file_ending": description.ending,
    }
    if not description.regions:
        names = {label.value: label.name for label in description.labels}
        # nnU-Net refuses a data set without structures.
        values = range(1, max(names, default=1) + 1)
        _check_gaps(description.labels)
        found["labels"] = {"background": 0, **{names.get(value, _UNUSED.format(value)): value for value in values}}
    if found == description.rest:
        return
    with whole_file(folder / DATASET) as part:
        part.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_gaps(labels: LabelSet) -> None:
    highest = max(labels.values, default=0)
    if highest - len(labels) > MOST_UNUSED:
        raise InputError(
            f"the label {highest} would leave {highest - len(labels)} values below it unused, and nnU-Net wants them "
            "without gaps; number the labels from 1 on"
        )
