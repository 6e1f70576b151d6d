"""What a model found, in the labels of a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.io.structure_names import match_names
from napari_resmed.labels import LabelMap, LabelSet, smallest_integer_type

__all__ = ["in_labels_of"]


def in_labels_of(
    project: LabelSet, found: LabelMap, model: str, otherwise: Mapping[str, str] = MappingProxyType({})
) -> LabelMap:
    """A model's label map with the project's values; structures are matched by name.

    Parameters
    ----------
    project:
        The project's labels. Where there are none, the model's are taken as they are.
    found:
        What the model made.
    model:
        Its name, for the message.
    otherwise:
        By what name a structure goes where the project does not have it, such as that of both sides.

    Returns
    -------
    LabelMap
        Structures that the project does not have are background.

    Raises
    ------
    InputError
        If the model knows none of the project's structures.
    """
    if not len(project):
        return found
    own = {label.name: label for label in project}
    found_as = match_names([label.name for label in found.labels], own)
    otherwise_as = match_names({otherwise.get(label.name, "") for label in found.labels} - {""}, own)
    values = {
        label.value: own.get(found_as.get(label.name) or otherwise_as.get(otherwise.get(label.name, ""), ""))
        for label in found.labels
    }
    if not any(values.values()):
        wanted = ", ".join(label.name for label in project)
        raise InputError(
            f"{model} knows none of the project's structures ({wanted}); choose a model that does, or name the "
            "labels as it does"
        )
    table = np.zeros(int(found.data.max()) + 1, smallest_integer_type(max(project.values)))
    for value, label in values.items():
        if label is not None and value < len(table):
            table[value] = label.value
    return replace(found, data=table[found.data], labels=project)
