"""What is learnt from: a case is one patient study with what is known of it, a dataset is many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["SPLITS", "Case", "Dataset"]

# "" is undecided: training holds out a part of those by itself.
SPLITS = ("", "train", "validation", "test")


@dataclass(frozen=True)
class Case:
    """One patient study and its labels; files are not opened before they are needed.

    Parameters
    ----------
    name:
        For lists and messages; never a patient's.
    images:
        One per channel, in the order of the dataset's channels, all on one grid; or a single one with a channel
        axis; or, where there is none, the label map itself.
    labels:
        On the images' grid; None where there are none yet.
    annotated:
        Label values that were looked for in this case: any other is unknown here, not absent. None: all were.
    only_painted:
        Whether voxels of value 0 are unknown rather than background.
    complete_slices:
        ``(axis, index)`` pairs in the labels' own array order (0 z, 1 y, 2 x): slices on which 0 is background
        although only painted voxels count elsewhere.
    split:
        ``"train"``, ``"validation"``, ``"test"``, or empty where nobody decided.
    group:
        Cases of one group (a patient) never lie on both sides of a split; the case's name where empty.
    class_name:
        What the case as a whole is, for classification; empty where nobody said.
    channels:
        Which of the data set's channels the images are, where some are not there; empty: all, in order.

    Raises
    ------
    InputError
        If there is no image, or the split is unknown.
    """

    name: str
    images: tuple[Path | Volume, ...]
    labels: Path | LabelMap | None = None
    annotated: tuple[int, ...] | None = None
    only_painted: bool = False
    complete_slices: tuple[tuple[int, int], ...] = ()
    split: str = ""
    group: str = ""
    class_name: str = ""
    channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError(f"the case {self.name} has no image; every case needs at least one")
        if self.channels and len(self.channels) != len(self.images):
            raise InputError(
                f"the case {self.name} has {len(self.images)} images for {len(self.channels)} channels, expected one "
                "each"
            )
        if self.split not in SPLITS:
            raise InputError(f"the case {self.name} is in the split {self.split!r}, expected train, validation or test")

    @property
    def has_image(self) -> bool:
        """Whether there is an image; where there is none, the label map stands in its place."""
        return self.labels is None or self.images != (self.labels,)

    @property
    def patient(self) -> str:
        """The group, or the case itself where it has none."""
        return self.group or self.name


@dataclass(frozen=True)
class Dataset:
    """Cases that are learnt from together.

    Parameters
    ----------
    cases:
        In a fixed order.
    labels:
        The structures; neither background nor "ignore" is among them.
    channels:
        What each image of a case is, e.g. ``("CT",)`` or ``("T1", "FLAIR")``.
    background:
        A further value, beside 0, that was painted as background; None where there is none.
    ignored:
        A value that means "not known" (nnU-Net's ``ignore``); None where there is none.
    name:
        For lists; the folder's name.
    classes:
        Of classification: what a case may be, in order.

    Raises
    ------
    InputError
        If two cases have one name, a structure is also background or ignored, or a case has a class that is none.
    """

    cases: tuple[Case, ...]
    labels: LabelSet = field(default_factory=LabelSet)
    channels: tuple[str, ...] = ("image",)
    background: int | None = None
    ignored: int | None = None
    name: str = ""
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [case.name for case in self.cases]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise InputError(f"two cases are called {twice[0]}; give each its own name")
        for value, meaning in ((self.background, "background"), (self.ignored, "ignore")):
            if value is not None and value in self.labels:
                raise InputError(f"label value {value} is both {self.labels[value].name!r} and {meaning}")
        strange = next((case for case in self.cases if case.class_name and case.class_name not in self.classes), None)
        if strange is not None:
            raise InputError(
                f"the case {strange.name} has the class {strange.class_name!r}, expected {', '.join(self.classes)}"
            )
