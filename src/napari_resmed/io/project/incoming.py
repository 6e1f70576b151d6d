"""Labels that come with an image, in the labels of a project: one name is one structure, whatever its number."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.meaning import Meaning, default_name, meaning_of
from napari_resmed.io.project.description import is_unused
from napari_resmed.io.structure_names import match_names
from napari_resmed.labels import Label, LabelMap, LabelSet, smallest_integer_type, spelling

__all__ = ["in_labels_and_more", "join"]

# What a structure is called that nobody named, of whichever value.
_DEFAULT = re.compile(re.escape(default_name(0)).replace("0", r"\d+"))


def in_labels_and_more(project: LabelSet, found: LabelMap, beside: Meaning) -> tuple[LabelSet, LabelMap]:
    """A label file's structures under the project's values, and the project's labels with those that are new.

    Parameters
    ----------
    project:
        The project's labels.
    found:
        What the file holds; names of its own count first.
    beside:
        What a file of names beside the labels says.

    Raises
    ------
    InputError
        If it leaves places open, which no project has a value for, a value without a name is another structure's, or a
        value with one has the name of another by what lies beside.
    """
    own = meaning_of(label for label in found.labels if _is_named(label))
    painted = {value for value, voxels in found.counts().items() if voxels}
    nothing = {value for value in (own.background, beside.background) if value is not None and value not in own.labels}
    opened = {value for value in (own.ignored, beside.ignored) if value is not None and value not in own.labels}
    if beside.only_painted or opened & painted:
        raise InputError(
            "its labels leave places open (what is called ignore), which a project does not; paint those places, or "
            "train the folder as it is"
        )
    names = _names(own.labels, beside.labels, painted)
    for label in own.labels:
        taken = next((one[label.value].name for one in (names, project) if label.value in one), "")
        if label.value in painted and label not in names.labels and _is_named(label.called(taken)):
            raise InputError(
                f"its labels call {label.value} {label.name}, as the names beside them call another value in them; "
                "give each value the same name in both"
            )
    labels, values = join(project, names, painted - nothing)
    values |= dict.fromkeys(nothing & painted, 0)
    if all(value == place for value, place in values.items()):
        return labels, replace(found, labels=labels)
    table = np.zeros(1 + max(values), smallest_integer_type(max(values.values())))
    for value, place in values.items():
        table[value] = place
    return labels, replace(found, data=table[found.data], labels=labels)


def _names(own: LabelSet, beside: LabelSet, painted: Collection[int]) -> LabelSet:
    """What a file's values are called: by itself, then by what lies beside it, but no two alike by both."""
    found = {label.value: label for label in filter(_is_named, beside)}
    values = {label.name: label.value for label in found.values()}
    same = match_names([label.name for label in own], values)
    for label in own:
        other = values[same[label.name]] if label.name in same else label.value
        if other == label.value or other in own or other not in painted:
            found[label.value] = label
    return LabelSet(tuple(found.values()))


def join(project: LabelSet, named: LabelSet, painted: Collection[int]) -> tuple[LabelSet, dict[int, int]]:
    """The project's labels and those of a file as one set, and the value in it of each that is painted.

    Parameters
    ----------
    project:
        Its labels; each keeps its value, and its name: one that nobody named may be painted, whatever it is.
    named:
        What the file's values are called.
    painted:
        The values in it. Of the others, those are taken over that go without another value.

    Raises
    ------
    InputError
        If a painted value without a name is a label of the project, but the others are not numbered as it is.
    """
    made = {label.value: label for label in project}
    of_name = {label.name: label.value for label in project if _is_named(label)}
    once = _once(named)
    ours = match_names([label.name for label in once], of_name)
    called: dict[int, int] = {}
    for label in once:
        if label.name in ours:
            called[label.value] = of_name[ours[label.name]]
            continue
        value = label.value
        if value in made:  # it is another structure's
            if value not in painted:
                continue
            value = 1 + max({*made, *painted, *named.values})
        made[value] = replace(label, value=value)
        called[label.value] = value
    places = {value: called.get(value, value) for value in sorted(painted)}
    elsewhere = [value for value, place in called.items() if place != value]
    for value in places.keys() - called.keys():
        if elsewhere and value in project:
            other = elsewhere[0]
            raise InputError(
                f"its labels call {other} {made[called[other]].name}, which is {called[other]} here, and give {value} "
                "no name that would tell what it is; name the structures in the file"
            )
    return LabelSet(tuple(made.values())).completed(places.values()), places


def _once(named: LabelSet) -> list[Label]:
    """The named ones, each with a name of its own: a second "Lesion" is "Lesion 2", unless another is called so."""
    labels = [label.called(label.name.strip()) for label in named if _is_named(label)]
    known = {spelling(label.name) for label in labels}
    found: dict[str, Label] = {}
    for label in labels:
        name, number = label.name, 2
        while spelling(name) in found or (name != label.name and spelling(name) in known):
            name, number = f"{label.name} {number}", number + 1
        found[spelling(name)] = label.called(name)
    return list(found.values())


def _is_named(label: Label) -> bool:
    name = label.name.strip()
    return bool(name) and not _DEFAULT.fullmatch(name.casefold()) and not is_unused(name)
