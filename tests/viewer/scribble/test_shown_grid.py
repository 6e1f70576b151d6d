"""Slices and places between the image's own axes and the window's."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_resmed.viewer.layers import volume_to_layer
from napari_resmed.viewer.scribble.shown_grid import grid_of
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine


@pytest.mark.parametrize("case", AXIS_ORDERS, ids=axis_order_name)
def test_every_axis_order(case: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
    volume = Volume(np.arange(4 * 5 * 6).reshape(4, 5, 6), make_affine(*case, spacing_mm=(2, 1, 1.5)))
    data, attributes, _ = volume_to_layer(volume)
    grid = grid_of(Image(data, **attributes))
    assert grid.own_shape() == volume.shape
    shown = grid.shown(np.asarray(volume.data))
    np.testing.assert_array_equal(shown, data)
    np.testing.assert_array_equal(grid.label_map(data, ()).data, volume.data)
    for axis, index in ((0, 1), (1, 0), (2, 3)):
        own, place = grid.own_slice(axis, index)
        assert set(volume.data.take(place, own).ravel()) == set(data.take(index, axis).ravel())
    assert data[grid.shown_index((1, 2, 3))] == volume.data[1, 2, 3]
