from __future__ import annotations

import numpy as np

from napari_resmed.viewer.scribble.painted import what_is_painted


def test_values_and_what_tells_one_from_another() -> None:
    data = np.zeros((5, 6, 7), np.int32)
    assert what_is_painted(data).values == ()
    data[2, 3, 4], data[0, 0, 0] = 9, 2
    first = what_is_painted(data)
    assert first.values == (2, 9)
    assert what_is_painted(data.transpose(0, 2, 1).copy().transpose(0, 2, 1)) == first
    moved = data[::-1]
    assert moved[2, 3, 4] == 9
    assert what_is_painted(moved) != first
    data[2, 3, 4] = 0
    assert what_is_painted(data) != first


def test_a_picture() -> None:
    data = np.zeros((6, 7), np.uint8)
    data[3, 3] = 1
    assert what_is_painted(data).values == (1,)
