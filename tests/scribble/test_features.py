from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.nets.contrast import HU_WINDOW
from napari_resmed.scribble.features import preparation_for
from napari_resmed.volume import Volume


def body(air: float = -1000, dtype: str = "i2") -> np.ndarray:
    data = np.full((20, 20, 20), air)
    data[:, 5:15, 5:15] = np.random.default_rng(0).normal(40, 30, (20, 10, 10))
    return data.astype(dtype)


class TestPreparationFor:
    @pytest.mark.parametrize(
        ("data", "is_ct"),
        [
            (body(), True),
            (body(dtype="f4"), True),
            (body(0, "i2"), False),
            (body(0, "u1"), False),
            (body(-1000) * 1e6, False),
            (np.random.default_rng(0).normal(0, 1000, (20, 20, 20)), False),
        ],
    )
    def test_a_ct_is_known_by_its_numbers(self, data: np.ndarray, is_ct: bool) -> None:
        preparation = preparation_for(Volume(data, np.eye(4)))
        assert preparation.windows == ((HU_WINDOW,) if is_ct else ())

    def test_each_channel_by_itself(self) -> None:
        both = Volume(np.stack([body(0, "f4"), body(dtype="f4")]), np.eye(4), "czyx")
        assert preparation_for(both).windows == (None, HU_WINDOW)
