"""The cases to learn from, kept in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ResMedLib.kept_list import KeptList

__all__ = ["KEPT", "TrainCase", "add_case", "cases_of", "remove_case"]

KEPT = KeptList("ResMedCase")


@dataclass(frozen=True)
class TrainCase:
    """Nodes of the scene that belong together.

    Parameters
    ----------
    segmentation:
        What was painted.
    volumes:
        Over what, one a channel, in the order of the channels; none where training paints the images.
    """

    segmentation: Any
    volumes: tuple[Any, ...]


def cases_of(parameter_node: Any) -> list[TrainCase]:
    """The cases whose nodes are still there, in the order they were added.

    Parameters
    ----------
    parameter_node:
        The ``vtkMRMLScriptedModuleNode`` itself.
    """
    return [TrainCase(nodes[0], tuple(nodes[1:])) for nodes, _ in KEPT.read(parameter_node)]


def add_case(parameter_node: Any, case: TrainCase) -> None:
    """Add a case; one with the same segmentation takes the place of the one before."""
    kept = [one for one in cases_of(parameter_node) if one.segmentation is not case.segmentation]
    KEPT.write(parameter_node, [((one.segmentation, *one.volumes), "") for one in (*kept, case)])


def remove_case(parameter_node: Any, number: int) -> None:
    """Forget the case at a place in :func:`cases_of`; its nodes stay."""
    KEPT.remove(parameter_node, number)
