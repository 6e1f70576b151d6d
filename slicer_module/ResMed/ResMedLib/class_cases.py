"""Volumes of which a person said what they are, kept in the scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ResMedLib.hierarchy import patient_of
from ResMedLib.kept_list import KeptList

__all__ = ["KEPT", "ClassCase", "class_cases_of", "remove_class_case", "say_class", "told", "trouble_with"]

KEPT = KeptList("ResMedClassCase")

# Of each class one patient at least is held out, and one at least is learnt from.
LEAST = 2


@dataclass(frozen=True)
class ClassCase:
    """A volume node, and what it is."""

    volume: Any
    class_name: str


def class_cases_of(parameter_node: Any) -> list[ClassCase]:
    """The cases whose volumes are still there, in the order they were added.

    Parameters
    ----------
    parameter_node:
        The ``vtkMRMLScriptedModuleNode`` itself.
    """
    return [ClassCase(volume, class_name) for (volume,), class_name in KEPT.read(parameter_node)]


def say_class(parameter_node: Any, volumes: Sequence[Any], class_name: str) -> None:
    """Keep what volumes are; of one that was there already, the class is another now.

    "Ill" and "ill" are one class, as it was typed first.
    """
    before = class_cases_of(parameter_node)
    kept = [one for one in before if all(one.volume is not volume for volume in volumes)]
    name = " ".join(class_name.split())
    name = next((one.class_name for one in before if one.class_name.casefold() == name.casefold()), name)
    after = [*kept, *(ClassCase(volume, name) for volume in volumes)]
    KEPT.write(parameter_node, [((one.volume,), one.class_name) for one in after])


def remove_class_case(parameter_node: Any, number: int) -> None:
    """Forget the case at a place in :func:`class_cases_of`; its volume stays."""
    KEPT.remove(parameter_node, number)


def told(cases: Sequence[ClassCase]) -> str:
    """How many there are of each class, for the panel."""
    counts = Counter(case.class_name for case in cases)
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=str.casefold))


def trouble_with(cases: Sequence[ClassCase]) -> str:
    """Why nothing can be learnt from the cases, in one sentence without its stop; empty where something can."""
    if not cases:
        return "no volume has a class yet: choose a volume or a folder, type what it is, and click Add"
    counts = Counter(case.class_name for case in cases)
    if len(counts) == 1:
        only = next(iter(counts))
        return f'everything is "{only}" so far; at least two classes are needed to tell them apart'
    patients: dict[str, set[Any]] = {name: set() for name in counts}
    for case in cases:
        # One that lies under no patient stands for itself.
        patients[case.class_name].add(patient_of(case.volume) or case.volume.GetID())
    few = next((name for name in patients if len(patients[name]) < LEAST), None)
    if few is not None:
        return (
            f'"{few}" has volumes of one patient only; each class needs two at least, one to learn from and one to '
            "judge by, and some tens make a useful model"
        )
    return ""
