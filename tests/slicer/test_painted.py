from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed.errors import InputError
from ResMedLib.painted import labels_of, reference_of, values_of
from ResMedLib.volumes import source_of
from tests.slicer import nodes


def segmentation(volume: Any, **segments: np.ndarray) -> Any:
    """Painted as the Segment Editor does it: over a volume, under its transform."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "painted")
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, mask in segments.items():
        key = node.GetSegmentation().AddEmptySegment(name, name, (1.0, 0.5, 0.0))
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, key, volume)
    return node


def box(*bounds: tuple[int, int], shape: tuple[int, int, int] = (14, 15, 16)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*one) for one in bounds)] = True
    return mask


ONE, TWO = box((1, 5), (2, 6), (3, 9)), box((6, 13), (1, 4), (2, 14))


class TestVoxels:
    @pytest.mark.parametrize("under", [None, nodes.TURN, nodes.ASKEW])
    def test_on_the_volumes_grid(self, scene: Any, under: np.ndarray | None) -> None:
        volume = nodes.volume(nodes.bands())
        if under is not None:
            nodes.transform(under, volume)
        node = segmentation(volume, tumour=ONE, cyst=TWO)
        labels, notes = labels_of(node, source_of(volume), values_of([node]))
        assert np.array_equal(labels.data, np.where(ONE, 1, np.where(TWO, 2, 0)))
        assert np.allclose(labels.affine, source_of(volume).volume.affine)
        assert notes == []

    def test_from_another_grid_and_another_transform(self, scene: Any) -> None:
        # The fine volume has two voxels for each of the coarse one's along every axis, over the same part of space.
        fine_matrix = np.diag([1.0, 1, 1, 1])
        coarse_matrix = np.array([[2.0, 0, 0, 0.5], [0, 2.0, 0, 0.5], [0, 0, 2.0, 0.5], [0, 0, 0, 1]])
        fine = nodes.volume(nodes.bands((20, 22, 24)), fine_matrix, "fine")
        coarse = nodes.volume(nodes.bands((10, 11, 12)), coarse_matrix, "coarse")
        nodes.transform(nodes.TURN, coarse)
        fine.SetAndObserveTransformNodeID(None)
        mask = box((2, 6), (3, 7), (4, 10), shape=(10, 11, 12))
        node = segmentation(coarse, tumour=mask)
        moved = nodes.transform(nodes.TURN, fine)  # another transform node with the same matrix
        assert moved.GetID() != coarse.GetTransformNodeID()
        labels, _ = labels_of(node, source_of(fine), values_of([node]))
        assert np.array_equal(labels.data, np.kron(mask, np.ones((2, 2, 2))))

    def test_beside_the_volume_is_refused(self, scene: Any) -> None:
        volume, other = nodes.volume(nodes.bands()), nodes.volume(nodes.bands(), name="other")
        far = np.eye(4)
        far[:3, 3] = 500
        nodes.transform(far, other)
        node = segmentation(other, tumour=ONE)
        with pytest.raises(InputError, match="nothing is painted over the volume"):
            labels_of(node, source_of(volume), values_of([node]))

    def test_overlap_is_told(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=ONE)
        key = node.GetSegmentation().AddEmptySegment("core", "core")
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            box((2, 4), (3, 5), (4, 8)).astype(np.uint8), node, key, volume
        )
        labels, notes = labels_of(node, source_of(volume), values_of([node]))
        if node.GetSegmentation().GetNumberOfLayers() > 1:
            assert notes == ["segments overlap in 16 voxels, where the later one counts"]
        assert np.count_nonzero(labels.data == 2) == 16

    def test_the_scene_is_left_as_it_was(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=ONE)
        before = scene.GetNumberOfNodes()
        labels_of(node, source_of(volume), values_of([node]))
        assert scene.GetNumberOfNodes() == before


class TestMeaning:
    def test_one_value_for_one_name_in_all_cases(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        first, second = segmentation(volume, tumour=ONE, cyst=TWO), segmentation(volume, cyst=ONE, Tumour=TWO)
        values = values_of([first, second])
        assert values == {"tumour": 1, "cyst": 2}
        labels, _ = labels_of(second, source_of(volume), values)
        assert np.array_equal(labels.data, np.where(ONE, 2, np.where(TWO, 1, 0)))
        assert labels.labels[1].name == "Tumour"
        assert labels.labels[2].colour == (255, 128, 0)

    def test_the_volume_it_was_drawn_over(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        assert reference_of(segmentation(volume, tumour=ONE)) is volume
