"""Segments that were painted, as the labels of a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import slicer
import vtk

from napari_resmed.errors import InputError
from napari_resmed.io.slicer_terms import codes_of
from napari_resmed.labels import Label, LabelMap, LabelSet, smallest_integer_type
from ResMedLib.volumes import Source, joined, source_of

__all__ = ["labels_of", "lying_on", "reference_of", "values_of"]


def labels_of(segmentation: Any, source: Source, values: dict[str, int]) -> tuple[LabelMap, list[str]]:
    """What is painted, on a volume's grid.

    Segments on another grid, or under another transform, are brought onto it by Slicer's own export: the nearest
    voxel, each segment by itself.

    Parameters
    ----------
    segmentation:
        Of the scene; not changed.
    source:
        Over which volume it was painted; see :func:`lying_on`.
    values:
        Label value of every segment's name, the same for all that is learnt from together; see :func:`values_of`.

    Returns
    -------
    labels, notes
        The map, and sentences that a person should read.

    Raises
    ------
    InputError
        If nothing is painted where the volume lies.
    """
    segments = _segments(segmentation)
    labels = np.zeros(source.volume.grid_shape, smallest_integer_type(max(values.values(), default=0)))
    known: dict[int, Label] = {}
    twice = 0
    for ids in _exported_together(segmentation, [key for key, _ in segments]):
        numbers = _export(segmentation, ids, source)
        painted = numbers != 0
        twice += int(np.count_nonzero(painted & (labels != 0)))
        table = np.array([0, *(values[_name(segmentation, key)] for key in ids)], labels.dtype)
        np.copyto(labels, table[numbers], where=painted)
    for key, segment in segments:
        value = values[_name(segmentation, key)]
        red, green, blue = (round(part * 255) for part in segment.GetColor())
        known.setdefault(value, Label(value, segment.GetName().strip(), (red, green, blue), **_codes(segment)))
    if not labels.any():
        raise InputError("nothing is painted over the volume; paint segments on it, or choose the volume they lie on")
    notes = [f"segments overlap in {twice} voxels, where the later one counts"] if twice else []
    return LabelMap(labels, source.volume.affine, "zyx", labels=LabelSet(tuple(known.values()))), notes


@contextmanager
def lying_on(segmentation: Any, volumes: Sequence[Any]) -> Iterator[Source]:
    """Volumes as the channels of one; where there is none, one without meaning on the segmentation's own grid.

    That one is in the scene within this alone.

    Raises
    ------
    InputError
        If the volumes cannot be joined, or the segmentation has no grid of its own.
    """
    if volumes:
        yield joined([source_of(node) for node in volumes])
        return
    extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    geometry = segmentation.GetSegmentation().DetermineCommonLabelmapGeometry(extent, None)
    empty = slicer.vtkOrientedImageData()
    if not geometry or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(geometry, empty, True):
        raise InputError("the segmentation has no voxels of its own; choose the volume it lies over")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "ResMed grid")
    try:
        node.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
        slicer.modules.segmentations.logic().CreateLabelmapVolumeFromOrientedImageData(empty, node)
        yield source_of(node)
    finally:
        _remove(node, node.GetDisplayNode())


def values_of(segmentations: list[Any]) -> dict[str, int]:
    """A label value for every name of a segment, in order of appearance; capital letters and spaces do not matter."""
    values: dict[str, int] = {}
    for node in segmentations:
        for key, _ in _segments(node):
            values.setdefault(_name(node, key), len(values) + 1)
    return values


def reference_of(segmentation: Any) -> Any:
    """The volume a segmentation was drawn over; None where it names none."""
    return segmentation.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _segments(node: Any) -> list[tuple[str, Any]]:
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    return [(one, segmentation.GetSegment(one)) for one in ids]


def _name(node: Any, key: str) -> str:
    return " ".join(node.GetSegmentation().GetSegment(key).GetName().split()).casefold()


def _exported_together(node: Any, ids: list[str]) -> list[list[str]]:
    """Groups of segments that cannot overlap: one layer at a time where there are several."""
    if not ids:
        return []
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfLayers() <= 1:
        return [ids]
    return [[one] for one in ids]


def _export(node: Any, ids: list[str], source: Source) -> np.ndarray:
    """Segments on the volume's grid as the numbers 1, 2, ... in the order given."""
    wanted = vtk.vtkStringArray()
    for one in ids:
        wanted.InsertNextValue(one)
    label_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "ResMed export")
    try:
        logic = slicer.modules.segmentations.logic()
        if not logic.ExportSegmentsToLabelmapNode(node, wanted, label_node, source.node):
            raise InputError("Slicer could not make a label map of the segments; check that they hold anything")
        whole = np.array(slicer.util.arrayFromVolume(label_node))
    finally:
        display = label_node.GetDisplayNode()
        _remove(label_node, display, display.GetColorNode() if display is not None else None)
    return whole[tuple(slice(a, a + n) for a, n in zip(source.start, source.volume.grid_shape, strict=True))]


def _remove(*nodes: Any) -> None:
    for node in nodes:
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)


def _codes(segment: Any) -> dict[str, Any]:
    entry = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
    return codes_of(str(entry))
