"""The Load DICOM dock in a real window: series listed beside the window's thread, chosen, opened, cancelled."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QColor, QDropEvent

from napari_resmed.io.dicom.write import write_series
from napari_resmed.viewer.dicom.load_dicom_widget import LoadDicomWidget
from napari_resmed.viewer.layers import KEY
from napari_resmed.volume import Volume

Messages = list[tuple[str, str]]


def write_one(folder: Path, name: str, slices: int = 6) -> None:
    data = np.random.default_rng(slices).integers(0, 900, (slices, 20, 24)).astype(np.int16)
    place = np.diag([1.0, 1, 2, 1])[:, [2, 1, 0, 3]]
    write_series(Volume(data, place, "zyx", "MR", name, {"format": "DICOM", "description": name}), folder)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two even series, and one of which a slice is missing."""
    folder = tmp_path / "study"
    folder.mkdir()
    write_one(folder / "a", "T1", 6)
    write_one(folder / "b", "T2", 8)
    write_one(folder / "c", "gap", 9)
    sorted((folder / "c").iterdir())[6].unlink()
    return folder


@pytest.fixture
def dock(viewer: napari.Viewer) -> Iterator[LoadDicomWidget]:
    """The dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Load DICOM")
    assert isinstance(widget, LoadDicomWidget)
    yield widget
    widget.cancel()


def look_into(qtbot: QtBot, dock: LoadDicomWidget, *places: Path) -> None:
    dock.look_into(places)
    qtbot.waitUntil(lambda: not dock.is_running)


def row_of(dock: LoadDicomWidget, name: str) -> int:
    return next(row for row, series in enumerate(dock.series) if series.description == name)


class TestList:
    def test_names_sizes_and_reasons(self, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        look_into(qtbot, dock, study)
        rows = {series.description: dock.list.model().index(row, 0).data() for row, series in enumerate(dock.series)}
        assert rows["T1"] == "T1, MR · 6 images · 24×20×6, 1×1×2 mm"
        assert rows["gap"] == "gap, MR · 8 images, uneven, needs your choice"
        assert dock.status.text().startswith("2 series can be opened, 1 cannot as they are")
        assert not dock.progress.isVisible()

    def test_the_first_that_can_be_opened_is_chosen(self, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        look_into(qtbot, dock, study)
        assert len(dock.list.selected) == 1
        assert not dock.list.selected[0].problem
        assert dock.open_button.isEnabled()

    def test_pictures(self, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        dock.window().resize(1200, 900)
        look_into(qtbot, dock, study)
        pictures = dock.list.model().pictures
        # A picture is made when its row is drawn; how many rows are in sight hangs on the window.
        qtbot.waitUntil(lambda: bool(pictures))
        image = next(iter(pictures.values())).toImage()
        assert len({QColor(image.pixel(x, 48)).lightness() // 20 for x in range(image.width())}) > 3

    @pytest.mark.parametrize("kind", ["file", "list", "zip"])
    def test_what_else_can_be_chosen(
        self, dock: LoadDicomWidget, study: Path, tmp_path: Path, kind: str, qtbot: QtBot
    ) -> None:
        files = sorted((study / "a").iterdir())
        if kind == "zip":
            files = [Path(shutil.make_archive(str(tmp_path / "study"), "zip", study / "a"))]
        look_into(qtbot, dock, *(files if kind == "list" else files[:1]))
        assert [series.description for series in dock.series] == ["T1"]

    def test_a_folder_dropped_on_the_dock(self, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(study))])
        drop = QDropEvent(
            QPointF(9, 9), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
        dock.dropEvent(drop)
        assert drop.isAccepted()
        qtbot.waitUntil(lambda: len(dock.series) == 3)

    def test_a_useless_folder_is_one_sentence(
        self, dock: LoadDicomWidget, tmp_path: Path, messages: Messages, qtbot: QtBot
    ) -> None:
        (tmp_path / "notes.txt").write_text("nothing")
        look_into(qtbot, dock, tmp_path)
        assert [severity for severity, _ in messages] == ["error"]
        assert "expected DICOM files" in dock.status.text()
        assert "\n" not in dock.status.text()

    def test_dock_fits_a_narrow_column(self, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        assert dock.minimumSizeHint().width() <= 320
        look_into(qtbot, dock, study)
        dock.list.select([row_of(dock, "gap")])
        assert dock.minimumSizeHint().width() <= 320

    def test_echoes_are_told(self, viewer: napari.Viewer, dock: LoadDicomWidget, tmp_path: Path, qtbot: QtBot) -> None:
        data = np.random.default_rng(0).integers(0, 900, (3, 4, 20, 24)).astype(np.int16)
        meta = {"echo_times_ms": [2.5, 5.0, 7.5], "format": "DICOM", "description": "GRE"}
        place = np.diag([1.0, 1, 2, 1])[:, [2, 1, 0, 3]]
        write_series(Volume(data, place, "tzyx", "MR", "GRE", meta), tmp_path / "echoes")
        look_into(qtbot, dock, tmp_path / "echoes")
        assert dock.list.model().index(0, 0).data() == (
            "GRE, MR · 12 images · 24×20×4, 1×1×2 mm · 3 echoes: 2.5, 5, 7.5 ms"
        )
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        (layer,) = viewer.layers
        assert (layer.data.shape, layer.axis_labels[0]) == ((3, 4, 20, 24), "t")
        assert layer.metadata[KEY]["facts"]["Times"] == "3 echoes: 2.5, 5, 7.5 ms"
        assert layer.metadata[KEY]["meta"]["echo_times_ms"] == [2.5, 5.0, 7.5]


class TestOpen:
    def test_one(self, viewer: napari.Viewer, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        look_into(qtbot, dock, study)
        dock.list.select([row_of(dock, "T2")])
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        (layer,) = viewer.layers
        assert layer.data.shape == (8, 20, 24)
        np.testing.assert_allclose(layer.scale, (2, 1, 1))
        assert layer.metadata[KEY]["origin"].series.description == "T2"
        assert dock.status.text().startswith("Opened T2 in ")

    def test_several(self, viewer: napari.Viewer, dock: LoadDicomWidget, study: Path, qtbot: QtBot) -> None:
        look_into(qtbot, dock, study)
        dock.list.select([row_of(dock, "T1"), row_of(dock, "T2")])
        assert dock.open_button.text() == "&Open 2 series"
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        assert sorted(layer.name for layer in viewer.layers) == ["T1", "T2"]

    @pytest.mark.parametrize(("remedy", "slices"), [("largest_block", 6), ("resample", 9)])
    def test_an_uneven_one_only_as_a_person_chooses(
        self, viewer: napari.Viewer, dock: LoadDicomWidget, study: Path, remedy: str, slices: int, qtbot: QtBot
    ) -> None:
        look_into(qtbot, dock, study)
        dock.list.select([row_of(dock, "gap")])
        assert not dock.open_button.isEnabled()
        assert "4 mm" in dock.details.notes.text()
        assert dock.details.buttons[remedy].isVisible()
        dock.details.buttons[remedy].click()
        qtbot.waitUntil(lambda: not dock.is_running)
        (layer,) = viewer.layers
        assert layer.data.shape == (slices, 20, 24)
        assert layer.metadata[KEY]["meta"]["warnings"]

    def test_a_layer_from_an_archive_can_be_copied(
        self, viewer: napari.Viewer, dock: LoadDicomWidget, study: Path, tmp_path: Path, qtbot: QtBot
    ) -> None:
        look_into(qtbot, dock, Path(shutil.make_archive(str(tmp_path / "study"), "zip", study / "a")))
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        (layer,) = viewer.layers
        copied = copy.deepcopy(layer.metadata)
        assert copied[KEY]["origin"] is layer.metadata[KEY]["origin"]

    def test_a_file_that_is_gone_is_one_sentence(
        self, viewer: napari.Viewer, dock: LoadDicomWidget, study: Path, messages: Messages, qtbot: QtBot
    ) -> None:
        look_into(qtbot, dock, study)
        dock.list.select([row_of(dock, "T1")])
        shutil.rmtree(study / "a")
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        assert len(viewer.layers) == 0
        assert [severity for severity, _ in messages] == ["error"]
        assert "Traceback" not in messages[0][1]

    def test_segmentations_open_as_labels(
        self, viewer: napari.Viewer, dock: LoadDicomWidget, shared_data: Path, qtbot: QtBot
    ) -> None:
        look_into(qtbot, dock, shared_data / "dicom" / "objects")
        rows = [row for row, series in enumerate(dock.series) if series.kind == "labels"][:1]
        dock.list.select(rows)
        assert dock.open_button.isEnabled()
        dock.open_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        assert viewer.layers
        assert all(isinstance(layer, napari.layers.Labels) for layer in viewer.layers)


class TestCancel:
    def test_a_search(self, dock: LoadDicomWidget, study: Path, messages: Messages, qtbot: QtBot) -> None:
        dock.look_into([study])
        dock.progress.cancel_button.click()
        qtbot.waitUntil(lambda: not dock.is_running)
        assert dock.status.text().startswith("Cancelled") or len(dock.series) == 3
        assert messages == []
        look_into(qtbot, dock, study)  # and the next one runs
        assert len(dock.series) == 3

    def test_closing_the_dock(self, viewer: napari.Viewer, study: Path, qtbot: QtBot) -> None:
        outer, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Load DICOM")
        widget.look_into([study])
        outer.destroyOnClose()
        qtbot.wait(200)  # whatever still arrives finds nobody, and says nothing
        assert len(viewer.layers) == 0
