"""Volume nodes as values: voxels, and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import slicer
import vtk

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = ["SHOWN", "Source", "frames_of", "joined", "source_of"]

# The frame of a sequence that the scene shows now.
SHOWN = -1
# How the DICOM module notes a series' modality in the subject hierarchy.
_MODALITY = "DICOM.Modality"


@dataclass(frozen=True, eq=False)
class Source:
    """A volume node as it was at one moment.

    Parameters
    ----------
    node:
        What results are put beside.
    volume:
        Its voxels where they lie in the world, the node's linear transforms included.
    ijk_to_ras:
        4x4, index ``(i, j, k)`` to the node's own coordinates, RAS: those its results have as well, under the same
        transform.
    start:
        Voxel ``(z, y, x)`` of the node that is the volume's first; not zero where only a part was taken.
    """

    node: Any
    volume: Volume
    ijk_to_ras: np.ndarray
    start: tuple[int, int, int] = (0, 0, 0)


def source_of(node: Any, frame: int = SHOWN) -> Source:
    """The voxels of a volume node and their place in the world.

    Voxels are not copied: they must not change until they were handed over.

    Parameters
    ----------
    node:
        A scalar, label map or vector volume. Under a transform that is not linear the voxels are taken where they lie
        without it; results that are put under the same transform are warped along.
    frame:
        Of a sequence: which item, from 0; :data:`SHOWN` takes what the node shows.

    Raises
    ------
    InputError
        If there are no voxels, the frame is not there, or no image can have that geometry.
    """
    if node is None:
        raise InputError("no volume is chosen; choose one")
    shown = node if frame == SHOWN else _frame(node, frame)
    if shown.GetImageData() is None or shown.GetImageData().GetNumberOfPoints() == 0:
        raise InputError("the volume holds no voxels; load or choose another one")
    matrix = vtk.vtkMatrix4x4()
    shown.GetIJKToRASMatrix(matrix)
    ijk_to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    try:
        array = slicer.util.arrayFromVolume(shown)
    except RuntimeError as problem:
        raise InputError("the volume is of a kind that is no image; choose a scalar or a vector volume") from problem
    if array.ndim not in (3, 4):
        raise InputError(f"the volume has {array.ndim - 3} axes of components, expected one at most; choose an image")
    if array.ndim == 4:
        array = np.moveaxis(array, -1, 0)
    volume = Volume(
        array,
        geometry.ras_to_lps(_to_world(node) @ ijk_to_ras),
        "zyx" if array.ndim == 3 else "czyx",
        modality=_modality(node),
    )
    return Source(node, volume, ijk_to_ras)


def joined(sources: list[Source]) -> Source:
    """Several volumes as the channels of one.

    Raises
    ------
    InputError
        If there is none, or their grids differ.
    """
    if not sources:
        raise InputError("no volume is chosen; choose one")
    first = sources[0]
    if len(sources) == 1:
        return first
    if not all(one.volume.same_grid(first.volume) for one in sources):
        raise InputError(
            "the volumes have different grids, expected one for all channels; bring them onto one with the module "
            "Resample Scalar/Vector/DWI Volume"
        )
    parts = [one.volume.data if "c" in one.volume.axes else one.volume.data[None] for one in sources]
    return replace(first, volume=first.volume.with_data(np.concatenate(parts), "czyx"))


def frames_of(node: Any) -> int:
    """How many frames a volume has in time; 1 where it is no sequence's."""
    sequence = _sequence(node) if node is not None else None
    return sequence.GetNumberOfDataNodes() if sequence is not None else 1


def _frame(node: Any, frame: int) -> Any:
    sequence = _sequence(node)
    count = sequence.GetNumberOfDataNodes() if sequence is not None else 1
    if not 0 <= frame < count:
        raise InputError(f"frame {frame} was asked for, the volume has {count}; choose 0 to {count - 1}")
    return node if sequence is None else sequence.GetNthDataNode(frame)


def _sequence(node: Any) -> Any:
    """The sequence whose current item a node shows; None where there is none."""
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(node)
    return browser.GetSequenceNode(node) if browser is not None else None


def _to_world(node: Any) -> np.ndarray:
    """4x4 from a node's own coordinates to the world's, RAS."""
    parent = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if parent is not None and parent.IsTransformToWorldLinear():
        parent.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _modality(node: Any) -> str:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    return hierarchy.GetItemAttribute(item, _MODALITY) or "" if item else ""
