"""DICOM dropped on a real viewer: archives, names without an ending, files one by one, colour, time, segmentations."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from napari_resmed.io.dicom.write import write_series
from napari_resmed.viewer.files import read_files
from napari_resmed.viewer.files.readers import get_reader
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.volume import Volume

PLUGIN = "napari-resmed"
Messages = list[tuple[str, str]]


@pytest.fixture
def made(small: Volume, tmp_path: Path) -> Path:
    """A series of 12 slices in a folder."""
    piece = np.asarray(small.data[:, :, :12], np.int16).transpose(2, 0, 1)
    write_series(Volume(piece, np.diag([-1.0, -1, 3, 1])[:, [2, 1, 0, 3]], "zyx", "MR", "made"), tmp_path / "made")
    return tmp_path / "made"


@pytest.fixture(autouse=True)
def another_drop() -> None:
    """What an earlier test dropped is long ago."""
    read_files._last_drop.__init__()  # type: ignore[misc]


def named(folder: Path, to: Path, name: Callable[[int], str]) -> list[str]:
    to.mkdir()
    return [str(shutil.copy(file, to / name(number))) for number, file in enumerate(sorted(folder.iterdir()), start=1)]


class TestDrop:
    def test_an_archive(self, viewer: napari.Viewer, made: Path, tmp_path: Path) -> None:
        archive = shutil.make_archive(str(tmp_path / "study"), "zip", made)
        (layer,) = viewer.open(archive, plugin=PLUGIN)
        assert layer.data.shape == (12, 64, 64)

    def test_an_archive_of_other_things_is_left_to_others(self, tmp_path: Path) -> None:
        path = tmp_path / "pictures.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"\x89PNG" * 100)
        assert get_reader(str(path)) is None

    @pytest.mark.parametrize(
        "name",
        [
            lambda number: f"IM{number:04d}",
            lambda number: f"I{number}",
            lambda number: f"1.2.840.113619.2.5.{number}",
            lambda number: f"MR.1.2.840.113619.2.5.{number}",
        ],
        ids=["IM0001", "I1", "UID", "MR.UID"],
    )
    def test_files_by_their_content(
        self, viewer: napari.Viewer, made: Path, tmp_path: Path, name: Callable[[int], str]
    ) -> None:
        # Without naming the plugin: napari finds the reader by the file's name.
        files = named(made, tmp_path / "plain", name)
        (layer,) = viewer.open(files[3], plugin=None)
        assert layer.data.shape == (12, 64, 64)

    def test_many_files_of_one_series_are_one_layer(self, viewer: napari.Viewer, made: Path, tmp_path: Path) -> None:
        viewer.open(named(made, tmp_path / "plain", lambda number: f"1.2.840.113619.2.5.{number}"), plugin=None)
        assert [layer.data.shape for layer in viewer.layers] == [(12, 64, 64)]

    def test_the_same_file_again_is_another_layer(self, viewer: napari.Viewer, made: Path) -> None:
        file = str(sorted(made.iterdir())[0])
        viewer.open(file, plugin=PLUGIN)
        viewer.open(file, plugin=PLUGIN)
        assert len(viewer.layers) == 2

    def test_two_volumes_of_a_folder_are_two_layers(self, viewer: napari.Viewer, made: Path) -> None:
        more = Volume(np.ones((4, 5, 6), np.int16), np.diag([1.0, 1, 1, 1])[:, [2, 1, 0, 3]], "zyx", "CT", "other")
        write_series(more, made / "second")
        viewer.open(made, plugin=PLUGIN)
        assert sorted(layer.data.shape for layer in viewer.layers) == [(4, 5, 6), (12, 64, 64)]


class TestWhatALayerCarries:
    def test_place_facts_and_origin_but_no_patient(self, viewer: napari.Viewer, shared_data: Path) -> None:
        (layer,) = viewer.open(shared_data / "dicom" / "ct_philips_s4010", plugin=PLUGIN)[:1]
        assert [str(unit) for unit in layer.units][-3:] == ["millimeter"] * 3
        assert layer.axis_labels[-3:] == ("z", "y", "x")
        ours = layer.metadata[KEY]
        assert "Philips" in ours["facts"]["Manufacturer"]
        assert isinstance(ours["origin"], Origin)
        assert "/" not in repr(ours["origin"])

    def test_the_headers_window(self, viewer: napari.Viewer, shared_data: Path) -> None:
        layers = viewer.open(shared_data / "dicom" / "dcm_qa_orientation", plugin=PLUGIN)
        told = [layer for layer in layers if "window_centre" in layer.metadata[KEY]["meta"]]
        assert told
        for layer in told:
            meta = layer.metadata[KEY]["meta"]
            centre, width = (np.ravel(meta[name])[0] for name in ("window_centre", "window_width"))
            assert tuple(layer.contrast_limits) == (centre - width / 2, centre + width / 2)

    @pytest.mark.parametrize(
        "name",
        [
            "SC_rgb_rle.dcm",
            "SC_rgb_rle_16bit.dcm",
            "SC_rgb_rle_2frame.dcm",
            "examples_palette.dcm",
            "examples_ybr_color.dcm",
        ],
    )
    def test_colour_is_colour(self, viewer: napari.Viewer, name: str) -> None:
        path = get_testdata_file(name, download=False)
        if path is None:
            pytest.skip(f"pydicom does not carry {name}")
        (layer,) = viewer.open(path, plugin=PLUGIN)
        assert layer.rgb
        assert layer.data.shape[-1] == 3
        assert layer.ndim == layer.data.ndim - 1
        back = layer_to_volume(layer.data, attributes_of(layer))
        assert back.axes.endswith("czyx")
        assert back.channels == 3

    def test_time_is_the_first_axis_with_a_slider(self, viewer: napari.Viewer, shared_data: Path) -> None:
        found = [
            layer
            for layer in viewer.open(shared_data / "dicom" / "dicom2nifti" / "philips_enhanced", plugin=PLUGIN)
            + viewer.open(shared_data / "dicom" / "dicom2nifti" / "hyperfine", plugin=PLUGIN)
            if layer.ndim == 4
        ]
        for layer in found:
            assert layer.axis_labels[0] == "t"
            assert viewer.dims.nsteps[0] == layer.data.shape[0]

    def test_segmentations_open_as_labels(self, viewer: napari.Viewer, shared_data: Path) -> None:
        layers = viewer.open(shared_data / "dicom" / "objects", plugin=PLUGIN)
        assert any(isinstance(layer, napari.layers.Labels) for layer in layers)
