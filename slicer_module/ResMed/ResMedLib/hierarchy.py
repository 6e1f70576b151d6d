"""The subject hierarchy: where results are put, and which volumes lie in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk

__all__ = ["OVERLAY", "beside", "groups_of", "is_image", "item_of", "patient_of", "volumes_in"]

# The attribute of volumes that a model answered with; saved with the scene.
OVERLAY = "ResMed.Overlay"


def is_image(node: Any) -> bool:
    """Whether a node is an image volume, neither a label map nor what a model answered with."""
    return (
        node is not None
        and node.IsA("vtkMRMLVolumeNode")
        and not node.IsA("vtkMRMLLabelMapVolumeNode")
        and node.GetAttribute(OVERLAY) is None
    )


def beside(node: Any, results: list[Any]) -> None:
    """Put results where their volume is, in its folder or study."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    if hierarchy is None:
        return
    parent = hierarchy.GetItemParent(item_of(node))
    for result in results:
        hierarchy.SetItemParent(item_of(result), parent)


def item_of(node: Any) -> int:
    """A node's item; the application makes one for every node, so this one does where it has not."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node)
    return item or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def patient_of(node: Any) -> int:
    """The item of the patient that a node lies under; 0 where it lies under none."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    return int(hierarchy.GetItemAncestorAtLevel(item, level)) if item else 0


def groups_of(nodes: Sequence[Any]) -> list[str]:
    """Which nodes lie under one patient: "patient 1", "patient 2", ...; nothing for those that lie under none.

    Numbers for names: the names are patients', and a training writes down what it is told.
    """
    numbers: dict[int, int] = {}
    items = [patient_of(node) for node in nodes]
    return [f"patient {numbers.setdefault(item, len(numbers) + 1)}" if item else "" for item in items]


def volumes_in(item: int) -> list[Any]:
    """Every image volume below an item of the hierarchy, itself included, in its order; see :func:`is_image`."""
    if not item:
        return []
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    below = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, below, True)
    nodes = [hierarchy.GetItemDataNode(one) for one in (item, *(below.GetId(n) for n in range(below.GetNumberOfIds())))]
    return [node for node in nodes if is_image(node)]
