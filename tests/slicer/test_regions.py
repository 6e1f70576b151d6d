from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer

from napari_resmed.errors import InputError
from ResMedLib.regions import cropped, inside
from ResMedLib.volumes import source_of
from tests.slicer import nodes


def region(centre: tuple[float, float, float], size: tuple[float, float, float], turn: np.ndarray | None = None) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
    node.SetCenter(*centre)
    node.SetSize(*size)
    if turn is not None:
        nodes.transform(turn, node)
    return node


def world_inside(node: Any, box: Any) -> np.ndarray:
    """Which voxels lie in the box, asked one by one in the world."""
    shape = slicer.util.arrayFromVolume(node).shape
    index = np.argwhere(np.ones(shape, bool))
    points = nodes.world_positions(node, index)
    to_object = np.linalg.inv(slicer.util.arrayFromVTKMatrix(box.GetObjectToWorldMatrix()))
    local = (to_object @ np.c_[points, np.ones(len(points))].T).T[:, :3]
    return (np.abs(local) <= np.array(box.GetSize()) / 2 + 1e-9).all(1).reshape(shape)


@pytest.mark.parametrize("turn", [None, nodes.TURN])
@pytest.mark.parametrize("under", [None, nodes.TURN])
def test_exactly_the_voxels_in_the_box(scene: Any, turn: np.ndarray | None, under: np.ndarray | None) -> None:
    volume = nodes.volume(nodes.bands())
    if under is not None:
        nodes.transform(under, volume)
    # Beside a voxel, so that none lies on a face.
    middle = nodes.world_positions(volume, np.array([[7.1, 7.2, 8.3]]))[0]
    if turn is not None:
        middle = (np.linalg.inv(turn) @ [*middle, 1])[:3]
    box = region(tuple(middle), (9.0, 7.0, 11.0), turn)
    source = source_of(volume)
    part = cropped(source, box)
    expected = world_inside(volume, box)
    assert 20 < np.count_nonzero(expected) < expected.size / 2
    found = np.zeros_like(expected)
    place = tuple(slice(a, a + n) for a, n in zip(part.start, part.volume.grid_shape, strict=True))
    mask = inside(part, box)
    found[place] = True if mask is None else mask
    assert np.array_equal(found, expected)
    assert np.array_equal(part.volume.data, nodes.bands()[place])
    corner = (part.volume.affine @ [0, 0, 0, 1])[:3]
    assert np.allclose(corner, (source.volume.affine @ [*part.start, 1])[:3])


def test_none_is_the_whole_volume(scene: Any) -> None:
    source = source_of(nodes.volume(nodes.bands()))
    assert cropped(source, None) is source
    assert inside(source, None) is None


def test_a_box_around_everything_masks_nothing(scene: Any) -> None:
    source = source_of(nodes.volume(nodes.bands()))
    box = region((0, 0, 0), (900.0, 900.0, 900.0))
    assert cropped(source, box).volume.grid_shape == source.volume.grid_shape
    assert inside(cropped(source, box), box) is None


def test_beside_the_volume_is_refused(scene: Any) -> None:
    source = source_of(nodes.volume(nodes.bands()))
    with pytest.raises(InputError, match="lies beside the volume"):
        cropped(source, region((900, 900, 900), (5.0, 5.0, 5.0)))


def test_a_box_without_extent_is_refused(scene: Any) -> None:
    source = source_of(nodes.volume(nodes.bands()))
    with pytest.raises(InputError, match="has no extent"):
        cropped(source, region((0, 0, 0), (0.0, 5.0, 5.0)))
