"""Real windows. These need an OpenGL context: a display, or Xvfb (`make test` brings one)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template
from napari_resmed.viewer.layers import volume_to_layer
from napari_resmed.viewer.segment.segment_widget import SegmentWidget
from napari_resmed.volume import Volume

# For whatever has to come, as a worker that loads torch on a machine that is busy with other things. That a cancelled job
# is gone within a second on one that is not, `python -m benchmarks.cancel` measures.
PATIENCE_MS = 400_000


@pytest.fixture
def qtbot(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> QtBot:
    """Waits longer than the usual five seconds."""
    for wait in ("waitUntil", "waitSignal", "waitExposed"):
        monkeypatch.setattr(qtbot, wait, partial(getattr(qtbot, wait), timeout=PATIENCE_MS))
    return qtbot


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    """A real window."""
    return make_napari_viewer(show=True)


@pytest.fixture(scope="session")
def template() -> Volume:
    """The MNI152 T1 template, 197 x 233 x 189 at 1 mm."""
    return read(mni152_template())


@pytest.fixture(scope="session")
def small(template: Volume) -> Volume:
    """A piece of it that one window of the network covers, in an order that napari cannot show as it is."""
    piece = template.data[60:124, 90:154, 70:134]
    affine = template.affine.copy()
    affine[:3, 3] = (template.affine @ [60, 90, 70, 1])[:3]
    # Stored x first and upside down, as sagittal scans are.
    turned = np.ascontiguousarray(piece.transpose(2, 0, 1)[:, ::-1])
    order = affine @ np.array([[0, -1, 0, 63.0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    return Volume(turned, order, "zyx", "MR", "piece")


@pytest.fixture
def segment(viewer: napari.Viewer) -> Iterator[SegmentWidget]:
    """The Segment dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
    assert isinstance(widget, SegmentWidget)
    yield widget
    widget.cancel()


@pytest.fixture
def show(viewer: napari.Viewer) -> Callable[[Volume], napari.layers.Layer]:
    """Put a volume into the window, as our reader does."""

    def add(volume: Volume) -> napari.layers.Layer:
        data, attributes, kind = volume_to_layer(volume)
        return getattr(viewer, f"add_{kind}")(data, **attributes)

    return add


@pytest.fixture
def messages() -> Iterator[list[tuple[str, str]]]:
    """Every notification that the person was shown: (severity, text)."""
    seen: list[tuple[str, str]] = []
    manager = napari.utils.notifications.notification_manager

    def note(notification: napari.utils.notifications.Notification) -> None:
        seen.append((str(notification.severity), notification.message))

    manager.notification_ready.connect(note)
    yield seen
    manager.notification_ready.disconnect(note)


@pytest.fixture
def flat_file(tmp_path: Path) -> Path:
    """A file whose name promises an image and whose content is none."""
    path = tmp_path / "scan.nii"
    path.write_bytes(b"this is not an image" * 40)
    return path
