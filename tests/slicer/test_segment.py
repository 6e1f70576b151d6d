"""From a click to nodes, with the real worker and a real model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed import geometry, io
from napari_resmed.errors import InputError
from napari_resmed.events import Failed, Finished, Progress
from napari_resmed.volume import Volume
from ResMedLib.engines import shared_engine
from ResMedLib.segment import segment
from ResMedLib.tables import add_volume_table
from ResMedLib.undo import can_undo, undo
from tests.slicer import nodes
from tests.slicer.test_segmentations import exported
from tests.small_models import describe, save

OPTIONS = {"device": "cpu", "precision": "fp32"}


def done(*arguments: Any, **options: Any) -> Any:
    events: list[Any] = []
    last = segment(*arguments, events.append, **OPTIONS, **options).wait()
    assert isinstance(last, Finished), last
    assert events[-1] is last
    assert any(isinstance(event, Progress) for event in events)
    return last.result


def expected(array: np.ndarray, ijk_to_world: np.ndarray) -> np.ndarray:
    """The worker's answer to the same voxels at the same place, without MRML."""
    got: list[Any] = []
    volume = Volume(array, geometry.ras_to_lps(ijk_to_world))
    ticket = shared_engine().submit("segment", {"image": volume, "model": "bands", **OPTIONS}, got.append)
    assert ticket.done.wait(600)
    labels = got[-1].result["labels"].data
    assert len(np.unique(labels)) == 4
    return labels


class TestPlace:
    @pytest.mark.parametrize("matrix", [nodes.ASKEW, np.diag([-1.0, 1, -2, 1])])
    @pytest.mark.parametrize("under", [None, nodes.TURN])
    def test_voxel_for_voxel(self, worker: Path, matrix: np.ndarray, under: np.ndarray | None) -> None:
        node = nodes.volume(nodes.bands(), matrix)
        if under is not None:
            nodes.transform(under, node)
        made = done([node], "bands")
        world = matrix if under is None else under @ matrix
        assert np.array_equal(exported(made.segmentation, node), expected(nodes.bands(), world))
        assert made.segmentation.GetTransformNodeID() == node.GetTransformNodeID()

    def test_as_the_command_line_on_the_same_file(self, worker: Path, tmp_path: Path) -> None:
        """Positions in the patient, each side reading the file by its own reader."""
        turned = np.array([[0, -1.6, 0, 13], [1.2, 0, 0, -24], [0, 0, -2.0, 35], [0, 0, 0, 1]])
        image, labels = tmp_path / "image.nii.gz", tmp_path / "labels.nii.gz"
        io.write(Volume(nodes.bands(), geometry.ras_to_lps(turned)), image)
        line = [sys.executable, "-m", "napari_resmed", "segment", str(image), "-o", str(labels), "-m", "bands"]
        subprocess.run([*line, "--device", "cpu", "--precision", "fp32"], check=True, capture_output=True)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "image")
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(str(image))
        assert storage.ReadData(node)
        made = done([node], "bands")
        ours = exported(made.segmentation, node)
        theirs = io.read(labels)
        for value in (1, 2, 300):
            here = nodes.world_positions(node, np.argwhere(ours == value)) * [-1, -1, 1]
            index = np.argwhere(theirs.data == value)
            there = (theirs.affine @ np.c_[index, np.ones(len(index))].T).T[:, :3]
            assert len(here) == len(there) > 0
            # Their order differs with the axes; a thousandth of a millimetre apart is the same place.
            order, other = (np.lexsort(np.round(one, 2).T) for one in (here, there))
            assert np.abs(here[order] - there[other]).max() < 1e-3


