"""One step back: what the last click added to the scene can be taken away again.

A scene's undo copies every node that takes part in it. So only the nodes of the last step do; earlier results stay.
"""

from __future__ import annotations

from typing import Any

import slicer

__all__ = ["add_node", "begin_step", "can_undo", "show_node", "undo"]


def begin_step() -> None:
    """Remember the scene as it is; nodes of :func:`add_node` are the step's."""
    scene = slicer.mrmlScene
    scene.SetUndoOn()
    scene.ClearUndoStack()
    for number in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(number)
        if node.GetUndoEnabled() and not node.IsA("vtkMRMLScriptedModuleNode"):
            node.SetUndoEnabled(False)
    scene.SaveStateForUndo()


def add_node(kind: str, name: str) -> Any:
    """A new node of the scene, which the next :func:`undo` takes away."""
    node = slicer.mrmlScene.CreateNodeByClass(kind)
    node.UnRegister(None)  # the scene's reference is enough
    node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    node.SetUndoEnabled(True)
    return slicer.mrmlScene.AddNode(node)


def show_node(node: Any) -> None:
    """Give a new node its display, which goes when the node goes."""
    node.CreateDefaultDisplayNodes()
    for number in range(node.GetNumberOfDisplayNodes()):
        node.GetNthDisplayNode(number).SetUndoEnabled(True)


def can_undo() -> bool:
    """Whether there is a step to take back."""
    return slicer.mrmlScene.GetNumberOfUndoLevels() > 0


def undo() -> None:
    """Take the last step back; nothing where there is none."""
    if can_undo():
        slicer.mrmlScene.Undo()
