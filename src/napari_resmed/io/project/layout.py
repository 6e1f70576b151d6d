"""Where the files of a project lie.

    PROJECT/dataset.json                       nnU-Net's description: channels, labels, number of cases, ending
    PROJECT/resmed.json                        the index
    PROJECT/imagesTr/CASE_0000.nii.gz          accepted cases, and nothing else: nnU-Net trains on all that is here
    PROJECT/labelsTr/CASE.nii.gz
    PROJECT/imagesUn/, labelsUn/               every other case, named alike; nnU-Net does not look here

Why so: ``docs/decisions/0002-project-layout.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_resmed.io.project.state import State

__all__ = ["DATASET", "INDEX", "Layout"]

DATASET = "dataset.json"
INDEX = "resmed.json"
_TRAIN, _OTHER = "Tr", "Un"
_CONFLICT = ".conflict-"
_BEING_WRITTEN = (".part-", ".saving-")


@dataclass(frozen=True)
class Layout:
    """The places of a project's files.

    Parameters
    ----------
    folder:
        The project.
    ending:
        Of every image and label file, e.g. ``".nii.gz"``.
    channels:
        Image files per case.
    """

    folder: Path
    ending: str
    channels: int

    def images(self, name: str, state: State) -> tuple[Path, ...]:
        """Where the images of a case belong, one per channel."""
        place = self.folder / f"images{_place(state)}"
        return tuple(place / f"{name}_{channel:04d}{self.ending}" for channel in range(self.channels))

    def labels(self, name: str, state: State) -> Path:
        """Where the labels of a case belong."""
        return self.folder / f"labels{_place(state)}" / f"{name}{self.ending}"

    def find_images(self, name: str, state: State) -> tuple[Path, ...]:
        """Where the images of a case are: where they belong, or where an interrupted move left them."""
        there = (self.images(name, _other(state)), self.images(name, state))
        return tuple(right if right.exists() or not left.exists() else left for left, right in zip(*there, strict=True))

    def find_labels(self, name: str, state: State) -> Path | None:
        """Where the labels of a case are; None where there are none."""
        for place in (self.labels(name, state), self.labels(name, _other(state))):
            if place.exists():
                return place
        return None

    def conflict(self, name: str, session: str) -> Path:
        """Where labels go that somebody else's work must not be replaced by."""
        return self.folder / f"labels{_OTHER}" / f"{name}{_CONFLICT}{session}{self.ending}"

    def being_written(self, name: str, session: str) -> Path:
        """Where a label file is written before it takes its place."""
        return self.folder / f"labels{_OTHER}" / f"{_BEING_WRITTEN[1]}{session}-{name}{self.ending}"

    def left_overs(self) -> list[Path]:
        """Files that were being written when a program died, and those that still are."""
        places = (self.folder / f"{kind}{_OTHER}" for kind in ("images", "labels"))
        return [file for place in places if place.is_dir() for file in place.iterdir() if _unfinished(file.name)]

    def make(self) -> None:
        """Make the folders that are missing."""
        for kind in ("images", "labels"):
            for place in (_TRAIN, _OTHER):
                (self.folder / f"{kind}{place}").mkdir(parents=True, exist_ok=True)

    def image_names(self, state: State) -> list[str]:
        """Cases of which at least one image lies where cases of a state belong."""
        pattern = re.compile(rf"(.+)_\d{{4}}{re.escape(self.ending)}")
        place = self.folder / f"images{_place(state)}"
        if not place.is_dir():
            return []
        found = (pattern.fullmatch(file.name) for file in place.iterdir() if not file.name.startswith("."))
        return sorted({match[1] for match in found if match})


def _place(state: State) -> str:
    return _TRAIN if state is State.ACCEPTED else _OTHER


def _other(state: State) -> State:
    return State.CORRECTED if state is State.ACCEPTED else State.ACCEPTED


def _unfinished(name: str) -> bool:
    return name.startswith(_BEING_WRITTEN)
