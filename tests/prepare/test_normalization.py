from __future__ import annotations

import json

import numpy as np
import pytest

from napari_resmed.errors import ModelError
from napari_resmed.prepare.normalization import Normalization, normalize

CT = Normalization("ct", low=-100.0, high=200.0, mean=50.0, std=25.0)


@pytest.fixture
def channel() -> np.ndarray:
    return np.array([[[0, 0, 10], [20, 400, -300]]], np.float32)


class TestNormalize:
    def test_ct(self, channel: np.ndarray) -> None:
        normalize(channel, CT, None)
        assert channel.tolist() == [[[-2, -2, -1.6000000238418579], [-1.2000000476837158, 6, -6]]]

    def test_of_the_image_itself(self, channel: np.ndarray) -> None:
        normalize(channel, Normalization("zscore"), None)
        assert channel.mean() == pytest.approx(0, abs=1e-6)
        assert channel.std() == pytest.approx(1, abs=1e-6)

    def test_of_what_is_not_zero(self, channel: np.ndarray) -> None:
        inside = channel != 0
        normalize(channel, Normalization("zscore", masked=True), inside)
        assert not channel[~inside].any()
        assert channel[inside].mean() == pytest.approx(0, abs=1e-6)
        assert channel[inside].std() == pytest.approx(1, abs=1e-6)

    def test_others(self, channel: np.ndarray) -> None:
        as_it_is = channel.copy()
        normalize(channel, Normalization("none"), None)
        assert np.array_equal(channel, as_it_is)
        normalize(channel, Normalization("byte"), None)
        assert np.allclose(channel, as_it_is / 255)
        normalize(channel, Normalization("unit"), None)
        assert (channel.min(), channel.max()) == (0, 1)


class TestJson:
    @pytest.mark.parametrize(
        "one", [CT, Normalization("zscore"), Normalization("zscore", masked=True), Normalization("unit")]
    )
    def test_there_and_back(self, one: Normalization) -> None:
        assert Normalization.from_json(json.loads(json.dumps(one.to_json()))) == one

    def test_what_says_nothing_is_left_out(self) -> None:
        assert Normalization("unit").to_json() == {"kind": "unit"}


class TestRefusals:
    def test_kind(self) -> None:
        with pytest.raises(ModelError, match="is 'magic', expected one of zscore"):
            Normalization("magic")

    @pytest.mark.parametrize("low", [300.0, float("nan")])
    def test_clip(self, low: float) -> None:
        with pytest.raises(ModelError, match="expected two finite values"):
            Normalization("ct", low=low, high=200.0)
