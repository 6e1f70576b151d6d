from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.errors import ModelError
from napari_resmed.prepare.intensity import Intensity, apply_intensities

STEPS = (
    Intensity("range", -100, 300, -1, 1, clip=True),
    Intensity("percentiles", 1, 99, by_channel=True),
    Intensity("unit", to_low=0.5, to_high=2),
    Intensity("zscore", nonzero=True, by_channel=True, mean=(1.0, 2.0), std=(3.0,)),
    Intensity("threshold", 5, to_low=-1, below=True),
)


class TestIntensity:
    @pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
    def test_survives_a_file(self, step: Intensity) -> None:
        assert Intensity.from_json(step.to_json()) == step

    def test_says_only_what_is_unusual(self) -> None:
        assert Intensity("unit").to_json() == {"kind": "unit"}

    @pytest.mark.parametrize(
        "values",
        [
            {"kind": "magic"},
            {"kind": "range", "low": 3, "high": 3},
            {"kind": "percentiles", "low": 1, "high": 101},
            {"kind": "range", "low": 0, "high": float("nan")},
        ],
    )
    def test_what_makes_no_sense(self, values: dict) -> None:
        with pytest.raises(ModelError, match="the model's"):
            Intensity.from_json(values)


class TestApply:
    def test_one_after_the_other(self) -> None:
        image = np.array([-200, 100, 400], np.float32).reshape(1, 1, 1, 3)
        apply_intensities(image, [STEPS[0], Intensity("unit", to_high=10)])
        assert image.ravel().tolist() == [0, 5, 10]

    def test_channels_for_themselves(self) -> None:
        image = np.array([[0, 1, 2], [0, 100, 300]], np.float32).reshape(2, 1, 1, 3)
        apply_intensities(image, [Intensity("zscore", nonzero=True, by_channel=True)])
        assert image[..., 0].ravel().tolist() == [0, 0]
        np.testing.assert_allclose(image[..., 1:].ravel(), [-1, 1, -1, 1], atol=1e-6)

    def test_an_image_of_one_value(self) -> None:
        image = np.full((1, 2, 2, 2), 7, np.float32)
        apply_intensities(image, [Intensity("zscore"), Intensity("unit"), Intensity("percentiles", 1, 99)])
        assert np.isfinite(image).all()
