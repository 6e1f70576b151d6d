from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.scribble.channels import join_channels
from napari_resmed.volume import Volume
from tests.affines import make_affine

AFFINE = make_affine((1, 2, 0), (-1, 1, 1), degrees=(10, -5, 3), spacing_mm=(2, 1, 1.5), origin_mm=(3, -4, 50))


def image(dtype: str = "i2", name: str = "t1") -> Volume:
    return Volume(np.arange(60, dtype=dtype).reshape(3, 4, 5), AFFINE, "zyx", "MR", name)


class TestJoinChannels:
    def test_one_is_itself(self) -> None:
        only = image()
        assert join_channels([only]) is only

    def test_on_the_first_ones_grid_whatever_the_order_of_axes(self) -> None:
        first = image()
        order = AxisOrder((2, 0, 1), (True, False, True))
        turned = Volume(
            np.ascontiguousarray(order.apply(first.data + 1)), order.apply_to_affine(AFFINE, first.shape), name="t2"
        )
        pair = Volume(np.stack([first.data, -first.data]), AFFINE, "czyx", name="two")
        both = join_channels([first, turned, pair])
        assert (both.axes, both.name, both.modality, both.data.dtype) == ("czyx", "t1", "MR", np.int16)
        np.testing.assert_array_equal(both.data, [first.data, first.data + 1, first.data, -first.data])
        assert both.grid_shape == first.grid_shape
        np.testing.assert_array_equal(both.affine, AFFINE)

    def test_wide_numbers_of_one_do_not_cost_the_others_digits(self) -> None:
        both = join_channels([image("f8"), image("f8").with_data(image("f8").data * 1e12)])
        assert both.data.dtype == np.float32
        np.testing.assert_array_equal(both.data[0], image().data)
        assert join_channels([image("u1"), image("f4")]).data.dtype == np.float32

    def test_refusals(self) -> None:
        moved = AFFINE.copy()
        moved[0, 3] += 5
        for other, reason in (
            (Volume(image().data, moved, name="flair"), "flair lies on another grid than t1"),
            (Volume(np.stack([image().data] * 2), AFFINE, name=""), "image 2 has 2 time points"),
        ):
            with pytest.raises(InputError, match=reason):
                join_channels([image(), other])
