from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.cases.thumbnails import thumbnail
from napari_resmed.volume import Volume
from tests.affines import make_affine

RED = LabelSet((Label(1, "spot", (255, 0, 0)),))


def bright_corner(axes: tuple[int, int, int], signs: tuple[int, int, int]) -> np.ndarray:
    """The picture of an image that is bright anterior and to the patient's right, stored in any order."""
    affine = make_affine(axes, signs)
    centre = affine[:3, :3] @ np.full(3, 3.5) + affine[:3, 3]
    data = np.empty((8, 8, 8), np.float32)
    for index in np.ndindex(8, 8, 8):
        x, y, _ = affine[:3, :3] @ index + affine[:3, 3] - centre
        data[index] = 100 if x < 0 and y < 0 else 0
    return thumbnail(Volume(data, affine), None, 16)


class TestThumbnail:
    @pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    @pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
    def test_anterior_is_up_and_right_is_left_however_it_is_stored(
        self, axes: tuple[int, int, int], signs: tuple[int, int, int]
    ) -> None:
        picture = bright_corner(axes, signs)
        assert picture[:8, :8].min() == 255
        assert picture[8:].max() == picture[:, 8:].max() == 0

    @given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.floats(0.2, 9)] * 3), st.booleans())
    def test_any_image_gives_a_picture(
        self, shape: tuple[int, ...], spacing: tuple[float, ...], labelled: bool
    ) -> None:
        affine = np.diag([*spacing, 1.0])[[2, 1, 0, 3]]
        data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        data.reshape(-1)[0] = np.nan
        labels = LabelMap(np.ones(shape, np.uint8), affine, labels=RED) if labelled else None
        picture = thumbnail(Volume(data, affine), labels, 24)
        assert picture.shape == (24, 24, 3)
        assert picture.dtype == np.uint8
        reddish = picture[..., 0].astype(int) - picture[..., 1]
        assert (reddish.max() > 100) == labelled

    def test_millimetres_are_equal_both_ways(self) -> None:
        affine = np.diag([1.0, 4.0, 1.0, 1.0]) @ np.eye(4)[[2, 1, 0, 3]]  # rows are 4 mm apart, columns 1 mm
        image = Volume(np.random.default_rng(0).random((3, 10, 10)) + 1, affine)
        assert image.spacing_mm == (1, 4, 1)
        shown = thumbnail(image, None, 40).any(axis=2)
        assert (shown.any(1).sum(), shown.any(0).sum()) == (40, 10)

    def test_it_looks_where_the_labels_are(self) -> None:
        affine = np.eye(4)[[2, 1, 0, 3]]
        data = np.zeros((9, 8, 8), np.float32)
        data[1, 2:6, 2:6] = 50
        labels = np.zeros((9, 8, 8), np.uint8)
        labels[1, 3, 3] = 1
        picture = thumbnail(Volume(data, affine), LabelMap(labels, affine, labels=RED), 8)
        assert picture[5, 5, 0] > 0
        assert picture[3, 3, 0] > picture[3, 3, 1] + 100
