"""The Measure dock, in a real window with a real worker."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.measure.measure_widget import MeasureWidget
from napari_resmed.volume import Volume
from tests.affines import make_affine

Show = Callable[[Volume], napari.layers.Layer]

AFFINE = make_affine((1, 2, 0), (-1, 1, 1), degrees=(25, -5, 3), spacing_mm=(2, 1, 1.5), origin_mm=(5, 6, 7))
NAMES = LabelSet((Label(1, "left ventricle", (230, 159, 0)), Label(4, "spot", (0, 158, 115))))


def image() -> Volume:
    return Volume(np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14), AFFINE, name="scan")


def labels() -> LabelMap:
    data = np.zeros((10, 12, 14), np.uint8)
    data[2:6, 3:9, 2:12] = 1
    data[7, 8, 9] = 4
    return LabelMap(data, AFFINE, name="organs", labels=NAMES)


@pytest.fixture
def measure(viewer: napari.Viewer) -> Iterator[MeasureWidget]:
    """The dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Measure")
    assert isinstance(widget, MeasureWidget)
    yield widget
    widget.cancel()


def click_and_wait(qtbot: QtBot, widget: MeasureWidget) -> list[dict[str, str]]:
    widget.start_button.click()
    assert widget.is_running
    qtbot.waitUntil(lambda: not widget.is_running)
    table = widget.table.table
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    return [
        {title: table.item(row, column).text() for column, title in enumerate(titles)}
        for row in range(table.rowCount())
    ]


class TestClick:
    def test_labels_and_their_image(
        self, measure: MeasureWidget, show: Show, qtbot: QtBot, tmp_path: Path, viewer: napari.Viewer
    ) -> None:
        scan, organs = image(), labels()
        show(scan)
        layer = show(organs)
        assert measure.labels_choice.currentText() == "organs"
        assert measure.image_choice.currentText() == "scan"
        rows = click_and_wait(qtbot, measure)
        assert [row["Structure"] for row in rows] == ["left ventricle", "spot"]
        assert rows[0]["Volume (mL)"] == "0.720"
        assert float(rows[0]["Mean"]) == pytest.approx(scan.data[organs.data == 1].mean(), abs=0.006)
        assert rows[1]["SD"] == "–"
        centre = AFFINE @ [7, 8, 9, 1]
        shown = [float(rows[1][f"Centre {side} (mm)"]) for side in "LPS"]
        np.testing.assert_allclose(shown, centre[:3], atol=0.051)
        measure.table.copy()
        copied = [line.split("\t") for line in QApplication.clipboard().text().split("\n")]
        assert [line[:3] for line in copied] == [
            ["value", "name", "voxels"],
            ["1", "left ventricle", "240"],
            ["4", "spot", "1"],
        ]
        measure.table.save(tmp_path / "t.csv")
        with (tmp_path / "t.csv").open(newline="") as file:
            saved = list(csv.reader(file))
        assert saved == copied
        measure.table.table.setCurrentCell(1, 0)
        assert viewer.layers.selection.active is layer
        assert layer.selected_label == 4

    def test_labels_drawn_over_an_oblique_image_lie_where_it_lies(
        self, measure: MeasureWidget, show: Show, qtbot: QtBot, viewer: napari.Viewer
    ) -> None:
        layer = show(image())
        painted = viewer.add_labels(
            np.zeros(layer.data.shape, np.uint8),
            name="painted",
            scale=layer.scale,
            translate=layer.translate,
            units=layer.units,
        )
        # The voxel (7, 8, 9) of the file, wherever the window shows it.
        at = np.argwhere(layer.data == image().data[7, 8, 9])[0]
        painted.data[tuple(at)] = 2
        rows = click_and_wait(qtbot, measure)
        assert len(rows) == 1
        shown = [float(rows[0][f"Centre {side} (mm)"]) for side in "LPS"]
        np.testing.assert_allclose(shown, (AFFINE @ [7, 8, 9, 1])[:3], atol=0.051)
        assert float(rows[0]["Mean"]) == image().data[7, 8, 9]

    def test_what_was_warned_of_stays_beside_the_table(self, measure: MeasureWidget, show: Show, qtbot: QtBot) -> None:
        holed = image().data.copy()
        holed[3, 4, 5] = np.nan
        show(image().with_data(holed, "zyx"))
        show(labels())
        click_and_wait(qtbot, measure)
        assert "Measured <b>organs</b>" in measure.status.text()
        assert "voxels without a value" in measure.status.text()

    def test_measuring_again_leaves_the_table_as_high(self, measure: MeasureWidget, show: Show, qtbot: QtBot) -> None:
        show(image())
        show(labels())
        click_and_wait(qtbot, measure)
        once = measure.table.minimumSizeHint().height(), measure.table.table.minimumHeight()
        click_and_wait(qtbot, measure)
        assert (measure.table.minimumSizeHint().height(), measure.table.table.minimumHeight()) == once

    def test_without_an_image(self, measure: MeasureWidget, show: Show, qtbot: QtBot) -> None:
        show(labels())
        assert measure.image_choice.currentText() == "No image"
        rows = click_and_wait(qtbot, measure)
        assert "Mean" not in rows[0]
        assert rows[0]["Voxels"] == "240"


class TestChoice:
    def test_nothing_there(self, measure: MeasureWidget) -> None:
        assert not measure.start_button.isEnabled()
        assert "Nothing to measure yet" in measure.status.text()

    def test_no_image_stays_chosen(self, measure: MeasureWidget, show: Show) -> None:
        show(image())
        first, second = show(labels()), show(labels())
        choice = measure.image_choice
        assert choice.currentText() == "scan"
        choice.setCurrentIndex(0)
        choice.activated.emit(0)  # as a click on it does
        for layer in (first, second):
            measure.labels_choice.choose(layer)
            assert choice.currentText() == "No image"

    def test_an_image_elsewhere_is_not_proposed_and_refused(
        self, measure: MeasureWidget, show: Show, messages: list[tuple[str, str]]
    ) -> None:
        other = make_affine(spacing_mm=(3, 1, 1))
        show(Volume(np.zeros((5, 6, 7), np.float32), other, name="elsewhere"))
        show(labels())
        assert measure.image_choice.currentText() == "No image"
        measure.image_choice.setCurrentText("elsewhere")
        measure.start_button.click()
        assert not measure.is_running
        assert "elsewhere does not lie on the grid of organs" in messages[-1][1]

    def test_it_fits_a_narrow_dock(self, measure: MeasureWidget) -> None:
        assert measure.minimumSizeHint().width() <= 320
