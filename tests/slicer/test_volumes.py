from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed import geometry
from napari_resmed.errors import InputError
from ResMedLib.volumes import SHOWN, frames_of, joined, source_of
from tests.slicer import nodes

FLIPPED = np.array([[-1.0, 0, 0, 50], [0, 2.0, 0, -60], [0, 0, -3.0, 70], [0, 0, 0, 1]])


class TestPlace:
    @pytest.mark.parametrize("matrix", [nodes.ASKEW, FLIPPED, nodes.TURN])
    @pytest.mark.parametrize("under", [None, nodes.TURN, nodes.ASKEW])
    def test_every_voxel_lies_where_the_scene_shows_it(
        self, scene: Any, matrix: np.ndarray, under: np.ndarray | None
    ) -> None:
        node = nodes.volume(nodes.bands(), matrix)
        if under is not None:
            nodes.transform(under, node)
        source = source_of(node)
        index = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 5], [13, 14, 15]])
        lps = (source.volume.affine @ np.c_[index, np.ones(len(index))].T).T[:, :3]
        assert np.abs(lps * [-1, -1, 1] - nodes.world_positions(node, index)).max() < 1e-9
        assert np.array_equal(source.volume.data, nodes.bands())

    def test_transforms_in_a_chain(self, scene: Any) -> None:
        node = nodes.volume(nodes.bands(), nodes.ASKEW)
        inner = nodes.transform(nodes.TURN, node)
        nodes.transform(nodes.ASKEW, inner)
        expected = geometry.ras_to_lps(nodes.ASKEW @ nodes.TURN @ nodes.ASKEW)
        assert np.abs(source_of(node).volume.affine - expected).max() < 1e-9

    def test_a_warp_leaves_the_volumes_own_place(self, scene: Any) -> None:
        node = nodes.volume(nodes.bands(), nodes.ASKEW)
        warp = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
        grid = slicer.vtkOrientedBSplineTransform()
        warp.SetAndObserveTransformToParent(grid)
        node.SetAndObserveTransformNodeID(warp.GetID())
        assert np.abs(source_of(node).volume.affine - geometry.ras_to_lps(nodes.ASKEW)).max() < 1e-9


class TestVoxels:
    def test_no_copy_is_made(self, scene: Any) -> None:
        node = nodes.volume(nodes.bands())
        assert np.shares_memory(source_of(node).volume.data, slicer.util.arrayFromVolume(node))

    def test_components_are_channels(self, scene: Any) -> None:
        array = np.stack([nodes.bands(), nodes.bands() + 1, nodes.bands() + 2], axis=-1)
        volume = source_of(nodes.volume(array)).volume
        assert volume.axes == "czyx"
        assert volume.channels == 3
        assert np.array_equal(volume.data[2], nodes.bands() + 2)

    def test_the_chosen_frame_or_the_one_that_is_shown(self, scene: Any) -> None:
        frames = [nodes.bands() + k for k in range(3)]
        proxy, browser = nodes.sequence(frames)
        browser.SetSelectedItemNumber(1)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        assert frames_of(proxy) == 3
        assert np.array_equal(source_of(proxy, SHOWN).volume.data, frames[1])
        assert np.array_equal(source_of(proxy, 2).volume.data, frames[2])
        with pytest.raises(InputError, match="frame 3 was asked for, the volume has 3"):
            source_of(proxy, 3)

    def test_a_frame_of_a_moved_sequence_lies_where_the_proxy_does(self, scene: Any) -> None:
        proxy, _ = nodes.sequence([nodes.bands(), nodes.bands()])
        nodes.transform(nodes.TURN, proxy)
        expected = geometry.ras_to_lps(nodes.TURN @ nodes.ASKEW)
        assert np.abs(source_of(proxy, 1).volume.affine - expected).max() < 1e-9

    def test_a_volume_that_is_no_sequence_has_one_frame(self, scene: Any) -> None:
        assert frames_of(nodes.volume(nodes.bands())) == 1

    def test_nothing_and_an_empty_node_are_refused(self, scene: Any) -> None:
        with pytest.raises(InputError, match="no volume is chosen"):
            source_of(None)
        with pytest.raises(InputError, match="holds no voxels"):
            source_of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


class TestModality:
    def test_as_the_subject_hierarchy_notes_it(self, scene: Any) -> None:
        node = nodes.volume(nodes.bands())
        assert source_of(node).volume.modality == ""
        hierarchy = scene.GetSubjectHierarchyNode()
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", "CT")
        assert source_of(node).volume.modality == "CT"

    def test_the_nodes_name_goes_nowhere(self, scene: Any) -> None:
        assert source_of(nodes.volume(nodes.bands(), name="Doe^Jane")).volume.name == ""


class TestChannels:
    def test_in_the_order_given(self, scene: Any) -> None:
        sources = [source_of(nodes.volume(nodes.bands() + k)) for k in range(2)]
        both = joined(sources)
        assert both.volume.axes == "czyx"
        assert np.array_equal(both.volume.data[1], nodes.bands() + 1)
        assert both.node is sources[0].node

    def test_of_different_grids_are_refused(self, scene: Any) -> None:
        sources = [source_of(nodes.volume(nodes.bands(), matrix)) for matrix in (nodes.ASKEW, nodes.TURN)]
        with pytest.raises(InputError, match="different grids"):
            joined(sources)
