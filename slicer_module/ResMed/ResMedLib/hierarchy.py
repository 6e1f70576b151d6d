"""The subject hierarchy: where results are put, and which volumes lie in a folder."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

__all__ = ["beside", "item_of", "volumes_in"]


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


def volumes_in(item: int) -> list[Any]:
    """Every image volume below an item of the hierarchy, itself included, in its order; label maps are none."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    below = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, below, True)
    nodes = [hierarchy.GetItemDataNode(one) for one in (item, *(below.GetId(n) for n in range(below.GetNumberOfIds())))]
    return [
        node
        for node in nodes
        if node is not None and node.IsA("vtkMRMLVolumeNode") and not node.IsA("vtkMRMLLabelMapVolumeNode")
    ]
