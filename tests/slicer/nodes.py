"""Nodes for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

# Neither turned nor sheared alone, and left-handed: a gantry tilt of an oblique volume with a flipped axis.
ASKEW = np.array([[1.1, 0.3, 0.2, -12], [-0.2, -1.4, 0.6, 31], [0.1, 0.4, 2.1, 7], [0, 0, 0, 1.0]])
TURN = np.array([[0, -1, 0, 10], [1, 0, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1.0]])


def bands(shape: tuple[int, int, int] = (14, 15, 16)) -> np.ndarray:
    """Voxels of 0..99: dark, middle and bright parts without symmetry."""
    z, y, x = np.indices(shape)
    return ((7 * z + 3 * y + 5 * x) % 100).astype(np.int16)


def volume(array: np.ndarray, matrix: np.ndarray = ASKEW, name: str = "volume") -> Any:
    """A scalar volume; of ``(k, j, i, c)`` a vector volume."""
    kind = "vtkMRMLVectorVolumeNode" if array.ndim == 4 else "vtkMRMLScalarVolumeNode"
    node = slicer.util.addVolumeFromArray(array, ijkToRAS=matrix, name=name, nodeClassName=kind)
    node.CreateDefaultDisplayNodes()
    return node


def transform(matrix: np.ndarray, *nodes: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "transform")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    for one in nodes:
        one.SetAndObserveTransformNodeID(node.GetID())
    return node


def folder(name: str, *nodes: Any) -> int:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)
    for node in nodes:
        found = hierarchy.GetItemByDataNode(node)
        if found:
            hierarchy.SetItemParent(found, item)
        else:
            hierarchy.CreateItem(item, node)
    return int(item)


def patient(name: str, *nodes: Any) -> int:
    """A patient of the subject hierarchy with a study that holds the nodes."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), name)
    study = hierarchy.CreateStudyItem(item, "study")
    for node in nodes:
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(study, node), study)
    return int(item)


def slice_view(name: str, to_ras: np.ndarray) -> Any:
    """A slice view that shows the plane through the matrix' last column, across its third."""
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", name)
    view.SetLayoutName(name)
    view.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(to_ras))
    return view


def sequence(frames: list[np.ndarray], matrix: np.ndarray = ASKEW) -> tuple[Any, Any]:
    """A sequence's proxy volume and its browser; the first frame is shown."""
    made = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "sequence")
    for number, frame in enumerate(frames):
        one = volume(frame, matrix, f"frame {number}")
        made.SetDataNodeAtValue(one, str(number))
        slicer.mrmlScene.RemoveNode(one)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(made.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(made), browser


def world_positions(node: Any, index: np.ndarray) -> np.ndarray:
    """Where voxels ``(k, j, i)`` of a volume node lie in the world, RAS, its transforms included."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    local = slicer.util.arrayFromVTKMatrix(matrix)
    parent = node.GetParentTransformNode()
    if parent is not None:
        parent.GetMatrixTransformToWorld(matrix)
        local = slicer.util.arrayFromVTKMatrix(matrix) @ local
    points = np.c_[index[:, ::-1], np.ones(len(index))]
    return (local @ points.T).T[:, :3]
