"""Labels: what a number in a label map means."""

from __future__ import annotations

import colorsys
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = [
    "CODES",
    "LEFT",
    "RIGHT",
    "Code",
    "Label",
    "LabelMap",
    "LabelSet",
    "count_values",
    "default_colour",
    "run_together",
    "smallest_integer_type",
    "spelling",
]

# Okabe and Ito's palette (Color Universal Design, 2008): distinguishable with any colour vision.
_OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_GOLDEN_ANGLE = 0.61803398875
# Voxels counted at a time.
_PIECE = 1 << 20

# The fields of a Label that are terms of a standard vocabulary.
CODES = ("code", "category", "modifier", "region", "region_modifier")


@dataclass(frozen=True)
class Code:
    """A term of a standard vocabulary: scheme (``"SCT"`` is SNOMED CT), value, meaning."""

    scheme: str
    value: str
    meaning: str

    def to_json(self) -> dict[str, str]:
        """Plain values for a file."""
        return {"scheme": self.scheme, "value": self.value, "meaning": self.meaning}


# The sides in SNOMED CT.
LEFT, RIGHT = Code("SCT", "7771000", "Left"), Code("SCT", "24028007", "Right")


@dataclass(frozen=True)
class Label:
    """One structure.

    Parameters
    ----------
    value:
        The number in the map, 1 or more (0 is always background).
    name:
        The structure in words.
    colour:
        Red, green, blue, 0..255.
    code:
        The structure in a standard vocabulary, if it is known.
    category:
        What kind of thing it is ("Tissue", "Morphologically abnormal structure", ...); None beside a code is an
        anatomical structure.
    modifier:
        What narrows the code, most often the side ("Left").
    region, region_modifier:
        Where in the body it lies, and what narrows that, for a structure that is named by its kind ("Mass").
    """

    value: int
    name: str
    colour: tuple[int, int, int]
    code: Code | None = None
    category: Code | None = None
    modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None

    def called(self, name: str) -> Label:
        """The label under another name; its codes go with the old one, unless it is but spelt otherwise."""
        if run_together(name) == run_together(self.name):
            return replace(self, name=name)
        return Label(self.value, name, self.colour)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a file."""
        entry: dict[str, Any] = {"value": self.value, "name": self.name, "colour": list(self.colour)}
        codes = {name: getattr(self, name) for name in CODES}
        return entry | {name: code.to_json() for name, code in codes.items() if code}


@dataclass(frozen=True)
class LabelSet:
    """The labels of a map or a model, by value.

    Raises
    ------
    InputError
        If a value is below 1, or stands for two labels.
    """

    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        values = [label.value for label in self.labels]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise InputError(f"label value {twice[0]} stands for two labels; give each its own value")
        if values and min(values) < 1:
            raise InputError(f"found the label value {min(values)}, expected 1 or more: 0 is background")
        object.__setattr__(self, "labels", tuple(sorted(self.labels, key=lambda label: label.value)))

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, value: object) -> bool:
        return any(label.value == value for label in self.labels)

    def __getitem__(self, value: int) -> Label:
        for label in self.labels:
            if label.value == value:
                return label
        raise KeyError(value)

    @property
    def values(self) -> tuple[int, ...]:
        """Every value, ascending."""
        return tuple(label.value for label in self.labels)

    def completed(self, values: Iterable[int]) -> LabelSet:
        """The set, with a plain name and a colour for every value that it does not know."""
        unknown = sorted({int(value) for value in values} - set(self.values) - {0})
        return LabelSet(self.labels + tuple(Label(v, f"label {v}", default_colour(v)) for v in unknown))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values for a file."""
        return [label.to_json() for label in self.labels]

    @classmethod
    def from_json(cls, entries: Iterable[Mapping[str, Any]]) -> LabelSet:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InputError
            If an entry lacks value or name.
        """
        labels = []
        for entry in entries:
            try:
                value, name = int(entry["value"]), str(entry["name"])
                colour = entry.get("colour") or default_colour(value)
                red, green, blue = (int(part) for part in colour)
                codes = {name: Code(**entry[name]) for name in CODES if entry.get(name)}
            except (KeyError, TypeError, ValueError) as problem:
                raise InputError(f"found the label entry {entry!r}, expected value, name and colour") from problem
            labels.append(Label(value, name, (red, green, blue), **codes))
        return cls(tuple(labels))


def default_colour(value: int) -> tuple[int, int, int]:
    """A colour for a label that brings none: Okabe and Ito's seven, then hues a golden angle apart."""
    if 1 <= value <= len(_OKABE_ITO):
        return _OKABE_ITO[value - 1]
    hue = (value * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, 0.35 + 0.3 * (value % 3) / 2, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def spelling(name: str) -> str:
    """A name without what is spelt in many ways: case of letters, blanks, umlauts, what stands between words.

    Signs tell names apart: "ER+" and "ER-" are two names, "Left-Hippocampus" is "left hippocampus".
    """
    return re.sub(r"[\s_]+|(?<=[^\W\d_])-(?=\w)", " ", unicodedata.normalize("NFC", name).casefold()).strip()


def run_together(name: str) -> str:
    """The :func:`spelling` without blanks, but for those between digits: "RightParotid" is "Right Parotid"."""
    return re.sub(r"(?<!\d) | (?!\d)", "", spelling(name))


def smallest_integer_type(largest: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds every label up to ``largest``."""
    return np.min_scalar_type(max(0, int(largest)))


@dataclass(frozen=True, eq=False)
class LabelMap(Volume):
    """A volume of whole numbers, with the :class:`LabelSet` that says what they mean.

    Raises
    ------
    InputError
        If the voxels are not whole numbers of 0 or more.
    """

    labels: LabelSet = field(default_factory=LabelSet)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.dtype.kind == "b":
            object.__setattr__(self, "data", self.data.astype(np.uint8))
        if self.data.dtype.kind not in "iu":
            raise InputError(f"found labels of type {self.data.dtype}, expected whole numbers")
        if self.data.dtype.kind == "i" and self.data.min() < 0:
            raise InputError(f"found the label {self.data.min()}, expected 0 (background) or more")

    def counts(self) -> dict[int, int]:
        """Voxels of every label that is known or present, by value; background left out."""
        values, counts = count_values(self.data)
        found = dict(zip(values.tolist(), counts.tolist(), strict=True))
        known = set(self.labels.values) | set(found)
        return {value: int(found.get(value, 0)) for value in sorted(known) if value != 0}

    def table(self) -> list[dict[str, Any]]:
        """One row per label: ``value, name, voxels, volume_ml``."""
        counts = self.counts()
        names = self.labels.completed(counts)
        return [
            {
                "value": value,
                "name": names[value].name,
                "voxels": voxels,
                "volume_ml": round(voxels * self.voxel_ml, 4),
            }
            for value, voxels in counts.items()
        ]


def count_values(data: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distinct values, ascending, and their counts.

    A piece at a time, for counting takes several times a piece's memory; by table where values are small, which is
    ten times faster.
    """
    flat = data.reshape(-1)
    pieces = (flat[start : start + _PIECE] for start in range(0, len(flat), _PIECE))
    if data.dtype.itemsize <= 2 and data.dtype.kind in "bu":
        table = np.zeros(2 ** (8 * data.dtype.itemsize), np.int64)
        for piece in pieces:
            table += np.bincount(piece, minlength=len(table))
        values = np.flatnonzero(table)
        return values, table[values]
    found, counts = np.array([], data.dtype), np.array([], np.int64)
    for piece in pieces:
        values, more = np.unique(piece, return_counts=True)
        merged, places = np.unique(np.concatenate([found, values]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, more]), len(merged)).astype(np.int64)
        found = merged
    return found, counts
