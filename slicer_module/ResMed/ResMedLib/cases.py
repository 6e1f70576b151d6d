"""The cases to learn from, kept in the scene as references of the parameter node.

Nodes may get other IDs when a scene is loaded into another, and references follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["TrainCase", "add_case", "cases_of", "remove_case"]

_SEGMENTATION = "ResMedCase{}Segmentation"
_VOLUMES = "ResMedCase{}Volumes"
_COUNT = "ResMedCases"
_CHANNELS = "ResMedCase{}Channels"


@dataclass(frozen=True)
class TrainCase:
    """Nodes of the scene that belong together.

    Parameters
    ----------
    segmentation:
        What was painted.
    volumes:
        Over what, one a channel, in the order of the channels.
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
    found = []
    for number in range(int(parameter_node.GetParameter(_COUNT) or 0)):
        segmentation = parameter_node.GetNodeReference(_SEGMENTATION.format(number))
        role = _VOLUMES.format(number)
        places = range(parameter_node.GetNumberOfNodeReferences(role))
        volumes = [parameter_node.GetNthNodeReference(role, place) for place in places]
        # A case that lost a channel is another case, so it is none.
        whole = len(volumes) == int(parameter_node.GetParameter(_CHANNELS.format(number)) or 0)
        if segmentation is not None and volumes and whole and None not in volumes:
            found.append(TrainCase(segmentation, tuple(volumes)))
    return found


def add_case(parameter_node: Any, case: TrainCase) -> None:
    """Add a case; one with the same segmentation takes the place of the one before."""
    kept = [one for one in cases_of(parameter_node) if one.segmentation is not case.segmentation]
    _write(parameter_node, [*kept, case])


def remove_case(parameter_node: Any, number: int) -> None:
    """Forget the case at a place in :func:`cases_of`; its nodes stay."""
    kept = cases_of(parameter_node)
    if 0 <= number < len(kept):
        del kept[number]
        _write(parameter_node, kept)


def _write(node: Any, cases: list[TrainCase]) -> None:
    changing = node.StartModify()
    for number in range(int(node.GetParameter(_COUNT) or 0)):
        node.RemoveNodeReferenceIDs(_SEGMENTATION.format(number))
        node.RemoveNodeReferenceIDs(_VOLUMES.format(number))
    for number, case in enumerate(cases):
        node.SetNodeReferenceID(_SEGMENTATION.format(number), case.segmentation.GetID())
        node.SetParameter(_CHANNELS.format(number), str(len(case.volumes)))
        for volume in case.volumes:
            node.AddNodeReferenceID(_VOLUMES.format(number), volume.GetID())
    node.SetParameter(_COUNT, str(len(cases)))
    node.EndModify(changing)