class TestResult:
    def test_beside_the_volume_with_a_table(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands(), np.eye(4), "T1")
        item = nodes.folder("study", node)
        made = done([node], "bands")
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        for one in (made.segmentation, made.table):
            assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(one)) == item
        table = made.table.GetTable()
        assert [table.GetColumnName(n) for n in range(4)] == ["Structure", "Value", "Voxels", "Volume (mL)"]
        rows = {
            table.GetValue(row, 0).ToString(): table.GetValue(row, 2).ToInt() for row in range(table.GetNumberOfRows())
        }
        labels = exported(made.segmentation, node)
        assert rows == {
            name: int((labels == value).sum()) for name, value in (("dark", 1), ("middle", 2), ("bright", 300))
        }
        assert made.table.GetTable().GetValue(0, 3).ToDouble() == pytest.approx(rows["dark"] / 1000)
        assert made.segmentation.GetName() == "T1 bands"

    def test_uncertainty_lies_over_the_volume(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        nodes.transform(nodes.TURN, node)
        made = done([node], "bands", uncertainty=True)
        index = np.array([[0, 0, 0], [13, 14, 15]])
        assert np.allclose(nodes.world_positions(made.uncertainty, index), nodes.world_positions(node, index))
        array = slicer.util.arrayFromVolume(made.uncertainty)
        assert array.shape == (14, 15, 16)
        assert 0 <= array.min() < array.max() <= 1
        assert made.table.GetTable().GetColumnName(4) == "Unsure"

    def test_of_what_was_not_found_it_is_not_known_how_unsure(self, scene: Any) -> None:
        row = {"value": 1, "voxels": 0, "volume_ml": 0.0}
        table = add_volume_table(
            "t", [{**row, "name": "a", "uncertainty": None}, {**row, "name": "b", "uncertainty": 0.5}]
        )
        unsure = [table.GetTable().GetValue(line, 4).ToDouble() for line in (0, 1)]
        assert np.isnan(unsure[0])
        assert unsure[1] == 0.5

    def test_one_undo_takes_everything_back(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        earlier = done([node], "bands").segmentation
        before = slicer.mrmlScene.GetNumberOfNodes()
        done([node], "bands", uncertainty=True)
        assert can_undo()
        undo()
        assert slicer.mrmlScene.GetNumberOfNodes() == before
        assert slicer.mrmlScene.IsNodePresent(earlier)
        assert slicer.mrmlScene.IsNodePresent(node)
        assert not can_undo()

    def test_only_the_region_of_interest(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands(), np.eye(4))
        box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
        box.SetCenter(8.0, 7.0, 6.0)
        box.SetSize(6.5, 4.5, 8.5)
        made = done([node], "bands", region=box)
        labels = exported(made.segmentation, node)
        part = (slice(2, 11), slice(5, 10), slice(5, 12))
        wanted = np.zeros_like(labels)
        wanted[part] = expected(nodes.bands()[part], np.eye(4))  # the model looks at nothing else
        assert np.array_equal(labels, wanted)
        table = made.table.GetTable()
        counted = sum(table.GetValue(row, 2).ToInt() for row in range(table.GetNumberOfRows()))
        assert counted == np.count_nonzero(wanted)

    def test_how_unsure_it_is_within_a_turned_region(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
        box.SetCenter(*nodes.world_positions(node, np.array([[6, 7, 8]]))[0])
        box.SetSize(12.0, 10.0, 14.0)
        made = done([node], "bands", region=box, uncertainty=True)
        assert made.table.GetTable().GetColumnName(4) == "Unsure"

    def test_the_chosen_frame(self, worker: Path) -> None:
        frames = [nodes.bands(), nodes.bands()[::-1].copy()]
        proxy, _ = nodes.sequence(frames, np.eye(4))
        made = done([proxy], "bands", frame=1)
        assert np.array_equal(exported(made.segmentation, proxy), expected(frames[1], np.eye(4)))
        assert made.segmentation.GetName().endswith("frame 1")

    def test_a_quick_look_is_named_so(self, worker: Path) -> None:
        save(replace(describe("two speeds"), quick_spacing_mm=2.5), worker)
        node = nodes.volume(nodes.bands(), np.eye(4), "T1")
        assert done([node], "two speeds").segmentation.GetName() == "T1 two speeds"
        look = done([node], "two speeds", quick=True)
        assert look.segmentation.GetName() == "T1 two speeds quick look"
        assert look.table.GetName() == "T1 two speeds quick look volumes"

    def test_the_volume_is_not_changed(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        done([node], "bands")
        assert np.array_equal(slicer.util.arrayFromVolume(node), nodes.bands())


class TestRefused:
    def test_too_many_channels_in_the_workers_words(self, worker: Path) -> None:
        both = [nodes.volume(nodes.bands()) for _ in range(2)]
        last = segment(both, "bands", lambda event: None, **OPTIONS).wait()
        assert isinstance(last, Failed)
        assert last.kind == "input"
        assert "the image has 2 channels, the model bands takes 1" in last.message

    def test_no_volume(self, worker: Path) -> None:
        with pytest.raises(InputError, match="no volume is chosen"):
            segment([None], "bands", lambda event: None)

    def test_a_volume_that_is_moved_meanwhile_drops_its_result(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        job = segment([node], "bands", lambda event: None, **OPTIONS)
        node.SetOrigin(*(edge + 5 for edge in node.GetOrigin()))
        last = job.wait()
        assert isinstance(last, Failed)
        assert "geometry was changed while it was segmented" in last.message
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0

    def test_a_volume_that_is_removed_meanwhile_drops_its_result(self, worker: Path) -> None:
        node = nodes.volume(nodes.bands())
        job = segment([node], "bands", lambda event: None, **OPTIONS)
        slicer.mrmlScene.RemoveNode(node)
        last = job.wait()
        assert isinstance(last, Failed)
        assert "was removed while it was segmented" in last.message
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
