"""Labels drawn by hand over an image, saved in every format, lie where the image lies in its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest

from napari_resmed.io import read
from napari_resmed.io.dicom.write import write_series
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine

PLUGIN = "napari-resmed"
Show = Callable[[Volume], napari.layers.Layer]
Messages = list[tuple[str, str]]

# Stored x first, upside down and mirrored, off the patient's axes.
TURNED = make_affine((2, 0, 1), (1, -1, -1), spacing_mm=(2, 1, 1.5))
TILT = np.eye(4)
TILT[:3, :3] = [[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]]


def image_of(shape: tuple[int, ...], affine: np.ndarray = TURNED, axes: str = "", **meta: object) -> Volume:
    data = np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8 if "colour" in meta else np.int16)
    return Volume(data, affine, axes, "MR", "image", meta)


def draw(viewer: napari.Viewer, image: napari.layers.Layer, world_of: tuple[int, ...]) -> napari.layers.Labels:
    """Press New Labels with an image chosen, and paint one voxel."""
    viewer.layers.selection.active = image
    viewer._new_labels()
    labels = viewer.layers[-1]
    labels.data[world_of] = 7
    return labels


def save(viewer: napari.Viewer, labels: napari.layers.Labels, path: Path) -> LabelMap:
    viewer.layers.selection = {labels}
    viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
    back = read(path)
    assert isinstance(back, LabelMap)
    return back


class TestOverAnImage:
    @pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".seg.nrrd"])
    @pytest.mark.parametrize("tilt", [np.eye(4), TILT], ids=["aligned", "oblique"])
    def test_flipped_and_permuted(
        self, viewer: napari.Viewer, show: Show, tmp_path: Path, ending: str, tilt: np.ndarray
    ) -> None:
        image = image_of((5, 6, 7), tilt @ TURNED)
        layer = show(image)
        index = (1, 2, 3)
        labels = draw(viewer, layer, index)
        back = save(viewer, labels, tmp_path / f"drawn{ending}")
        assert back.same_grid(image)
        (found,) = np.argwhere(back.data == 7)
        assert image.data[tuple(found)] == layer.data[index]
        np.testing.assert_allclose((back.affine @ [*found, 1])[:3], (image.affine @ [*found, 1])[:3], atol=1e-4)

    def test_labels_of_three_axes_over_an_image_in_time(
        self, viewer: napari.Viewer, show: Show, tmp_path: Path
    ) -> None:
        image = image_of((3, 5, 6, 7))
        layer = show(image)
        labels = viewer.add_labels(
            np.zeros(layer.data.shape[1:], np.uint8), scale=layer.scale[1:], translate=layer.translate[1:]
        )
        labels.data[1, 2, 3] = 7
        back = save(viewer, labels, tmp_path / "drawn.nii.gz")
        assert back.axes == "zyx"
        np.testing.assert_allclose(back.affine, image.affine, atol=1e-5)
        (found,) = np.argwhere(back.data == 7)
        assert image.data[(0, *found)] == layer.data[0, 1, 2, 3]

    def test_labels_in_time(self, viewer: napari.Viewer, show: Show, tmp_path: Path) -> None:
        image = image_of((3, 5, 6, 7))
        labels = draw(viewer, show(image), (2, 1, 2, 3))
        viewer.layers.selection = {labels}
        viewer.layers.save(str(tmp_path / "drawn.nii.gz"), selected=True, plugin=PLUGIN)
        back = read(tmp_path / "drawn.nii.gz")
        assert back.axes == "tzyx"
        assert back.same_grid(image)
        assert np.argwhere(back.data)[0][0] == 2

    def test_a_colour_image(self, viewer: napari.Viewer, show: Show, tmp_path: Path) -> None:
        image = image_of((3, 5, 6, 7), axes="czyx", colour="RGB")
        layer = show(image)
        assert layer.rgb
        labels = draw(viewer, layer, (1, 2, 3))
        back = save(viewer, labels, tmp_path / "drawn.nii.gz")
        assert back.axes == "zyx"
        np.testing.assert_allclose(back.affine, image.affine, atol=1e-5)
        (found,) = np.argwhere(back.data == 7)
        assert np.array_equal(image.data[(slice(None), *found)], layer.data[1, 2, 3])

    def test_a_name_with_a_point_keeps_it(self, viewer: napari.Viewer, show: Show, tmp_path: Path) -> None:
        labels = draw(viewer, show(image_of((5, 6, 7))), (1, 2, 3))
        viewer.layers.selection = {labels}
        from napari_resmed.viewer.files.writers import write_labels

        data, attributes, _ = labels.as_layer_data_tuple()
        (written,) = write_labels(str(tmp_path / "tumour 2.5"), data, attributes)
        assert Path(written).name == "tumour 2.5.nii.gz"
        assert Path(written).is_file()


class TestOnNoImagesGrid:
    def union(self, viewer: napari.Viewer, show: Show, first: Volume, second: Volume) -> napari.layers.Labels:
        """New Labels with two images chosen covers both, on a grid of its own."""
        layers = {show(first), show(second)}
        viewer.layers.selection = layers
        viewer._new_labels()
        labels = viewer.layers[-1]
        labels.data[0, 0, 0] = 1
        return labels

    def test_over_an_oblique_image_it_is_refused_in_one_sentence(
        self, viewer: napari.Viewer, show: Show, tmp_path: Path
    ) -> None:
        small = image_of((4, 4, 4), TILT @ make_affine((0, 1, 2), (1, 1, 1), spacing_mm=(3, 3, 3)))
        labels = self.union(viewer, show, image_of((5, 6, 7), TILT @ TURNED), small)
        with pytest.raises(Exception, match="does not lie on the grid of any image"):
            save(viewer, labels, tmp_path / "drawn.nii.gz")
        assert list(tmp_path.iterdir()) == []

    def test_over_aligned_images_it_has_its_own_place_and_that_is_said(
        self, viewer: napari.Viewer, show: Show, tmp_path: Path, messages: Messages
    ) -> None:
        small = image_of((4, 4, 4), make_affine((0, 1, 2), (1, 1, 1), spacing_mm=(3, 3, 3)))
        labels = self.union(viewer, show, image_of((5, 6, 7)), small)
        world = labels.data_to_world((0, 0, 0))
        back = save(viewer, labels, tmp_path / "drawn.nii.gz")
        (found,) = np.argwhere(back.data)
        np.testing.assert_allclose((back.affine @ [*found, 1])[:3][::-1], world, atol=1e-4)
        assert any("does not lie on the grid of any image" in text for _, text in messages)

    def test_same_grid_in_the_window_but_not_in_the_patient(
        self, viewer: napari.Viewer, show: Show, tmp_path: Path
    ) -> None:
        first, second = image_of((5, 5, 5), np.eye(4)[[2, 1, 0, 3]]), None
        turned = np.eye(4)[[2, 1, 0, 3]] @ np.eye(4)
        turned = TILT @ turned
        # Both are shown along their own axes; put where the window cannot tell them apart.
        middle = np.array([2, 2, 2, 1.0])
        turned[:3, 3] += ((first.affine - turned) @ middle)[:3]
        second = image_of((5, 5, 5), turned)
        one, other = show(first), show(second)
        other.name = "other"
        np.testing.assert_allclose(one.translate, other.translate, atol=1e-6)
        labels = draw(viewer, one, (1, 2, 3))
        assert save(viewer, labels, tmp_path / "named.nii.gz").same_grid(first)  # "image - Labels"
        labels.name = "drawn"
        with pytest.raises(Exception, match="lie differently in the patient"):
            save(viewer, labels, tmp_path / "drawn.nii.gz")


class TestDicom:
    @pytest.fixture
    def series(self, tmp_path: Path) -> Path:
        data = np.random.default_rng(1).integers(0, 900, (6, 20, 24)).astype(np.int16)
        write_series(Volume(data, make_affine((0, 1, 2), (1, 1, 1), spacing_mm=(2, 1, 1)), "zyx", "MR"), tmp_path / "s")
        return tmp_path / "s"

    def test_a_segmentation_over_a_series_of_the_window(
        self, viewer: napari.Viewer, series: Path, tmp_path: Path
    ) -> None:
        (layer,) = viewer.open(series, plugin=PLUGIN)
        labels = draw(viewer, layer, (1, 2, 3))
        viewer.layers.selection = {labels}
        viewer.layers.save(str(tmp_path / "seg.dcm"), selected=True, plugin=PLUGIN)
        viewer.layers.clear()
        (back,) = [
            one for one in viewer.open(tmp_path / "seg.dcm", plugin=PLUGIN) if isinstance(one, napari.layers.Labels)
        ]
        assert np.argwhere(back.data).tolist() == [[1, 2, 3]]

    def test_without_a_series_it_is_one_sentence(self, viewer: napari.Viewer, show: Show, tmp_path: Path) -> None:
        labels = draw(viewer, show(image_of((5, 6, 7))), (1, 2, 3))
        with pytest.raises(Exception, match="written over the DICOM series"):
            save(viewer, labels, tmp_path / "seg.dcm")
        assert not (tmp_path / "seg.dcm").exists()

    def test_an_image_as_a_series(self, viewer: napari.Viewer, show: Show, tmp_path: Path) -> None:
        from napari_resmed.viewer.files.writers import write_dicom_series

        image = image_of((5, 6, 7), np.diag([1.0, 1, 2, 1])[:, [2, 1, 0, 3]])
        data, attributes, _ = show(image).as_layer_data_tuple()
        (written,) = write_dicom_series(str(tmp_path / "T1 2.5 mm"), data, attributes)
        back = read(written)
        assert np.array_equal(back.data, image.data)
        assert back.same_grid(image)


class TestAxisOrders:
    def test_all_24_are_written_as_they_were_read(
        self, viewer: napari.Viewer, shared_data: Path, tmp_path: Path
    ) -> None:
        files = sorted((shared_data / "nifti" / "axis_orders").glob("*.nii*"))
        assert len(files) == 24
        for file in files:
            image = read(file)
            (layer,) = viewer.open(file, plugin=PLUGIN)
            viewer.layers.selection = {layer}
            for ending in (".nii.gz", ".nrrd", ".mha"):
                path = tmp_path / f"{file.name.split('.')[0]}{ending}"
                viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
                back = read(path)
                assert np.array_equal(back.data, image.data), path.name
                assert back.same_grid(image), path.name
            viewer.layers.clear()

    @pytest.mark.parametrize("axes", ["tzyx", "czyx", "tczyx"])
    def test_colour_and_time_too(self, viewer: napari.Viewer, tmp_path: Path, axes: str, show: Show) -> None:
        from napari_resmed.viewer.layer_place import attributes_of
        from napari_resmed.viewer.layers import layer_to_volume

        shape = {"tzyx": (2, 5, 6, 7), "czyx": (3, 5, 6, 7), "tczyx": (2, 3, 5, 6, 7)}[axes]
        image = image_of(shape, TILT @ TURNED, axes, **({"colour": "RGB"} if "c" in axes else {}))
        layer = show(image)
        assert bool(getattr(layer, "rgb", False)) is ("c" in axes)
        back = layer_to_volume(layer.data, attributes_of(layer))
        assert back.axes == axes
        assert np.array_equal(back.data, image.data)
        assert back.same_grid(image)
        moved = layer.translate.copy()
        moved[-1] += 10
        layer.translate = moved
        back = layer_to_volume(layer.data, attributes_of(layer))
        there = back.affine @ [*((np.array(back.grid_shape) - 1) / 2), 1]
        here = image.affine @ [*((np.array(image.grid_shape) - 1) / 2), 1]
        np.testing.assert_allclose((there - here)[:3], (10, 0, 0), atol=1e-4)
