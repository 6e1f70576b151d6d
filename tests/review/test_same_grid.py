from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.labels import LabelMap
from napari_resmed.review.same_grid import onto_grid
from tests.affines import AXIS_ORDERS, affines, make_affine, world
from tests.review.shapes import blobs


def stored_otherwise(labels: LabelMap, case: tuple) -> LabelMap:
    """The same voxels at the same places with the axes in another order."""
    axes, signs = case
    order = AxisOrder(axes, tuple(sign < 0 for sign in signs))
    return LabelMap(
        np.ascontiguousarray(order.apply(labels.data)), order.apply_to_affine(labels.affine, labels.shape), "zyx"
    )


@given(affines(), st.sampled_from(AXIS_ORDERS), st.booleans())
def test_another_axis_order_is_turned_exactly(affine: np.ndarray, case: tuple, single: bool) -> None:
    truth = LabelMap(blobs(0, (5, 6, 7)), affine, "zyx")
    prediction = stored_otherwise(truth, case)
    if single:  # as a header of float32 has it
        prediction = LabelMap(prediction.data, prediction.affine.astype(np.float32), "zyx")
    found, resampled = onto_grid(prediction, truth)
    assert not resampled
    assert np.array_equal(found, truth.data)


class TestOtherGrids:
    truth = LabelMap(blobs(1, (12, 20, 20)), make_affine(spacing_mm=(3, 1, 1), origin_mm=(-10, 5, 0)), "zyx")

    @pytest.mark.parametrize(
        ("other", "told"),
        [
            (LabelMap(blobs(1, (12, 20, 21)), truth.affine, "zyx"), "12×20×21 at 3×1×1 mm against 12×20×20 at 3×1×1 mm, middles 0.5 mm apart"),
            (LabelMap(truth.data, make_affine(spacing_mm=(3, 1, 1), origin_mm=(-10, 5.5, 0)), "zyx"), "middles 0.5 mm apart"),
            (LabelMap(truth.data, make_affine(spacing_mm=(3, 1, 1.01), origin_mm=(-10, 5, 0)), "zyx"), "3×1×1.01 mm"),
            (LabelMap(truth.data, make_affine(spacing_mm=(3, 1, 1), origin_mm=(-10, 5, 0), degrees=(3, 0, 0)), "zyx"), "another grid"),
        ],
        ids=["size", "place", "spacing", "turn"],
    )  # fmt: skip
    def test_are_refused_with_what_to_do(self, other: LabelMap, told: str) -> None:
        with pytest.raises(InputError) as caught:
            onto_grid(other, self.truth)
        assert told in str(caught.value)
        assert "--resample" in str(caught.value)

    def test_a_hundredth_of_a_voxel_is_rounding(self) -> None:
        near = make_affine(spacing_mm=(3, 1, 1), origin_mm=(-10.005, 5, 0))
        assert onto_grid(LabelMap(self.truth.data, near, "zyx"), self.truth)[1] is False

    @given(affines(most_degrees=30))
    def test_resampling_takes_the_nearest(self, affine: np.ndarray) -> None:
        prediction = LabelMap(blobs(2, (6, 7, 8)), affine, "zyx")
        truth = LabelMap(
            blobs(3, (7, 8, 9)), make_affine(spacing_mm=(2, 1.5, 1), origin_mm=tuple(affine[:3, 3])), "zyx"
        )
        found, resampled = onto_grid(prediction, truth, resample=True)
        assert resampled
        every = np.argwhere(np.ones(truth.shape, bool))
        there = world(truth.affine, every) - affine[:3, 3]
        index = there @ np.linalg.inv(affine[:3, :3]).T
        sure = (np.abs(index - np.floor(index) - 0.5) > 1e-6).all(1)  # half-way between two voxels either is near
        nearest = np.rint(index).astype(int)
        inside = ((nearest >= 0) & (nearest < prediction.shape)).all(1)
        wanted = np.where(inside, prediction.data[tuple(np.clip(nearest, 0, np.array(prediction.shape) - 1).T)], 0)
        assert np.array_equal(found.reshape(-1)[sure], wanted[sure])
