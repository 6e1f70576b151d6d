"""Every dock opens wide enough to be read, and fits a narrow window."""

from __future__ import annotations

import napari
import pytest
from pytestqt.qtbot import QtBot


@pytest.mark.parametrize(
    "name", ["Segment", "Train", "Scribble", "Classify", "Cases", "Load DICOM", "Header", "Measure", "Models"]
)
def test_opens_as_wide_as_it_has_to_fit(viewer: napari.Viewer, name: str, qtbot: QtBot) -> None:
    dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", name)
    qtbot.waitUntil(lambda: widget.width() > 0 and 280 <= dock.width() <= 360)
    qtbot.wait(50)  # and stays so
    assert 280 <= dock.width() <= 360
