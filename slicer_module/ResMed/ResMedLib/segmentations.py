"""Labels to a segmentation node: exactly the volume's voxels, with names, colours and terminology."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from napari_resmed.io.slicer_terms import terminology_entry
from napari_resmed.labels import LabelMap
from ResMedLib.undo import add_node, show_node
from ResMedLib.volumes import Source

__all__ = ["MADE_BY", "add_segmentation", "made_by"]

# Attribute of a result's node: how it was made, as JSON; it is saved with the scene.
MADE_BY = "ResMed.MadeBy"

_BINARY = "Binary labelmap"


def add_segmentation(source: Source, labels: LabelMap, name: str) -> Any:
    """A new segmentation node over a volume.

    All segments share one label map, each with its value, so that nothing is resampled and a hundred structures cost
    as much memory as one.

    Parameters
    ----------
    source:
        What was segmented; where only a part was, that part.
    labels:
        On its grid. Structures that were looked for and not found become empty segments.
    """
    node = add_node("vtkMRMLSegmentationNode", name)
    # First of all the transform and the reference: what is added then is understood in the volume's own coordinates.
    node.SetAndObserveTransformNodeID(source.node.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(source.node)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(_BINARY)
    image = _oriented_image(source, labels.data)
    changing = node.StartModify()
    for label in labels.labels.completed(labels.counts()):
        segment = slicer.vtkSegment()
        segment.SetName(label.name)
        segment.SetColor(*(part / 255 for part in label.colour))
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology_entry(label))
        segment.SetLabelValue(label.value)
        segment.AddRepresentation(_BINARY, image)
        segmentation.AddSegment(segment, f"Segment_{label.value}")
    node.EndModify(changing)
    show_node(node)
    node.SetAttribute(MADE_BY, json.dumps(dict(labels.meta.get("made_by", {}))))
    return node


def made_by(node: Any) -> dict[str, Any]:
    """How a node was made by this module; empty where it was not."""
    try:
        found = json.loads(node.GetAttribute(MADE_BY) or "{}") if node is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _oriented_image(source: Source, array: np.ndarray) -> Any:
    """The labels as Slicer keeps them: with the volume's matrix, sheared ones too, and an extent that says where."""
    image = slicer.vtkOrientedImageData()
    (k, j, i), (depth, height, width) = source.start, array.shape
    image.SetExtent(i, i + width - 1, j, j + height - 1, k, k + depth - 1)
    matrix = vtk.vtkMatrix4x4()
    slicer.util.updateVTKMatrixFromArray(matrix, source.ijk_to_ras)
    image.SetImageToWorldMatrix(matrix)
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(array).reshape(-1), deep=True)
    image.GetPointData().SetScalars(scalars)
    return image
