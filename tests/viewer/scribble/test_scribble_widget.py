"""Strokes, in a real window with a real worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import napari
import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.scribble.scribble_widget import ScribbleWidget
from napari_resmed.volume import Volume
from tests.affines import make_affine

Show = Callable[[Volume], napari.layers.Layer]
Messages = list[tuple[str, str]]

# A worker that has to load torch on a busy two-core machine.
COLD_MS = 90_000
# Stored x first, upside down and turned: what is drawn in the window has to find its way back.
AFFINE = make_affine((2, 0, 1), (-1, 1, -1), degrees=(0, 0, 0), spacing_mm=(1.5, 1, 1), origin_mm=(5, 6, 7))


def ball(shape: tuple[int, int, int] = (20, 28, 24)) -> NDArray[np.bool_]:
    """A ball of radius 6, not in the middle."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.asarray((z - 8) ** 2 + (y - 16) ** 2 + (x - 10) ** 2 <= 36)


def phantom() -> Volume:
    """A bright ball in a darker room, with a little of everything that is no noise."""
    inside = ball()
    ramp = np.linspace(0, 10, inside.size).reshape(inside.shape)
    return Volume((100.0 * inside + ramp).astype(np.float32), AFFINE, "zyx", "MR", "ball")


@pytest.fixture
def scribble(viewer: napari.Viewer) -> Iterator[ScribbleWidget]:
    """The dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Scribble")
    assert isinstance(widget, ScribbleWidget)
    yield widget
    widget.cancel()


def strokes_of(widget: ScribbleWidget) -> napari.layers.Labels:
    assert widget.session is not None
    return widget.session.strokes


def paint(widget: ScribbleWidget, value: int, *places: tuple[int, ...]) -> None:
    """Touch the image with the brush, as napari does when the mouse is let go."""
    layer = strokes_of(widget)
    with layer.block_history():
        for place in places:
            layer.paint(place, value)


def wait_for_answer(qtbot: QtBot, widget: ScribbleWidget) -> None:
    qtbot.waitUntil(lambda: widget.session is None or widget.session.is_answered, timeout=COLD_MS)
    assert widget.session is not None, widget.hint.text()


def shown(inside: NDArray[np.bool_], image: napari.layers.Image) -> NDArray[np.bool_]:
    """The truth in the window's order of axes."""
    return np.asarray(image.data > 60)


@pytest.fixture
def painted(
    viewer: napari.Viewer, scribble: ScribbleWidget, show: Show, qtbot: QtBot
) -> tuple[ScribbleWidget, napari.layers.Image]:
    """The ball, with a stroke in it and one beside it, answered."""
    image = show(phantom())
    scribble.start_button.click()
    inside, outside = places(image)
    viewer.dims.set_point(0, image.data_to_world(inside)[0])
    strokes_of(scribble).brush_size = 3
    paint(scribble, 2, inside)
    paint(scribble, 1, outside, (inside[0], 1, 1))
    wait_for_answer(qtbot, scribble)
    return scribble, image


def places(image: napari.layers.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The middle of the ball, and a place beside it in the same slice, as the window shows them."""
    middle = tuple(int(round(float(part))) for part in np.argwhere(image.data > 60).mean(0))
    return middle, (middle[0], image.data.shape[1] - 2, image.data.shape[2] - 2)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


class TestStrokes:
    def test_two_strokes_segment_the_volume_where_it_is_shown(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer
    ) -> None:
        widget, image = painted
        assert widget.session is not None
        answer = widget.session.answer.layer
        assert answer in viewer.layers
        assert answer.data.shape == image.data.shape
        for index in ((0, 0, 0), tuple(size - 1 for size in image.data.shape)):
            np.testing.assert_allclose(answer.data_to_world(index), image.data_to_world(index), atol=1e-6)
        assert dice(answer.data == 2, image.data > 60) > 0.9
        assert set(np.unique(answer.data)) == {1, 2}
        assert "right" in widget.status.text() or "Not checked" in widget.status.text()
        assert viewer.layers.selection.active is widget.session.strokes

    def test_undo_is_followed(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot
    ) -> None:
        widget, _ = painted
        assert widget.session is not None
        strokes_of(widget).undo()
        qtbot.waitUntil(lambda: "paint a second class" in widget.hint.text())
        assert not widget.session.answer.layer.data.any()
        assert not widget.accept_button.isEnabled()
        strokes_of(widget).redo()
        wait_for_answer(qtbot, widget)
        assert widget.session.answer.layer.data.any()
        widget.clear_button.click()
        qtbot.waitUntil(lambda: not widget.session.answer.layer.data.any())
        assert not strokes_of(widget).data.any()
        strokes_of(widget).undo()
        assert strokes_of(widget).data.any()
