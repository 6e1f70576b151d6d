from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.prepare.expected_size import expected_size
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.volume import Volume
from tests.affines import make_affine


@pytest.mark.parametrize(
    "changes",
    [{}, {"axes": (2, 0, 1)}, {"own_spacing": True}, {"size": (8, 0, 30)}],
    ids=["plain", "turned", "own spacing", "one size"],
)
def test_is_that_of_the_grid(changes: dict[str, object]) -> None:
    preparation = Preparation((2.0, 1.5, 1.0), **changes)  # type: ignore[arg-type]
    volume = Volume(np.zeros((20, 22, 24), np.uint8), make_affine(spacing_mm=(3.0, 1.0, 0.5)))
    assert expected_size(volume.grid_shape, volume.spacing_mm, preparation) == Grid.of(volume, preparation).shape
