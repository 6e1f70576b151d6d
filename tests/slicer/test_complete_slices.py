from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed.errors import InputError
from ResMedLib.complete_slices import complete_slices, count, mark, painted_slices, shown_slice, slice_views, unmark
from ResMedLib.painted import labels_of, values_of
from ResMedLib.volumes import source_of
from tests.slicer import nodes
from tests.slicer.test_painted import box, segmentation


def plane(node: Any, axis: int, index: int) -> np.ndarray:
    """A slice view's matrix for one slice of a volume, from its voxels' places in the world."""
    start = np.full(3, 3)
    start[axis] = index
    others = [k for k in range(3) if k != axis]
    corner, first, second = nodes.world_positions(node, np.array([start, start + np.eye(3, dtype=int)[others[0]], start + np.eye(3, dtype=int)[others[1]]]))  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, 0] = (first - corner) / np.linalg.norm(first - corner)
    normal = np.cross(first - corner, second - corner)
    matrix[:3, 2] = normal / np.linalg.norm(normal)
    matrix[:3, 1] = np.cross(matrix[:3, 2], matrix[:3, 0])
    matrix[:3, 3] = corner
    return matrix


class TestShown:
    @pytest.mark.parametrize("under", [None, nodes.TURN])
    @pytest.mark.parametrize("place", [(0, 5), (1, 0), (2, 15)])
    def test_of_a_sheared_volume(self, scene: Any, under: np.ndarray | None, place: tuple[int, int]) -> None:
        node = nodes.volume(nodes.bands())
        if under is not None:
            nodes.transform(under, node)
        view = nodes.slice_view("Red", plane(node, *place))
        assert slice_views() == [view]
        assert shown_slice(source_of(node), view) == place

    def test_across_and_beside_are_refused(self, scene: Any) -> None:
        source = source_of(nodes.volume(nodes.bands(), np.eye(4)))
        turned = np.eye(4)
        turned[:3, :3] = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
        with pytest.raises(InputError, match="the Red view cuts across"):
            shown_slice(source, nodes.slice_view("Red", turned))
        far = np.eye(4)
        far[2, 3] = 90
        with pytest.raises(InputError, match="the Green view lies beside"):
            shown_slice(source, nodes.slice_view("Green", far))


class TestMarks:
    def test_marked_unmarked_and_saved(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node, source = segmentation(volume, tumour=box((3, 5), (2, 9), (3, 9))), source_of(volume)
        assert complete_slices(node, source) == []
        mark(node, source, [(0, 3), (2, 7)])
        mark(node, source, [(0, 4)])
        mark(node, source, [(2, 7)], complete=False)
        assert complete_slices(node, source) == [(0, 3), (0, 4)]
        # The transform may change; the grid is the same.
        nodes.transform(nodes.TURN, volume)
        assert complete_slices(node, source_of(volume)) == [(0, 3), (0, 4)]
        copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "copy")
        copy.Copy(node)
        assert count(copy) == 2
        unmark(node)
        assert count(node) == 0

    def test_of_another_grid_are_refused(self, scene: Any) -> None:
        volume, other = nodes.volume(nodes.bands()), nodes.volume(nodes.bands(), np.eye(4))
        node = segmentation(volume)
        mark(node, source_of(volume), [(0, 3)])
        with pytest.raises(InputError, match="marked on another volume's grid"):
            complete_slices(node, source_of(other))

    def test_those_that_are_painted(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=box((2, 12), (4, 5), (3, 13)) | box((2, 12), (8, 9), (3, 13)))
        labels, _ = labels_of(node, source_of(volume), values_of([node]))
        assert painted_slices(labels) == [(1, 4), (1, 8)]
