"""Images a model answers with - heat maps, uncertainty - as volumes over the one that was looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from napari_resmed.volume import Volume
from ResMedLib.hierarchy import OVERLAY
from ResMedLib.undo import add_node, show_node
from ResMedLib.volumes import Source

__all__ = ["add_overlay", "show_over"]

# Slicer's built-in colours from black over red to white, in growing brightness for whoever sees colours otherwise.
HEAT = "vtkMRMLColorTableNodeIron"
# Below this share of the largest value nothing is shown: the image itself should be seen there.
LEAST_SHOWN = 0.2
OPACITY = 0.5


def add_overlay(source: Source, image: Volume, name: str) -> Any:
    """A new volume node with the geometry and the transform of the one it is about.

    Parameters
    ----------
    source:
        What was looked at; where only a part was, that part.
    image:
        On its grid, ``zyx``, 0 to 1.
    """
    matrix = source.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, :3] @ np.array(source.start[::-1], dtype=float)
    data = np.ascontiguousarray(image.data, dtype=np.float32)
    node = add_node("vtkMRMLScalarVolumeNode", name)
    node.SetAttribute(OVERLAY, "yes")
    ijk_to_ras = vtk.vtkMatrix4x4()
    slicer.util.updateVTKMatrixFromArray(ijk_to_ras, matrix)
    node.SetIJKToRASMatrix(ijk_to_ras)
    slicer.util.updateVolumeFromArray(node, data)
    node.SetAndObserveTransformNodeID(source.node.GetTransformNodeID())
    show_node(node)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(HEAT)
    largest = max(float(data.max()), 1e-6)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, largest)
    display.SetThreshold(LEAST_SHOWN * largest, largest)
    display.SetApplyThreshold(True)
    return node


def show_over(background: Any, overlay: Any) -> None:
    """Show an overlay over its image in every slice view."""
    slicer.util.setSliceViewerLayers(background=background, foreground=overlay, foregroundOpacity=OPACITY)
