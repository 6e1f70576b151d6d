"""Dropping files on a real viewer, and saving its layers."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.io.dicom.write import write_series
from napari_resmed.io.provenance import provenance_path
from napari_resmed.io.samples import mni152_template
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.files import read_files
from napari_resmed.viewer.files.readers import get_folder_reader, get_reader
from napari_resmed.volume import Volume

Messages = list[tuple[str, str]]
Show = Callable[[Volume], napari.layers.Layer]

PLUGIN = "napari-resmed"


class TestOpen:
    def test_image_opens_as_image_in_mm(self, viewer: napari.Viewer) -> None:
        (layer,) = viewer.open(mni152_template(), plugin=PLUGIN)
        assert isinstance(layer, napari.layers.Image)
        np.testing.assert_allclose(layer.scale, (1, 1, 1))
        assert layer.axis_labels == ("z", "y", "x")

    def test_labels_open_as_labels_with_their_names(self, viewer: napari.Viewer, tmp_path: Path) -> None:
        data = np.zeros((5, 6, 7), np.uint8)
        data[1:4, 1:5, 1:4] = 3
        labels = LabelSet((Label(3, "liver", (10, 20, 30)),))
        write(LabelMap(data, np.diag([-1.0, -1, 1, 1])[[2, 1, 0, 3]], labels=labels), tmp_path / "seg.nii.gz")
        (layer,) = viewer.open(tmp_path / "seg.nii.gz", plugin=PLUGIN)
        assert isinstance(layer, napari.layers.Labels)
        assert list(layer.features["structure"]) == ["background", "liver"]
        np.testing.assert_allclose(layer.colormap.color_dict[3][:3], np.array([10, 20, 30]) / 255, atol=1e-6)

    def test_real_label_maps_open_as_labels(self, viewer: napari.Viewer, shared_data: Path) -> None:
        for name in ("hippocampus/labels/hippocampus_003.nii.gz", "body/example_seg.nii.gz"):
            (layer,) = viewer.open(shared_data / name, plugin=PLUGIN)
            assert isinstance(layer, napari.layers.Labels), name

    def test_dicom_folder(self, viewer: napari.Viewer, small: Volume, tmp_path: Path) -> None:
        write_series(small.with_data(np.asarray(small.data, np.int16)), tmp_path / "series")
        (layer,) = viewer.open(tmp_path / "series", plugin=PLUGIN)
        assert layer.data.shape == (64, 64, 64)

    def test_real_dicom_folder(self, viewer: napari.Viewer, shared_data: Path) -> None:
        layers = viewer.open(shared_data / "dicom" / "dicom2nifti" / "siemens", plugin=PLUGIN)
        assert layers
        assert all(isinstance(layer, napari.layers.Image) for layer in layers)

    def test_every_axis_order_looks_the_same(self, viewer: napari.Viewer, shared_data: Path) -> None:
        files = sorted((shared_data / "nifti" / "axis_orders").glob("*.nii*"))
        assert len(files) == 24
        first = None
        for file in files:
            (layer,) = viewer.open(file, plugin=PLUGIN)
            seen = (np.asarray(layer.data), np.array(layer.scale), np.array(layer.translate))
            first = first or seen
            assert np.array_equal(seen[0], first[0]), file.name
            np.testing.assert_allclose(seen[1], first[1], atol=1e-4)
            np.testing.assert_allclose(seen[2], first[2], atol=1e-3)
            viewer.layers.clear()


class TestFolderOfImageFiles:
    def test_every_image_is_a_layer(self, viewer: napari.Viewer, small: Volume, tmp_path: Path) -> None:
        write(small, tmp_path / "a.nii.gz")
        write(small, tmp_path / "below.mha")
        (tmp_path / "notes.txt").write_text("nothing")
        assert [layer.name for layer in viewer.open(str(tmp_path), plugin=PLUGIN)] == ["a", "below"]

    def test_with_a_series_beside(self, viewer: napari.Viewer, small: Volume, tmp_path: Path) -> None:
        write(small, tmp_path / "a.nii.gz")
        write(small.with_data((small.data * 100).astype(np.int16)), tmp_path / "series")
        assert len(viewer.open(str(tmp_path), plugin=PLUGIN)) == 2

    def test_of_too_many_the_first_are_opened(
        self, viewer: napari.Viewer, small: Volume, tmp_path: Path, messages: Messages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(read_files, "MOST_FILES", 2)
        for name in "abc":
            write(small, tmp_path / f"{name}.nii.gz")
        assert len(viewer.open(str(tmp_path), plugin=PLUGIN)) == 2
        assert any("holds 3 images, the first 2 are opened" in text for _, text in messages)


class TestWrongFiles:
    def check(self, viewer: napari.Viewer, path: Path, messages: Messages, expected: str) -> None:
        viewer.open(path, plugin=PLUGIN)
        assert len(viewer.layers) == 0
        errors = [text for severity, text in messages if severity == "error"]
        assert len(errors) == 1
        assert expected in errors[0]
        assert "\n" not in errors[0]

    def test_no_image(self, viewer: napari.Viewer, flat_file: Path, messages: Messages) -> None:
        self.check(viewer, flat_file, messages, "is not a NIfTI image")

    def test_truncated(self, viewer: napari.Viewer, tmp_path: Path, messages: Messages) -> None:
        whole = mni152_template().read_bytes()
        path = tmp_path / "cut.nii.gz"
        path.write_bytes(whole[: len(whole) // 2])
        self.check(viewer, path, messages, "truncated")

    def test_gzip_of_nothing(self, viewer: napari.Viewer, tmp_path: Path, messages: Messages) -> None:
        path = tmp_path / "empty.nii.gz"
        path.write_bytes(gzip.compress(b""))
        self.check(viewer, path, messages, "empty.nii.gz")

    def test_empty_folder_is_left_to_others(self, tmp_path: Path) -> None:
        assert get_folder_reader(str(tmp_path)) is None

    def test_other_files_are_left_to_others(self, tmp_path: Path) -> None:
        path = tmp_path / "picture.png"
        path.write_bytes(b"\x89PNG")
        assert get_reader(str(path)) is None


class TestSave:
    def test_result_saved_from_the_layer_list_is_in_place(
        self, viewer: napari.Viewer, show: Show, small: Volume, tmp_path: Path
    ) -> None:
        show(small)
        path = tmp_path / "copy.nii.gz"
        assert viewer.layers.save(str(path), plugin=PLUGIN) == [str(path)]
        back = read(path)
        assert np.array_equal(back.data, small.data)
        np.testing.assert_allclose(back.affine, small.affine, atol=1e-5)

    def test_labels_drawn_by_hand_get_the_images_geometry(
        self, viewer: napari.Viewer, show: Show, small: Volume, tmp_path: Path
    ) -> None:
        show(small)
        viewer._new_labels()
        labels = viewer.layers[-1]
        labels.paint((10, 20, 30), 200)
        viewer.layers.selection = {labels}
        path = tmp_path / "drawn.nii.gz"
        viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
        back = read(path)
        assert isinstance(back, LabelMap)
        assert back.same_grid(small)
        assert set(np.unique(back.data)) == {0, 200}
        assert back.data.dtype == np.uint8

    def test_note_lies_beside_labels(self, viewer: napari.Viewer, tmp_path: Path) -> None:
        labels = LabelSet((Label(1, "node", (9, 8, 7)),))
        data = np.zeros((4, 4, 4), np.uint8)
        data[1] = 1
        path = tmp_path / "node_seg.nii.gz"
        write(LabelMap(data, np.eye(4)[[2, 1, 0, 3]], labels=labels), path)
        viewer.open(path, plugin=PLUGIN)
        viewer.layers.save(str(tmp_path / "again.nii.gz"), plugin=PLUGIN)
        assert provenance_path(tmp_path / "again.nii.gz").is_file()
        assert read(tmp_path / "again.nii.gz").labels == labels  # type: ignore[attr-defined]

    def test_unwritable_place_is_one_sentence(
        self, viewer: napari.Viewer, show: Show, small: Volume, tmp_path: Path
    ) -> None:
        show(small)
        with pytest.raises(Exception, match="does not exist; create it first"):
            viewer.layers.save(str(tmp_path / "nowhere" / "x.nii.gz"), plugin=PLUGIN)
        assert list(tmp_path.iterdir()) == []

    def test_nrrd_and_metaimage_too(self, viewer: napari.Viewer, show: Show, small: Volume, tmp_path: Path) -> None:
        show(small)
        for name in ("a.nrrd", "a.mha"):
            viewer.layers.save(str(tmp_path / name), plugin=PLUGIN)
            back = read(tmp_path / name)
            assert np.array_equal(back.data, small.data)
            assert back.same_grid(small)


def test_folder_without_suffix_files(viewer: napari.Viewer, small: Volume, tmp_path: Path) -> None:
    """Scanners name files IM0001, with nothing to go by but their content."""
    write_series(small.with_data(np.asarray(small.data, np.int16)), tmp_path / "made")
    plain = tmp_path / "plain"
    plain.mkdir()
    for number, file in enumerate(sorted((tmp_path / "made").iterdir())):
        shutil.copy(file, plain / f"IM{number:04d}")
    (layer,) = viewer.open(plain, plugin=PLUGIN)
    assert layer.data.shape == (64, 64, 64)
