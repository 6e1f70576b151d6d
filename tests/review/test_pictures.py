from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from napari_resmed.review.pictures import PREDICTION_COLOUR, TRUTH_COLOUR, picture
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, make_affine


def block(*corners: slice, shape: tuple = (20, 40, 60)) -> np.ndarray:
    data = np.zeros(shape, np.uint8)
    data[corners] = 1
    return data


TRUTH = block(slice(4, 9), slice(10, 20), slice(10, 20))
FOUND = block(slice(4, 9), slice(10, 20), slice(14, 24))
FOUND[7, 25:30, 30:34] = 1


def pixels(png: bytes) -> np.ndarray:
    return imread(io.BytesIO(png), format="png")[..., :3]


def middle_of(png: bytes, colour: str) -> np.ndarray:
    """Where a colour lies in the picture: share of its height and width."""
    shown = pixels(png)
    found = np.argwhere(np.abs(shown - to_rgb(colour)).max(-1) < 0.02)
    assert len(found), "the outline is not there"
    return (found.min(0) + found.max(0)) / 2 / shown.shape[:2]


class TestPicture:
    def test_shows_the_slice_with_most_wrong_voxels(self) -> None:
        drawn = picture(TRUTH, FOUND, make_affine())
        assert (drawn.plane, drawn.slice, drawn.slices) == ("axial", 8, 20)

    def test_shows_the_truth_where_nothing_is_wrong(self) -> None:
        assert 5 <= picture(TRUTH, TRUTH, make_affine()).slice <= 9

    @pytest.mark.parametrize(("axis", "plane"), list(enumerate(("axial", "coronal", "sagittal"))))
    def test_thick_slices_are_shown_whole(self, axis: int, plane: str) -> None:
        edges = [1.0, 1.0, 1.0]
        edges[axis] = 4.0
        assert picture(TRUTH, FOUND, make_affine(spacing_mm=tuple(edges))).plane == plane

    @pytest.mark.parametrize("case", AXIS_ORDERS[::7])
    def test_hangs_as_radiologists_do_in_every_axis_order(self, case: tuple) -> None:
        """Truth to the patient's right and front: left and top of the picture; the prediction more to the left side."""
        straight = picture(TRUTH, FOUND, make_affine(spacing_mm=(2, 1, 1)))
        order, signs = case
        axes = tuple(2 - world for world in order)
        turned = [mask.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)] for mask in (TRUTH, FOUND)]
        edges = tuple((2, 1, 1)[axis] for axis in axes)
        drawn = picture(*turned, make_affine(order, signs, spacing_mm=edges))
        assert drawn == straight
        truth, found = middle_of(drawn.png, TRUTH_COLOUR), middle_of(drawn.png, PREDICTION_COLOUR)
        assert truth[1] < found[1]
        assert truth[0] < found[0]  # a piece of the prediction lies further back, which is below

    def test_shows_the_image_where_it_lies(self) -> None:
        """A bright square on another grid appears inside the truth's outline."""
        image = np.zeros((10, 20, 30), np.float32)
        image[:, 5:10, 5:10] = 100  # 2 mm voxels: from 9 to 19 mm
        grid = make_affine(spacing_mm=(2, 2, 2))
        without = pixels(picture(TRUTH, TRUTH, make_affine()).png)
        shown = pixels(picture(TRUTH, TRUTH, make_affine(), Volume(image, grid)).png)
        assert shown.shape == without.shape
        height, width = middle_of(picture(TRUTH, TRUTH, make_affine()).png, PREDICTION_COLOUR)
        middle = int(shown.shape[0] * height), int(shown.shape[1] * width)
        assert shown[middle].min() > 0.9
        assert without[middle].max() < 0.3

    def test_an_image_elsewhere_shows_nothing(self) -> None:
        far = Volume(np.ones((4, 4, 4)), make_affine(origin_mm=(900, 0, 0)))
        assert picture(TRUTH, FOUND, make_affine(), far) == picture(TRUTH, FOUND, make_affine())

    @pytest.mark.parametrize(("axis", "plane"), list(enumerate(("axial", "coronal", "sagittal"))))
    def test_a_single_slice_is_shown_as_it_lies(self, axis: int, plane: str) -> None:
        shape, edges = [300, 300, 300], [1.0, 1.0, 1.0]
        shape[axis], edges[axis] = 1, 0.5
        flat = np.zeros(shape, np.uint8)
        flat[tuple(slice(0, 1) if k == axis else slice(10, 290) for k in range(3))] = 1
        drawn = picture(flat, flat, make_affine(spacing_mm=tuple(edges)))
        assert (drawn.plane, drawn.slices) == (plane, 1)
        assert min(pixels(drawn.png).shape[:2]) > 300

    def test_a_single_slice_and_a_single_voxel(self) -> None:
        flat = np.zeros((1, 30, 30), np.uint8)
        flat[0, 3, 4] = 1
        assert picture(flat, flat, make_affine()).slices == 1
