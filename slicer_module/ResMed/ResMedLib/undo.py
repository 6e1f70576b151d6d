"""One step back: what the last click added to the scene can be taken away again.

A scene's undo copies every node that takes part in it. So only the nodes of the last step do; earlier results stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import slicer

__all__ = ["add_node", "can_undo", "show_node", "step", "undo", "worked_on"]

# Nodes of the step that is being made.
_added: list[Any] = []
# Segmentations of the last step, and how far their voxels were changed when it was made.
_made: dict[str, int] = {}


@contextmanager
def step(*, new: bool = True) -> Iterator[None]:
    """Nodes added within are one step of :func:`undo`; where something goes wrong, none of them stays.

    Parameters
    ----------
    new:
        Whether the step is one of its own; else its nodes join the last.
    """
    if new:
        _begin()
    _added.clear()
    try:
        yield
        segmentations = [node for node in _added if node.IsA("vtkMRMLSegmentationNode")]
        _made.update({node.GetID(): _painted_at(node) for node in segmentations})
    except BaseException:
        for node in reversed(_added):
            slicer.mrmlScene.RemoveNode(node)
        if new:
            slicer.mrmlScene.ClearUndoStack()
        raise
    finally:
        _added.clear()


def add_node(kind: str, name: str) -> Any:
    """A new node of the scene, which the next :func:`undo` takes away."""
    node = slicer.mrmlScene.CreateNodeByClass(kind)
    node.UnRegister(None)  # the scene's reference is enough
    node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    node.SetUndoEnabled(True)
    node = slicer.mrmlScene.AddNode(node)
    _added.append(node)
    return node


def show_node(node: Any) -> None:
    """Give a new node its display, which goes when the node goes."""
    node.CreateDefaultDisplayNodes()
    for number in range(node.GetNumberOfDisplayNodes()):
        display = node.GetNthDisplayNode(number)
        display.SetUndoEnabled(True)
        _added.append(display)


def can_undo() -> bool:
    """Whether there is a step to take back."""
    return slicer.mrmlScene.GetNumberOfUndoLevels() > 0


def worked_on() -> list[str]:
    """Names of the last step's segmentations that were painted on since: taking it back would lose the work."""
    nodes = [(slicer.mrmlScene.GetNodeByID(key), at) for key, at in _made.items()]
    return [node.GetName() for node, at in nodes if node is not None and _painted_at(node) != at]


def undo() -> None:
    """Take the last step back; nothing where there is none."""
    if can_undo():
        slicer.mrmlScene.Undo()
        _made.clear()


def _begin() -> None:
    """Remember the scene as it is."""
    scene = slicer.mrmlScene
    scene.SetUndoOn()
    scene.ClearUndoStack()
    _made.clear()
    for number in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(number)
        if node.GetUndoEnabled() and not node.IsA("vtkMRMLScriptedModuleNode"):
            node.SetUndoEnabled(False)
    scene.SaveStateForUndo()


def _painted_at(node: Any) -> int:
    """When the voxels of a segmentation were changed last; surfaces made of them do not count."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]
    images = [one.GetRepresentation("Binary labelmap") for one in segments]
    return max((int(image.GetMTime()) for image in images if image is not None), default=0)
