from __future__ import annotations

import json

import pytest

from napari_resmed.errors import ModelError
from napari_resmed.prepare.preparation import Preparation


class TestRoundTrip:
    def test_through_json(self) -> None:
        preparation = Preparation((3.0, 1.5, 1.25), (1.0, 99.0))
        assert Preparation.from_json(json.loads(json.dumps(preparation.to_json()))) == preparation

    @pytest.mark.parametrize("windows", [((-160.0, 240.0),), ((-160.0, 240.0), None), (None, (0.0, 1.0), None)])
    def test_windows(self, windows: tuple) -> None:
        preparation = Preparation((3.0, 1.5, 1.25), windows=windows)
        assert Preparation.from_json(json.loads(json.dumps(preparation.to_json()))) == preparation

    def test_models_without_windows_are_written_as_ever(self) -> None:
        assert Preparation((1.0, 1.0, 1.0)).to_json().keys() == {"spacing_mm", "percentiles", "orientation"}


class TestWindow:
    def test_a_channel_nothing_is_said_of_has_none(self) -> None:
        preparation = Preparation((1.0, 1.0, 1.0), windows=((-160.0, 240.0), None))
        assert [preparation.window(channel) for channel in range(3)] == [(-160.0, 240.0), None, None]


class TestRefusals:
    @pytest.mark.parametrize("window", [(1.0, 1.0), (2.0, 1.0), (float("-inf"), 1.0), (0.0, float("nan"))])
    def test_window(self, window: tuple[float, float]) -> None:
        with pytest.raises(ModelError, match="expected a lower and a higher value"):
            Preparation((1.0, 1.0, 1.0), windows=(None, window))

    @pytest.mark.parametrize("windows", [[[1]], [["a", 2]], 3, [5]])
    def test_windows_that_make_no_sense(self, windows: object) -> None:
        with pytest.raises(ModelError, match="incomplete"):
            Preparation.from_json({**Preparation((1.0, 1.0, 1.0)).to_json(), "windows": windows})

    @pytest.mark.parametrize(
        "spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0), (1.0, 1.0, float("nan")), (1.0, 1.0, float("inf"))]
    )
    def test_spacing(self, spacing: tuple) -> None:
        with pytest.raises(ModelError, match="expected three lengths in mm"):
            Preparation(spacing)

    @pytest.mark.parametrize("percentiles", [(50.0, 50.0), (-1.0, 99.0), (1.0, 101.0), (99.0, 1.0)])
    def test_percentiles(self, percentiles: tuple[float, float]) -> None:
        with pytest.raises(ModelError, match="expected 0 <= low < high <= 100"):
            Preparation((1.0, 1.0, 1.0), percentiles)

    def test_orientation(self) -> None:
        with pytest.raises(ModelError, match="'RAS', expected one of SPL, SPR, SAL"):
            Preparation((1.0, 1.0, 1.0), orientation="RAS")

    @pytest.mark.parametrize("missing", ["spacing_mm", "percentiles", "orientation"])
    def test_what_is_missing(self, missing: str) -> None:
        values = Preparation((1.0, 1.0, 1.0)).to_json()
        del values[missing]
        with pytest.raises(ModelError, match=f"incomplete: '{missing}'"):
            Preparation.from_json(values)

    @pytest.mark.parametrize("spacing", [3, "abc", [1, 2], [1, 2, "x"], None])
    def test_what_makes_no_sense(self, spacing: object) -> None:
        with pytest.raises(ModelError, match="incomplete"):
            Preparation.from_json({**Preparation((1.0, 1.0, 1.0)).to_json(), "spacing_mm": spacing})
