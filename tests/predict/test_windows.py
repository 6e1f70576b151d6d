from __future__ import annotations

import pytest

from napari_resmed.predict.windows import Shape, whole_window


class TestWholeWindow:
    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ((95, 117, 99), (96, 128, 112)),
            ((40, 96, 97), (96, 96, 112)),  # no edge is shorter than the network is used to
            ((128, 128, 128), (128, 128, 128)),
            ((128, 129, 128), (96, 96, 96)),  # too large to go through at once
        ],
    )
    def test_holds_the_image_where_it_is_not_too_large(self, shape: Shape, expected: Shape) -> None:
        assert whole_window(shape, (96, 96, 96), (16, 16, 16)) == expected

    def test_edges_are_what_the_network_can_divide(self) -> None:
        assert whole_window((30, 50, 50), (20, 40, 40), (1, 8, 16)) == (30, 56, 64)
