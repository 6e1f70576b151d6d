from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume
from tests.affines import make_affine


class TestAxes:
    @pytest.mark.parametrize(("dimensions", "axes"), [(3, "zyx"), (4, "tzyx"), (5, "tczyx")])
    def test_are_derived_from_the_dimensions(self, dimensions: int, axes: str) -> None:
        assert Volume(np.zeros((2,) * dimensions), np.eye(4)).axes == axes

    def test_can_be_said(self) -> None:
        volume = Volume(np.zeros((3, 4, 5, 6)), np.eye(4), "czyx")
        assert (volume.channels, volume.frames, volume.grid_shape) == (3, 1, (4, 5, 6))

    def test_channels_and_frames(self) -> None:
        volume = Volume(np.zeros((2, 3, 4, 5, 6)), np.eye(4))
        assert (volume.frames, volume.channels, volume.grid_shape) == (2, 3, (4, 5, 6))
        assert volume.shape == (2, 3, 4, 5, 6)

    @pytest.mark.parametrize(("shape", "axes"), [((4, 5), ""), ((4, 5, 6), "czyx"), ((2,) * 6, ""), ((4, 5, 6), "xyz")])
    def test_must_fit_the_array(self, shape: tuple[int, ...], axes: str) -> None:
        with pytest.raises(InputError, match="expected one of zyx, czyx, tzyx, tczyx"):
            Volume(np.zeros(shape), np.eye(4), axes)


class TestRefusals:
    def test_no_voxels(self) -> None:
        with pytest.raises(InputError, match=r"empty image of shape \(0, 4, 5\)"):
            Volume(np.zeros((0, 4, 5)), np.eye(4))

    @pytest.mark.parametrize("dtype", [complex, object, "U3", "datetime64[s]"])
    def test_no_numbers(self, dtype: type | str) -> None:
        with pytest.raises(InputError, match="expected whole or real numbers"):
            Volume(np.empty((2, 2, 2), dtype), np.eye(4))

    def test_no_place(self) -> None:
        with pytest.raises(InputError, match="flat"):
            Volume(np.zeros((2, 2, 2)), np.diag([1, 1, 0, 1]))


class TestPlace:
    def test_spacing_orientation_and_voxel_volume(self) -> None:
        volume = Volume(np.zeros((2, 2, 2)), make_affine((0, 2, 1), (1, -1, 1), spacing_mm=(4, 0.5, 2)))
        assert volume.spacing_mm == pytest.approx((4, 0.5, 2))
        assert volume.orientation == "LIP"
        assert volume.voxel_ml == pytest.approx(0.004)

    def test_shear_does_not_add_volume(self) -> None:
        # Slices slid along each other hold as much as slices stacked straight, though the edges are longer.
        tilted = Volume(np.zeros((2, 2, 2)), np.array([[0, 0, 1, 0], [0.5, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]))
        assert tilted.spacing_mm[0] > 1.1
        assert tilted.voxel_ml == pytest.approx(0.001)

    def test_same_grid(self) -> None:
        volume = Volume(np.zeros((2, 3, 4)), make_affine(origin_mm=(1, 2, 3)))
        assert volume.same_grid(Volume(np.ones((5, 2, 3, 4)), make_affine(origin_mm=(1, 2, 3))))
        assert not volume.same_grid(Volume(np.zeros((2, 3, 4)), make_affine(origin_mm=(1, 2, 3.01))))


class TestImmutability:
    def test_fields_and_affine_cannot_be_set(self) -> None:
        volume = Volume(np.zeros((2, 2, 2)), np.eye(4))
        with pytest.raises(FrozenInstanceError):
            volume.name = "other"  # type: ignore[misc]
        with pytest.raises(ValueError, match="read-only"):
            volume.affine[0, 0] = 2
        with pytest.raises(ValueError, match="read-only"):
            volume.data[0, 0, 0] = 2

    def test_the_given_array_stays_its_owners(self) -> None:
        data = np.zeros((2, 2, 2))
        assert np.shares_memory(Volume(data, np.eye(4)).data, data)
        data[0, 0, 0] = 1

    def test_the_given_affine_stays_its_owners(self) -> None:
        affine = np.eye(4)
        volume = Volume(np.zeros((2, 2, 2)), affine)
        affine[0, 3] = 99
        assert volume.affine[0, 3] == 0

    def test_with_data_keeps_the_rest(self) -> None:
        first = Volume(np.zeros((3, 2, 2, 2)), make_affine(origin_mm=(1, 2, 3)), "czyx", "MR", "knee", {"format": "x"})
        second = first.with_data(np.ones((2, 2, 2)), "zyx")
        assert (second.axes, second.modality, second.name, second.meta) == ("zyx", "MR", "knee", {"format": "x"})
        assert np.array_equal(second.affine, first.affine)
        assert first.data.max() == 0


def test_a_part_stays_where_it_is() -> None:
    whole = Volume(np.arange(2 * 5 * 6 * 7.0).reshape(2, 5, 6, 7), make_affine(degrees=(10, 20, 5)), "czyx", "MR", "a")
    part = whole.cut((slice(1, 4), slice(2, 6), slice(3, 5)))
    assert np.array_equal(part.data, whole.data[:, 1:4, 2:6, 3:5])
    assert np.allclose(part.affine @ [0, 0, 0, 1], whole.affine @ [1, 2, 3, 1])
    assert np.allclose(part.affine @ [2, 3, 1, 1], whole.affine @ [3, 5, 4, 1])
    assert (part.spacing_mm, part.orientation, part.axes) == (whole.spacing_mm, whole.orientation, "czyx")
