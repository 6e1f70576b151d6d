"""Volumes to layers of a real viewer and back."""

from __future__ import annotations

from itertools import permutations, product

import napari
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume, tilt_note, volume_to_layer
from napari_resmed.volume import Volume

SHAPE = (4, 5, 6)
DATA = np.arange(120, dtype=np.int16).reshape(SHAPE)


def oriented(axes: tuple[int, ...], signs: tuple[int, ...], turn: np.ndarray | None = None) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, (axis, sign, mm) in enumerate(zip(axes, signs, (3.0, 0.7, 0.9), strict=True)):
        affine[axis, column] = sign * mm
    affine[:3, 3] = (-12.5, 31.25, 7.0)
    if turn is not None:
        affine[:3, :3] = turn @ affine[:3, :3]
    return affine


def live(volume: Volume) -> napari.layers.Layer:
    data, attributes, kind = volume_to_layer(volume)
    return napari.layers.Layer.create(data, attributes, kind)


def there_and_back(volume: Volume) -> Volume:
    layer = live(volume)
    return layer_to_volume(layer.data, attributes_of(layer), labels=isinstance(volume, LabelMap))


class TestRoundTrip:
    @pytest.mark.parametrize("axes", list(permutations(range(3))))
    @pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
    def test_every_axis_order_is_exact(self, axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
        volume = Volume(DATA, oriented(axes, signs), "zyx", "MR", "scan")
        back = there_and_back(volume)
        assert np.array_equal(back.data, DATA)
        assert back.data.dtype == DATA.dtype
        assert np.array_equal(back.affine, volume.affine)

    @given(
        angles=st.tuples(*[st.floats(-3, 3)] * 3),
        shear=st.floats(-0.3, 0.3),
        axes=st.permutations(range(3)),
        sign=st.sampled_from([1, -1]),
    )
    @settings(max_examples=60, deadline=None)
    def test_oblique_and_sheared_are_exact(
        self, angles: tuple[float, ...], shear: float, axes: list[int], sign: int
    ) -> None:
        turn = np.eye(3)
        for axis, angle in enumerate(angles):
            i, j = (k for k in range(3) if k != axis)
            step = np.eye(3)
            step[i, i] = step[j, j] = np.cos(angle)
            step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
            turn = step @ turn
        turn = turn @ np.array([[1, shear, 0], [0, 1, 0], [0, 0, 1]])
        volume = Volume(DATA, oriented(tuple(axes), (1, sign, 1), turn))
        back = there_and_back(volume)
        assert np.array_equal(back.data, DATA)
        assert np.array_equal(back.affine, volume.affine)

    def test_time_and_channels(self) -> None:
        data = np.arange(240, dtype=np.float32).reshape(2, *SHAPE)
        for axes in ("tzyx", "czyx"):
            back = there_and_back(Volume(data, oriented((0, 2, 1), (1, -1, 1)), axes))
            assert np.array_equal(back.data, data)
            assert back.axes == axes

    def test_labels_keep_names_and_large_values(self) -> None:
        labels = LabelSet((Label(1, "left", (1, 2, 3)), Label(40_000, "far up", (4, 5, 6))))
        data = np.zeros(SHAPE, np.uint16)
        data[1, 2, 3] = 40_000
        back = there_and_back(LabelMap(data, oriented((2, 1, 0), (1, 1, -1)), labels=labels))
        assert isinstance(back, LabelMap)
        assert np.array_equal(back.data, data)
        assert back.labels == labels


class TestWhatNapariGets:
    @pytest.mark.parametrize("axes", list(permutations(range(3))))
    @pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
    def test_world_is_the_patient(self, axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
        affine = oriented(axes, signs)
        layer = live(Volume(DATA, affine))
        assert min(layer.scale) > 0
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
        for index in [(0, 0, 0), (3, 4, 5), (1, 2, 4)]:
            x, y, z = (affine @ [*index, 1])[:3]
            shown = [round(value) for value in layer.world_to_data((z, y, x))]
            assert layer.data[tuple(shown)] == DATA[index]

    def test_float32_header_noise_leaves_no_tilt(self) -> None:
        affine = oriented((0, 1, 2), (1, 1, 1))
        affine[1, 0] = affine[2, 1] = 3e-7
        volume = Volume(DATA, affine)
        assert tilt_note(volume) == ""
        assert np.array_equal(there_and_back(volume).affine, affine)

    def test_oblique_says_so(self) -> None:
        tilt = np.radians(20)
        turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        volume = Volume(DATA, oriented((2, 1, 0), (1, 1, 1), turn), name="scan")
        assert "oblique by 20°" in tilt_note(volume)
        # Its middle is shown where it is.
        layer = live(volume)
        centre = (np.array(layer.data.shape) - 1) / 2
        shown = np.array(layer.data_to_world(tuple(centre)))[::-1]
        true = geometry.corners(volume.affine, SHAPE).mean(0)
        np.testing.assert_allclose(shown, true, atol=1e-9)

    @pytest.mark.parametrize("shape", [(3, 30, 20), (30, 3, 20), (30, 20, 4)])
    def test_thin_series_are_not_taken_for_colour(self, shape: tuple[int, ...]) -> None:
        layer = live(Volume(np.zeros(shape, np.int16), oriented((0, 1, 2), (1, 1, 1))))
        assert not layer.rgb
        assert layer.ndim == 3

    @pytest.mark.parametrize(("said", "colormap"), [("MONOCHROME1", "gray_r"), ("MONOCHROME2", "gray"), ("", "gray")])
    def test_low_values_are_bright_where_the_file_says_so(self, said: str, colormap: str) -> None:
        volume = Volume(np.arange(8.0).reshape(2, 2, 2), oriented((0, 1, 2), (1, 1, 1)), meta={"photometric": said})
        data, attributes, _ = volume_to_layer(volume)
        assert attributes["colormap"] == colormap
        assert data.max() == 7

    def test_labels_are_a_writable_copy(self) -> None:
        data = np.zeros(SHAPE, np.uint8)
        data.setflags(write=False)
        layer = live(LabelMap(data, oriented((0, 1, 2), (1, 1, 1))))
        layer.paint((1, 1, 1), 2)
        assert data.max() == 0
        assert layer.data.max() == 2


class TestNames:
    def features(self) -> pd.DataFrame:
        return pd.DataFrame({"index": [0, 1, 3, 4], "structure": ["background", "liver", " cyst ", None]})

    def test_given_by_hand_to_a_layer_of_the_viewers_own(self) -> None:
        layer = napari.layers.Labels(np.ones((2, 3, 4), np.uint8), features=self.features())
        volume = layer_to_volume(layer.data, {**attributes_of(layer), "features": layer.features}, labels=True)
        assert [(label.value, label.name) for label in volume.labels] == [(1, "liver"), (3, "cyst")]

    def test_changed_by_hand_keep_their_colour(self) -> None:
        known = LabelSet((Label(1, "spleen", (1, 2, 3)), Label(2, "kidney", (4, 5, 6))))
        data, attributes, _ = volume_to_layer(LabelMap(np.ones((2, 3, 4), np.uint8), np.eye(4), labels=known))
        volume = layer_to_volume(data, {**attributes, "features": self.features()}, labels=True)
        assert volume.labels[1] == Label(1, "liver", (1, 2, 3))
        assert volume.labels[2] == known[2]
        assert volume.labels[3].name == "cyst"

    def test_other_features_say_nothing(self) -> None:
        layer = napari.layers.Labels(np.ones((2, 3, 4), np.uint8), features=pd.DataFrame({"index": [1], "area": [2.0]}))
        volume = layer_to_volume(layer.data, {**attributes_of(layer), "features": layer.features}, labels=True)
        assert len(volume.labels) == 0


class TestForeignLayers:
    def test_scale_and_translate_count(self) -> None:
        layer = napari.layers.Image(DATA, scale=(3, 2, 1), translate=(10, 20, 30), units="mm")
        volume = layer_to_volume(layer.data, attributes_of(layer))
        np.testing.assert_allclose(volume.affine @ [1, 1, 1, 1], [31, 22, 13, 1])

    def test_micrometres_become_millimetres(self) -> None:
        layer = napari.layers.Image(DATA, scale=(50, 50, 50), units="um")
        assert layer_to_volume(layer.data, attributes_of(layer)).spacing_mm == pytest.approx((0.05, 0.05, 0.05))

    def test_flat_image_gets_one_slice(self) -> None:
        layer = napari.layers.Image(np.ones((7, 8)))
        assert layer_to_volume(layer.data, attributes_of(layer)).shape == (1, 7, 8)

    def test_colour_becomes_channels_first(self) -> None:
        layer = napari.layers.Image(np.zeros((4, 5, 6, 3), np.uint8), rgb=True)
        volume = layer_to_volume(layer.data, attributes_of(layer))
        assert (volume.axes, volume.shape) == ("czyx", (3, 4, 5, 6))
        assert volume.meta["colour"] == "RGB"

    def test_six_dimensions_are_refused(self) -> None:
        layer = napari.layers.Image(np.zeros((2,) * 6))
        with pytest.raises(InputError, match="6 dimensions"):
            layer_to_volume(layer.data, attributes_of(layer))

    @pytest.mark.parametrize("axes", list(permutations(range(3))))
    @pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
    def test_cropped_layer_keeps_the_place_of_what_is_left(self, axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
        affine = oriented(axes, signs)
        layer = live(Volume(DATA, affine))
        layer.data = layer.data[:3, :2, :4]
        volume = layer_to_volume(layer.data, attributes_of(layer))
        assert volume.data.size == 24
        for index in np.ndindex(volume.shape):
            where = volume.affine @ [*index, 1]
            source = np.linalg.inv(affine) @ where
            np.testing.assert_allclose(source, np.round(source), atol=1e-9)
            assert volume.data[index] == DATA[tuple(np.round(source[:3]).astype(int))]

    @pytest.mark.parametrize("step", [1, 2])
    @pytest.mark.parametrize("degrees", [0, 20])
    def test_what_was_cut_from_an_oblique_layer_stays_where_it_is(self, degrees: int, step: int) -> None:
        tilt = np.radians(degrees)
        turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        affine = oriented((0, 1, 2), (1, 1, 1), turn)
        layer = live(Volume(DATA, affine))
        at = np.array((1, 1, 2))
        scale = np.array(layer.scale)
        layer.data = layer.data[1::step, 1::step, 2::step]
        layer.translate = np.array(layer.translate) + at * scale
        layer.scale = step * scale
        volume = layer_to_volume(layer.data, attributes_of(layer))
        for index in np.ndindex(volume.shape):
            source = np.linalg.inv(affine) @ volume.affine @ [*index, 1]
            np.testing.assert_allclose(source, np.round(source), atol=1e-9)
            assert volume.data[index] == DATA[tuple(np.round(source[:3]).astype(int))]

    def test_scale_and_shift_that_leave_the_far_corner_are_noticed(self) -> None:
        layer = live(Volume(DATA, oriented((2, 1, 0), (1, 1, 1))))
        layer.translate = np.array(layer.translate) - np.array((4 * layer.scale[0], 0, 0))
        layer.scale = np.array(layer.scale) * (2, 1, 1)
        assert layer_to_volume(layer.data, attributes_of(layer)).spacing_mm[0] == pytest.approx(6.0)

    def test_oblique_layer_that_was_moved_stays_oblique(self) -> None:
        tilt = np.radians(17)
        turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        volume = Volume(DATA, oriented((1, 2, 0), (1, -1, 1), turn))
        layer = live(volume)
        layer.translate = np.array(layer.translate) + np.array((0, 5, 0))
        moved = layer_to_volume(layer.data, attributes_of(layer))
        assert geometry.tilt_degrees(moved.affine) == pytest.approx(17)
        np.testing.assert_allclose(
            geometry.corners(moved.affine, moved.shape).mean(0),
            geometry.corners(volume.affine, volume.shape).mean(0) + np.array((0, 5, 0)),
            atol=1e-9,
        )

    def test_one_frame_of_a_series_keeps_its_place(self) -> None:
        affine = oriented((0, 2, 1), (1, -1, 1))
        layer = live(Volume(np.stack([DATA, DATA]), affine, "tzyx"))
        frame = napari.layers.Image(
            layer.data[0],
            scale=layer.scale[1:],
            translate=layer.translate[1:],
            units=layer.units[1:],
            metadata=layer.metadata,
        )
        volume = layer_to_volume(frame.data, attributes_of(frame))
        assert np.array_equal(volume.data, DATA)
        assert np.array_equal(volume.affine, affine)

    def test_layer_moved_by_hand_is_where_it_was_moved(self) -> None:
        layer = live(Volume(DATA, oriented((2, 1, 0), (1, 1, 1))))
        before = layer_to_volume(layer.data, attributes_of(layer))
        layer.translate = np.array(layer.translate) + np.array([5, 0, 0])
        after = layer_to_volume(layer.data, attributes_of(layer))
        np.testing.assert_allclose(
            geometry.corners(after.affine, after.shape).mean(0) - geometry.corners(before.affine, before.shape).mean(0),
            [0, 0, 5],
            atol=1e-9,
        )
