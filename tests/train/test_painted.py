from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_resmed.train.painted import Painted, look_through, why_not


class TestLookThrough:
    @given(
        arrays.arrays(
            st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
            arrays.array_shapes(min_dims=3, max_dims=3, max_side=6),
            elements=st.integers(0, 5),
        )
    )
    def test_counts_what_is_there(self, data: np.ndarray) -> None:
        painted = look_through(data)
        assert sum(painted.counts.values()) == np.count_nonzero(data)
        assert all((data == value).sum() == count for value, count in painted.counts.items())
        for axis in range(3):
            others = tuple(k for k in range(3) if k != axis)
            np.testing.assert_array_equal(painted.slices[axis], (data != 0).any(others))
        assert painted.everywhere == bool((data != 0).all())

    def test_parts_of_a_large_one_add_up(self) -> None:
        data = np.zeros((60, 300, 300), np.uint8)
        data[[1, 30, 59], 5, 7] = 4
        painted = look_through(data)
        assert painted.counts == {4: 3}
        assert np.flatnonzero(painted.slices[0]).tolist() == [1, 30, 59]

    def test_single_slice(self) -> None:
        assert look_through(np.eye(4, dtype=np.uint8)).counts == {1: 4}


class TestPartly:
    @pytest.mark.parametrize(
        ("slices", "expected"),
        [(range(10, 30), False), (range(10, 30, 4), True), ([20], True), (range(18, 21), True), ([], False)],
        ids=["a whole structure", "every fourth slice", "one slice", "three slices", "nothing"],
    )
    def test_paint_on_slices_is_told_from_structures(self, slices: range, expected: bool) -> None:
        data = np.zeros((40, 40, 40), np.uint8)
        for number in slices:
            data[number, 10:30, 10:30] = 1
        painted = look_through(data)
        assert painted.is_partly() == expected
        if expected:
            assert painted.axis == 0

    def test_thick_slices_are_measured_in_mm(self) -> None:
        data = np.zeros((12, 60, 60), np.uint8)
        data[3:7, 10:50, 10:50] = 1  # 4 slices of 8 mm: as thick as it is wide
        assert not look_through(data).is_partly((8, 1, 1))


class TestWhyNot:
    def test_negative_labels(self) -> None:
        painted = look_through(np.full((3, 3, 3), -1, np.int16))
        assert "-1" in why_not([("mine", painted, 0, False)], {})

    def test_nothing_wrong(self) -> None:
        data = np.zeros((3, 3, 3), np.uint8)
        data[1, 1, 1] = 1
        assert why_not([("mine", look_through(data), 0, False)], {1: "spot"}) == ""

    def test_background_alone(self) -> None:
        painted = Painted({1: 5}, (np.ones(1, bool),) * 3)
        assert "Only background" in why_not([("mine", painted, 0, True)], {1: " Background "})

    def test_one_case_with_background_is_enough(self) -> None:
        part = Painted({1: 5}, (np.ones(1, bool),) * 3)
        assert "nothing to tell it from" in why_not([("a", part, 0, True)], {})
        assert why_not([("a", part, 0, True), ("b", part, 0, False)], {}) == ""
        assert why_not([("a", part, 0, True), ("b", part, 2, True)], {}) == ""
        full = Painted({1: 5}, part.slices, everywhere=True)
        assert "covers everything" in why_not([("a", full, 0, False)], {})
