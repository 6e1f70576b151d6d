from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from napari_resmed import geometry
from napari_resmed.io.seg_nrrd import read_seg_nrrd
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from ResMedLib.segmentations import add_segmentation, made_by
from ResMedLib.volumes import Source, source_of
from tests.slicer import nodes

LABELS = LabelSet(
    (
        Label(1, "dark", (230, 159, 0)),
        Label(2, "Liver", (86, 180, 233), Code("SCT", "10200004", "Liver")),
        Label(
            300, "left kidney", (0, 158, 115), Code("SCT", "64033007", "Kidney"), None, Code("SCT", "7771000", "Left")
        ),
    )
)


def painted(shape: tuple[int, ...] = (14, 15, 16)) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    labels[1:4, 2:9, 3:7] = 1
    labels[5:8, 1:3, 10:16] = 2
    labels[13, 14, 15] = 300
    return labels


def added(source: Source, array: np.ndarray | None = None) -> Any:
    array = painted() if array is None else array
    labels = LabelMap(array, source.volume.affine, "zyx", meta={"made_by": {"model": "bands"}}, labels=LABELS)
    return add_segmentation(source, labels, "result")


def exported(node: Any, volume: Any) -> np.ndarray:
    """By Slicer's own export, segment by segment."""
    labels = np.zeros(slicer.util.arrayFromVolume(volume).shape[:3], np.uint16)
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        key = segmentation.GetNthSegmentID(number)
        value = segmentation.GetSegment(key).GetLabelValue()
        labels[slicer.util.arrayFromSegmentBinaryLabelmap(node, key, volume) != 0] = value
    return labels


class TestVoxels:
    @pytest.mark.parametrize("matrix", [nodes.ASKEW, nodes.TURN, np.diag([-1.0, 2, -3, 1])])
    @pytest.mark.parametrize("under", [None, nodes.ASKEW])
    def test_as_slicer_exports_them_onto_the_volume(
        self, scene: Any, matrix: np.ndarray, under: np.ndarray | None
    ) -> None:
        volume = nodes.volume(nodes.bands(), matrix)
        if under is not None:
            nodes.transform(under, volume)
        assert np.array_equal(exported(added(source_of(volume)), volume), painted())

    def test_a_transform_set_later_moves_both(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        mover = nodes.transform(np.eye(4), volume)
        node = added(source_of(volume))
        mover.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(nodes.TURN))
        assert np.array_equal(exported(node, volume), painted())

    def test_a_part_lies_in_its_place(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        whole = source_of(volume)
        part = replace(whole, volume=replace(whole.volume, data=whole.volume.data[1:9, 2:12, 3:16]), start=(1, 2, 3))
        expected = np.zeros_like(painted())
        expected[1:9, 2:12, 3:16] = painted()[1:9, 2:12, 3:16]
        assert np.array_equal(exported(added(part, painted()[1:9, 2:12, 3:16]), volume), expected)

    def test_all_segments_share_one_label_map(self, scene: Any) -> None:
        node = added(source_of(nodes.volume(nodes.bands())))
        assert node.GetSegmentation().GetNumberOfLayers() == 1


class TestMeaning:
    def test_names_colours_codes(self, scene: Any) -> None:
        segmentation = added(source_of(nodes.volume(nodes.bands()))).GetSegmentation()
        assert segmentation.GetNumberOfSegments() == 3
        segment = segmentation.GetSegment("Segment_300")
        entry = vtk.reference("")
        segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
        assert segment.GetName() == "left kidney"
        assert segment.GetColor() == pytest.approx((0, 158 / 255, 115 / 255))
        parts = str(entry).split("~")
        assert parts[1] == "SCT^123037004^Anatomical Structure"
        assert parts[2] == "SCT^64033007^Kidney"
        assert parts[3] == "SCT^7771000^Left"

    def test_slicer_understands_the_entry(self, scene: Any) -> None:
        segment = added(source_of(nodes.volume(nodes.bands()))).GetSegmentation().GetSegment("Segment_2")
        entry = slicer.vtkSlicerTerminologyEntry()
        text = vtk.reference("")
        segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
        logic = slicer.modules.terminologies.logic()
        assert logic.DeserializeTerminologyEntry(str(text), entry)
        assert entry.GetTypeObject().GetCodeMeaning() == "Liver"

    def test_how_it_was_made(self, scene: Any) -> None:
        node = added(source_of(nodes.volume(nodes.bands())))
        assert made_by(node) == {"model": "bands"}
        assert made_by(nodes.volume(nodes.bands())) == {}


class TestSaved:
    """What a person gets back who saves the scene or the segmentation."""

    def test_seg_nrrd_is_read_back_the_same_by_us(self, scene: Any, tmp_path: Path) -> None:
        turned = np.array([[0, -1.5, 0, 3], [2.0, 0, 0, -4], [0, 0, 2.5, 5], [0, 0, 0, 1]])
        node = added(source_of(nodes.volume(nodes.bands(), turned)))
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(tmp_path / "result.seg.nrrd"))
        storage.SetCropToMinimumExtent(False)
        assert storage.WriteData(node)
        (back,) = read_seg_nrrd(tmp_path / "result.seg.nrrd")
        assert [(label.value, label.name, label.code) for label in back.labels] == [
            (label.value, label.name, label.code) for label in LABELS
        ]
        assert back.labels[300].modifier == Code("SCT", "7771000", "Left")
        found = np.argwhere(back.data == 300)
        lps = (back.affine @ np.c_[found, np.ones(len(found))].T).T[:, :3]
        assert np.abs(lps - (geometry.ras_to_lps(turned) @ [13, 14, 15, 1])[:3]).max() < 1e-4
        assert np.count_nonzero(back.data == 1) == np.count_nonzero(painted() == 1)

    def test_a_bundled_scene_keeps_place_names_and_codes(self, scene: Any, tmp_path: Path) -> None:
        turned = np.array([[0, -1.5, 0, 3], [2.0, 0, 0, -4], [0, 0, 2.5, 5], [0, 0, 0, 1]])
        volume = nodes.volume(nodes.bands(), turned, "head")
        nodes.transform(nodes.TURN, volume)
        added(source_of(volume))
        for node in (volume, *slicer.util.getNodesByClass("vtkMRMLSegmentationNode")):
            node.AddDefaultStorageNode()
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        scene.Clear(True)
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
        volume = slicer.util.getFirstNodeByClassByName("vtkMRMLScalarVolumeNode", "head")
        node = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0]
        assert node.GetTransformNodeID() == volume.GetTransformNodeID() != None  # noqa: E711
        assert np.array_equal(exported(node, volume), painted())
        names = [node.GetSegmentation().GetNthSegment(number).GetName() for number in range(3)]
        assert names == ["dark", "Liver", "left kidney"]
        assert made_by(node) == {"model": "bands"}
