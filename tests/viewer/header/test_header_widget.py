"""The Header dock in a real window."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pydicom
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QGuiApplication

from napari_resmed.io.dicom.write import write_series
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.header.header_widget import HeaderWidget
from napari_resmed.volume import Volume
from tests.affines import make_affine

PLUGIN = "napari-resmed"
Show = Callable[[Volume], napari.layers.Layer]
# Letters that stand in no other fact of these files.
NAME, NUMBER = "Qvxz^Jwkq", "QVXZ-JWKQ"


@pytest.fixture
def dock(viewer: napari.Viewer) -> HeaderWidget:
    """The dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Header")
    assert isinstance(widget, HeaderWidget)
    return widget


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """A series with a patient in it."""
    data = np.random.default_rng(0).integers(0, 900, (4, 6, 7)).astype(np.int16)
    write_series(Volume(data, np.diag([1.0, 1, 2, 1])[:, [2, 1, 0, 3]], "zyx", "MR", "T1"), tmp_path / "series")
    for file in (tmp_path / "series").iterdir():
        header = pydicom.dcmread(file)
        header.PatientName, header.PatientID = NAME, NUMBER
        header.Manufacturer = "Maker"
        header.save_as(file)
    return tmp_path / "series"


def value(dock: HeaderWidget, name: str) -> str:
    return next(fact.value for fact in dock.facts.shown if fact.name == name)


class TestFacts:
    def test_place_and_size(self, dock: HeaderWidget, show: Show) -> None:
        affine = make_affine((2, 0, 1), (1, -1, 1), spacing_mm=(2, 1, 1.5))
        layer = show(Volume(np.zeros((4, 5, 6), np.int16), affine, "zyx", "CT", "scan", {"units": "HU"}))
        assert dock.title.text() == "scan"
        assert value(dock, "Modality") == "CT"
        assert value(dock, "Units") == "HU"
        assert value(dock, "Known from") == "the file"
        assert value(dock, "Size") == " × ".join(str(size) for size in layer.data.shape[::-1]) + " voxels (x, y, z)"

    def test_follows_the_active_layer_and_what_is_done_to_it(
        self, viewer: napari.Viewer, dock: HeaderWidget, show: Show, qtbot: QtBot
    ) -> None:
        place = make_affine((0, 1, 2), (1, 1, 1))
        first = show(Volume(np.zeros((4, 5, 6), np.int16), place, name="first"))
        show(Volume(np.zeros((3, 3, 3), np.int16), place, name="second"))
        assert dock.title.text() == "second"
        viewer.layers.selection.active = first
        assert dock.title.text() == "first"
        first.name = "renamed"
        qtbot.waitUntil(lambda: dock.title.text() == "renamed")
        first.translate = (5, 5, 5)
        qtbot.waitUntil(lambda: "moved" in value(dock, "Known from"))
        viewer.layers.clear()
        assert dock.facts.shown == []
        assert "Choose one layer" in dock.status.text()

    def test_labels_with_names_and_how_they_were_made(self, dock: HeaderWidget, show: Show) -> None:
        labels = LabelSet((Label(1, "liver", (10, 20, 30)),))
        parts = [{"structure": "left lobe", "size_zyx_mm": [3.0, 4.0, 5.0]}, {"structure": "right lobe"}]
        made = {"made_by": {"model": "brain-mr", "version": "1.0", "parts": parts}, "warnings": ["look twice"]}
        show(LabelMap(np.ones((3, 4, 5), np.uint8), make_affine((0, 1, 2), (1, 1, 1)), meta=made, labels=labels))
        lines = [(fact.heading, fact.value) for fact in dock.facts.shown]
        assert ("Names", "liver") in lines
        assert ("How it was made", "brain-mr") in lines
        assert value(dock, "Parts 1 structure") == "left lobe"
        assert value(dock, "Parts 1 size zyx mm") == "3.0, 4.0, 5.0"
        assert value(dock, "Parts 2 structure") == "right lobe"
        assert ("Notes", "look twice") in lines

    def test_layers_of_others(self, viewer: napari.Viewer, dock: HeaderWidget) -> None:
        viewer.add_image(np.zeros((8, 9)), name="picture")
        assert value(dock, "Size") == "9 × 8 pixels"
        viewer.add_points(np.zeros((2, 3)), name="points")
        assert value(dock, "Kind") == "points"

    def test_filter_and_copy(self, dock: HeaderWidget, show: Show) -> None:
        show(Volume(np.zeros((4, 5, 6), np.int16), make_affine((0, 1, 2), (1, 1, 1)), "zyx", "CT", "scan"))
        dock.filter.setText("VOX place")
        assert {fact.name for fact in dock.facts.shown} == {"Voxel", "First voxel"}
        assert dock.status.text() == ""
        dock.copy_button.click()
        text = QGuiApplication.clipboard().text()
        assert len(text.splitlines()) == 2
        assert text.startswith("Place\tVoxel\t1 × 1 × 1 mm")
        dock.filter.setText("no such word")
        assert dock.status.text() == "No line holds these words."

    def test_dock_fits_a_narrow_column(self, dock: HeaderWidget, show: Show) -> None:
        show(Volume(np.zeros((4, 5, 6), np.int16), make_affine((0, 1, 2), (1, 1, 1)), name="a" * 200))
        assert dock.minimumSizeHint().width() <= 320


class TestPatient:
    def test_only_when_asked_and_nowhere_else(
        self,
        viewer: napari.Viewer,
        dock: HeaderWidget,
        patient: Path,
        caplog: pytest.LogCaptureFixture,
        messages: list[tuple[str, str]],
        qtbot: QtBot,
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            (layer,) = viewer.open(patient, plugin=PLUGIN)
            assert not any(NUMBER in fact.value for fact in dock.facts.shown)
            assert value(dock, "Manufacturer") == "Maker"
            dock.patient_button.click()
            qtbot.waitUntil(lambda: any(NUMBER in fact.value for fact in dock.facts.shown))
            dock.copy_button.click()
            for where in (
                str(layer.metadata),
                repr(layer),
                QGuiApplication.clipboard().text(),
                caplog.text,
                str(messages),
            ):
                assert NUMBER not in where
                assert "Qvxz" not in where
            dock.patient_button.click()
            assert not any(NUMBER in fact.value for fact in dock.facts.shown)

    def test_forgotten_with_the_layer(
        self, viewer: napari.Viewer, dock: HeaderWidget, patient: Path, show: Show, qtbot: QtBot
    ) -> None:
        (layer,) = viewer.open(patient, plugin=PLUGIN)
        dock.patient_button.click()
        qtbot.waitUntil(lambda: any(NUMBER in fact.value for fact in dock.facts.shown))
        show(Volume(np.zeros((4, 5, 6), np.int16), make_affine((0, 1, 2), (1, 1, 1))))
        assert not dock.patient_button.isEnabled()
        viewer.layers.selection.active = layer
        assert not any(NUMBER in fact.value for fact in dock.facts.shown)
