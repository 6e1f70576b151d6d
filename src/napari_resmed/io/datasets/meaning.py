"""What the numbers in label maps mean, in every spelling that is about.

nnU-Net 2 writes ``{"background": 0, "liver": 1}``, nnU-Net 1 and the Medical Segmentation Decathlon
``{"0": "background", "1": "liver"}``, this program a list of ``{"value": 1, "name": "liver"}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet, default_colour

__all__ = ["Meaning", "default_name", "meaning_of", "read_json", "read_meaning"]

_BACKGROUND = ("background",)
_IGNORED = ("ignore", "ignored", "unpainted")


@dataclass(frozen=True)
class Meaning:
    """What the numbers in the label maps mean.

    Parameters
    ----------
    labels:
        The structures; neither background nor ignored.
    background:
        A value beside 0 that was painted as background.
    ignored:
        A value that means "not known".
    only_painted:
        Whether 0 itself is called "ignore": then nothing is known of what nobody painted.
    """

    labels: LabelSet = field(default_factory=LabelSet)
    background: int | None = None
    ignored: int | None = None
    only_painted: bool = False

    @property
    def values(self) -> frozenset[int]:
        """Every value that may occur."""
        return frozenset({0, *self.labels.values} | {v for v in (self.background, self.ignored) if v is not None})

    @property
    def is_named(self) -> bool:
        """Whether somebody gave the structures names."""
        return any(label.name != default_name(label.value) for label in self.labels)


def default_name(value: int) -> str:
    """What a structure is called that nobody named."""
    return f"label {value}"


def meaning_of(labels: Iterable[Label]) -> Meaning:
    """Structures, background and ignored told apart by their names, in any case of letters.

    Raises
    ------
    InputError
        If one value has two names, or two values are called background or ignore.
    """
    structures: list[Label] = []
    special: dict[str, int] = {}
    only_painted = False
    for label in labels:
        word = label.name.strip().casefold()
        kind = "background" if word in _BACKGROUND else "ignored" if word in _IGNORED else ""
        if label.value == 0:
            only_painted = only_painted or kind == "ignored"
        elif not kind:
            structures.append(label)
        elif kind in special:
            raise InputError(
                f"the values {special[kind]} and {label.value} are both called {label.name!r}; only one can be"
            )
        else:
            special[kind] = label.value
    return Meaning(LabelSet(tuple(structures)), special.get("background"), special.get("ignored"), only_painted)


def read_meaning(entry: Any, source: str) -> Meaning:
    """The meaning that a JSON file states.

    Parameters
    ----------
    entry:
        The parsed JSON: a mapping of names to values or values to names, or a list of labels; or a mapping that holds
        one of these under ``"labels"``.
    source:
        The file's name, for messages.

    Raises
    ------
    InputError
        If it is none of these, or regions overlap (a name with several values).
    """
    if isinstance(entry, Mapping) and isinstance(entry.get("labels"), Mapping | list):
        entry = entry["labels"]
    if isinstance(entry, Mapping):
        return meaning_of(_label(key, value, source) for key, value in entry.items())
    if isinstance(entry, list):
        zeros = [item for item in entry if isinstance(item, Mapping) and str(item.get("value")) == "0"]
        named = LabelSet.from_json(item for item in entry if item not in zeros)
        return meaning_of([*(_label("0", str(item.get("name", "")), source) for item in zeros), *named])
    raise InputError(f'{source} names no structures; expected "labels": {{"background": 0, "liver": 1}}')


def _label(key: Any, value: Any, source: str) -> Label:
    """One entry, whichever of the two is the number."""
    if isinstance(value, list | tuple):
        raise InputError(
            f"{source} defines overlapping regions ({key!r} is the values {', '.join(map(str, value))}), which cannot "
            "be trained yet; give every structure one value of its own"
        )
    number, name = (key, value) if isinstance(value, str) and str(key).strip().isdecimal() else (value, key)
    try:
        exact = float(number)
        if exact != int(exact) or exact < 0:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as problem:
        raise InputError(
            f"{source} gives {key!r} the label value {value!r}; expected a whole number of 0 or more"
        ) from problem
    return Label(int(exact), str(name).strip() or default_name(int(exact)), default_colour(int(exact)))


def read_json(path: Path) -> Any:
    """A parsed JSON file.

    Raises
    ------
    InputError
        If it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as problem:
        raise InputError(f"{path.name} is not valid JSON ({str(problem).splitlines()[0]}); correct it") from problem
    except OSError as problem:
        raise InputError(f"{path.name} cannot be read: {(problem.strerror or 'unknown reason').lower()}") from problem
