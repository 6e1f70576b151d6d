from __future__ import annotations

from collections.abc import Callable

import napari
import numpy as np
import pytest
from napari.layers import Image

from napari_resmed.viewer.classify.class_table import percent
from napari_resmed.viewer.classify.heat_layer import heat_attributes, strongest_in_layer
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume, volume_to_layer
from napari_resmed.volume import Volume
from tests.affines import make_affine

TURNED = make_affine((2, 0, 1), (-1, 1, -1), spacing_mm=(2, 1, 1.5))


def layer_of(volume: Volume) -> Image:
    data, attributes, _ = volume_to_layer(volume)
    return Image(data, **attributes)


def over(heat: Volume, layer: Image) -> Image:
    data, attributes = heat_attributes(heat, "heat", attributes_of(layer), layer.data.shape)
    return Image(data, **attributes)


def hot(shape: tuple[int, ...], place: tuple[int, ...]) -> np.ndarray:
    data = np.zeros(shape, np.float32)
    data[place] = 1
    return data


@pytest.mark.parametrize(
    "layer",
    [
        layer_of(Volume(np.arange(60.0).reshape(3, 4, 5), TURNED, name="turned")),
        Image(np.arange(60.0).reshape(3, 4, 5), scale=(2, 1, 1)),
        Image(np.arange(20.0).reshape(4, 5), scale=(0.5, 0.5)),
        Image(np.zeros((4, 5, 3), np.uint8), rgb=True, rotate=30),
    ],
    ids=["ours", "foreign", "picture", "colour"],
)
def test_heat_lies_on_its_image(layer: Image) -> None:
    volume = layer_to_volume(layer.data, attributes_of(layer))
    place = tuple(edge - 1 - (edge > 2) for edge in volume.grid_shape)
    heat = over(Volume(hot(volume.grid_shape, place), volume.affine), layer)
    assert heat.ndim == layer.ndim
    assert heat.data.shape == layer.data.shape[: layer.ndim]
    corner = np.array(heat.data.shape) - 1
    np.testing.assert_allclose(heat.data_to_world(corner), layer.data_to_world(corner))
    slices = strongest_in_layer(heat, [(index, 0.5) for index in place])
    assert heat.data[tuple(slices[axis][0] for axis in range(heat.ndim))] == 1


@pytest.mark.parametrize("ours", [True, False])
def test_frames_of_a_cine_loop(ours: bool) -> None:
    frames = np.arange(6 * 20.0).reshape(6, 1, 4, 5)
    layer = layer_of(Volume(frames, np.eye(4) @ TURNED, "tzyx")) if ours else Image(frames, scale=(1, 3, 1, 1))
    volume = layer_to_volume(layer.data, attributes_of(layer))
    heat = over(Volume(hot(volume.shape, (4, 0, 2, 1)), volume.affine, "tzyx"), layer)
    assert heat.data.shape == layer.data.shape
    slices = strongest_in_layer(heat, [(4, 0.5), (0, 1.0), (2, 0.5), (1, 0.5)])
    assert heat.data[tuple(slices[axis][0] for axis in range(4))] == 1


def test_volumes_in_time() -> None:
    layer = layer_of(Volume(np.arange(6 * 60.0).reshape(6, 3, 4, 5), np.eye(4) @ TURNED, "tzyx"))
    volume = layer_to_volume(layer.data, attributes_of(layer))
    heat = over(Volume(hot(volume.shape, (4, 2, 1, 3)), volume.affine, "tzyx"), layer)
    slices = strongest_in_layer(heat, [(4, 0.5), (2, 0.5), (1, 0.5), (3, 0.5)])
    assert heat.data[tuple(slices[axis][0] for axis in range(4))] == 1


def test_probabilities_never_claim_to_be_certain() -> None:
    assert [percent(share) for share in (1.0, 0.934, 0.00001)] == ["> 99.9 %", "93.4 %", "< 0.1 %"]


def test_a_result_is_no_image_to_work_on(viewer: napari.Viewer, show: Callable[[Volume], Image]) -> None:
    from napari_resmed.viewer.parts.image_choice import images_of

    layer = show(Volume(np.arange(60.0).reshape(3, 4, 5), TURNED))
    heat = Volume(np.zeros((3, 4, 5), np.float32), TURNED, meta={"made_by": {"model": "m"}})
    viewer.add_layer(over(heat, layer))
    assert images_of(viewer) == [layer]
