"""Which values are black and white."""

from __future__ import annotations

import numpy as np

from napari_resmed.viewer.contrast import contrast_limits

DATA = np.arange(1000, dtype=np.float32).reshape(10, 10, 10)


class TestContrastLimits:
    def test_the_headers_window(self) -> None:
        assert contrast_limits(DATA, {"window_centre": 40, "window_width": 400}) == (-160, 240)

    def test_the_first_of_several(self) -> None:
        assert contrast_limits(DATA, {"window_centre": [500, 40], "window_width": [100, 400]}) == (450, 550)

    def test_a_window_beside_all_values_is_not_believed(self) -> None:
        low, high = contrast_limits(DATA, {"window_centre": 5000, "window_width": 10})
        assert 0 <= low < 50
        assert 950 < high <= 999

    def test_one_value(self) -> None:
        assert contrast_limits(np.full((2, 2, 2), 7), {}) == (7, 8)

    def test_nothing_finite(self) -> None:
        assert contrast_limits(np.full((2, 2, 2), np.nan), {}) == (0, 1)
