"""Strokes, in a real window with a real worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from napari_resmed.engine.messages import Exchange
from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.folder import METADATA, load_model
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.scribble import session
from napari_resmed.viewer.scribble.scribble_widget import ScribbleWidget
from napari_resmed.viewer.scribble.what_to_paint_in import FIRST_CLASSES, new_strokes
from napari_resmed.volume import Volume
from tests.affines import make_affine

Show = Callable[[Volume], napari.layers.Layer]
Messages = list[tuple[str, str]]

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
    qtbot.waitUntil(lambda: widget.session is None or widget.session.is_answered)
    assert widget.session is not None, widget.hint.text()


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
    middle = tuple(round(float(part)) for part in np.argwhere(image.data > 60).mean(0))
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
        assert dice(answer.data == 2, image.data > 60) > 0.7
        found, true = (np.argwhere(mask).mean(0) for mask in (answer.data == 2, image.data > 60))
        np.testing.assert_allclose(found, true, atol=1)
        assert all(abs(2 * true - (np.array(image.data.shape) - 1)) > 2)  # no axis looks alike from its other end
        assert set(np.unique(answer.data)) == {1, 2}
        assert "own estimate" in widget.status.text()
        assert viewer.layers.selection.active is widget.session.strokes

    def test_undo_is_followed(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
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
        before = strokes_of(widget).data.copy()
        many = np.count_nonzero(before)
        monkeypatch.setattr(session, "AT_A_TIME", many - 1)
        widget.tools.clear_button.click()
        qtbot.waitUntil(lambda: not widget.session.answer.layer.data.any())
        assert not strokes_of(widget).data.any()
        strokes_of(widget).undo()
        assert np.count_nonzero(strokes_of(widget).data) == 1
        strokes_of(widget).undo()
        np.testing.assert_array_equal(strokes_of(widget).data, before)

    def test_an_existing_layer_is_followed_and_its_classes_are_named(
        self, viewer: napari.Viewer, scribble: ScribbleWidget, show: Show, qtbot: QtBot
    ) -> None:
        image = show(phantom())
        inside, outside = places(image)
        own = viewer.add_labels(np.zeros(image.data.shape, np.int32), scale=image.scale, translate=image.translate)
        own.units = image.units
        own.data[inside], own.data[outside] = 7, 3
        viewer.layers.selection.active = image
        scribble.choices.strokes.fill()
        scribble.choices.strokes.choose(own)
        scribble.start_button.click()
        wait_for_answer(qtbot, scribble)
        assert strokes_of(scribble) is own
        assert scribble.labels.labels.values == (3, 7)
        assert scribble.session is not None
        assert set(np.unique(scribble.session.answer.layer.data)) == {3, 7}
        assert own.data[inside] == 7

    def test_one_class_is_asked_to_get_company(
        self, scribble: ScribbleWidget, show: Show, qtbot: QtBot, messages: Messages
    ) -> None:
        image = show(phantom())
        scribble.start_button.click()
        paint(scribble, 2, places(image)[0])
        qtbot.waitUntil(
            lambda: scribble.hint.text() == "Only “structure” is painted: paint a second class to tell it from."
        )
        assert not scribble.accept_button.isEnabled()
        assert not [text for severity, text in messages if severity == "error"]

    def test_the_newest_stroke_alone_is_answered(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot
    ) -> None:
        widget, _image = painted
        assert widget.session is not None
        told: list[dict[str, object]] = []
        widget.session.answered.connect(told.append)
        for row in range(4):
            paint(widget, 1, (1 + row, 2, 2))
            qtbot.wait(60)
        wait_for_answer(qtbot, widget)
        counts = [result["strokes"]["1"] if "1" in result["strokes"] else result["strokes"][1] for result in told]
        assert len(told) <= 4
        assert counts[-1] == max(counts)
        assert (widget.session.answer.layer.data[4, 2, 2]) == 1

    def test_the_image_travels_once_and_again_when_it_changed(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        widget, image = painted
        sent: list[int] = []
        put = Exchange.put
        monkeypatch.setattr(Exchange, "put", lambda self, array: sent.append(array.nbytes) or put(self, array))
        paint(widget, 1, (1, 2, 2))
        wait_for_answer(qtbot, widget)
        assert 0 < sum(sent) < image.data.nbytes / 20
        image.data = np.where(image.data > 60, 0, image.data)
        qtbot.waitUntil(lambda: widget.session is not None and widget.session.is_answered)
        assert sum(sent) > image.data.nbytes

    def test_a_class_is_added_and_renamed(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot
    ) -> None:
        widget, _image = painted
        widget.labels.table.item(1, 2).setText("ball")
        widget.labels.add_button.click()
        strokes = strokes_of(widget)
        assert strokes.selected_label == 3
        assert dict(zip(strokes.features["index"], strokes.features["structure"], strict=True))[2] == "ball"
        paint(widget, 3, (0, 0, 0))
        wait_for_answer(qtbot, widget)
        assert widget.session is not None
        assert {row["name"] for row in widget.session.result["table"]} == {"background", "ball", "label 3"}


class TestEnd:
    def test_accepted_is_an_ordinary_layer_with_provenance(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer, qtbot: QtBot
    ) -> None:
        widget, _image = painted
        strokes = strokes_of(widget)
        answer = np.array(widget.session.answer.layer.data)
        widget.accept_button.click()
        qtbot.waitUntil(lambda: widget.result is not None)
        made = widget.result
        np.testing.assert_array_equal(made.data, np.where(answer == 1, 0, answer))
        assert made.name == "ball labels"
        assert all(made._overlays[name].visible for name in ("polygon", "brush_stroke"))  # not left out for good
        assert made.data.flags.writeable
        assert made.data.flags.c_contiguous
        assert made.metadata[KEY]["meta"]["made_by"]["method"] == "scribble"
        back = layer_to_volume(made.data, attributes_of(made), labels=True)
        assert back.same_grid(phantom())
        assert [label.name for label in back.labels] == ["structure"]
        assert {layer.name for layer in viewer.layers} == {"ball", "ball strokes", "ball labels"}
        assert not strokes.visible
        assert widget.session is None
        assert widget.start_button.isVisible()

    def test_accept_waits_for_the_newest_stroke(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        widget, _image = painted
        session = widget.session
        assert session is not None
        start = session._start

        def accept_meanwhile(*arguments: Any) -> None:
            monkeypatch.undo()
            start(*arguments)
            assert session.is_working
            widget.accept_button.click()

        monkeypatch.setattr(session, "_start", accept_meanwhile)
        paint(widget, 2, (0, 0, 0))
        qtbot.waitUntil(lambda: widget.result is not None)
        assert widget.result.data[0, 0, 0] == 2

    def test_accept_after_cancel_answers_first(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot
    ) -> None:
        widget, _image = painted
        session = widget.session
        assert session is not None
        paint(widget, 2, (0, 0, 0))
        qtbot.waitUntil(lambda: session.answer_under_way)
        widget.accept_button.click()
        widget.cancel()
        qtbot.waitUntil(lambda: session.is_idle)
        assert widget.hint.text().startswith("Cancelled")
        assert widget.result is None
        assert "Accepting" not in widget.status.text()
        widget.accept_button.click()
        assert "Accepting" in widget.status.text()
        qtbot.waitUntil(lambda: widget.result is not None)
        assert widget.result.data[0, 0, 0] == 2

    def test_an_answer_that_fails_takes_the_wish_to_accept_back(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], qtbot: QtBot, messages: Messages
    ) -> None:
        widget, _image = painted
        session = widget.session
        assert session is not None
        take = session.strokes_now
        is_accepted = threading.Event()

        def fail() -> dict[str, Any]:
            assert is_accepted.wait(60)
            raise InputError("these strokes cannot be answered")

        session.strokes_now = lambda: fail
        paint(widget, 2, (0, 0, 0))
        qtbot.waitUntil(lambda: session.answer_under_way)
        widget.accept_button.click()
        is_accepted.set()
        qtbot.waitUntil(lambda: bool(messages))
        qtbot.waitUntil(lambda: session.is_idle)
        assert "these strokes cannot be answered" in widget.hint.text()
        session.strokes_now = take
        paint(widget, 2, (0, 0, 1))
        wait_for_answer(qtbot, widget)
        assert widget.session is session  # it was not accepted
        assert widget.result is None

    def test_train_takes_what_was_accepted(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer, qtbot: QtBot
    ) -> None:
        widget, _image = painted
        widget.accept_button.click()
        qtbot.waitUntil(lambda: widget.result is not None)
        _, train = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
        qtbot.waitUntil(lambda: train.source.is_up_to_date)
        assert [pair.labels for pair in train.source.pairs.pairs] == [widget.result]
        assert [label.name for label in train.source.labels] == ["structure"]

    @pytest.mark.parametrize("which", ["image", "strokes", "answer"])
    def test_a_layer_that_goes_ends_it(
        self, scribble: ScribbleWidget, show: Show, viewer: napari.Viewer, qtbot: QtBot, which: str
    ) -> None:
        image = show(phantom())
        scribble.start_button.click()
        assert scribble.session is not None
        layer = {"image": image, "strokes": strokes_of(scribble), "answer": scribble.session.answer.layer}[which]
        qtbot.waitUntil(lambda: layer in viewer.layers)
        viewer.layers.remove(layer)
        assert scribble.session is None
        assert "has ended" in scribble.hint.text()
        qtbot.waitUntil(lambda: "ball scribble" not in viewer.layers)

    def test_all_layers_can_be_deleted_at_once(
        self, scribble: ScribbleWidget, show: Show, viewer: napari.Viewer, qtbot: QtBot
    ) -> None:
        image = show(phantom())
        scribble.start_button.click()
        assert scribble.session is not None
        strokes, answer = strokes_of(scribble), scribble.session.answer.layer
        qtbot.waitUntil(lambda: answer in viewer.layers)
        # As napari does with those that are selected, in the order of a set: here what ends the session is first.
        for layer in (image, strokes, answer):
            viewer.layers.index(layer)
            viewer.layers.remove(layer)
        qtbot.wait(50)
        assert len(viewer.layers) == 0
        assert scribble.session is None

    def test_stop_leaves_the_strokes(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer
    ) -> None:
        widget, _image = painted
        strokes = strokes_of(widget)
        widget.tools.stop_button.click()
        assert {layer.name for layer in viewer.layers} == {"ball", "ball strokes"}
        assert strokes.data.any()
        assert widget.start_button.isEnabled()

    def test_the_classes_are_those_of_the_layer_that_is_left(
        self, scribble: ScribbleWidget, show: Show, viewer: napari.Viewer
    ) -> None:
        image = show(phantom())
        mine = new_strokes(image, LabelSet(tuple(Label(k, f"class {k}", (k, k, k)) for k in (1, 2, 3))))
        viewer.add_layer(mine)
        assert scribble.choices.strokes.currentData() is mine
        assert scribble.labels.labels.values == (1, 2, 3)
        scribble.start_button.click()
        assert scribble.session is not None
        viewer.layers.remove(mine)  # which ends it
        assert scribble.choices.strokes.currentData() is None
        assert scribble.labels.labels == FIRST_CLASSES


class TestWhereNext:
    def test_goes_to_the_slice_and_place(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer
    ) -> None:
        widget, image = painted
        assert widget.session is not None
        assert widget.session.result is not None
        index = widget.session.grid.shown_index(widget.session.result["suggestion"]["index"])
        viewer.dims.set_point(0, image.data_to_world((0, 0, 0))[0])
        widget.tools.next_button.click()
        world = image.data_to_world(index)
        assert viewer.dims.point[0] == pytest.approx(world[0])
        np.testing.assert_allclose(viewer.camera.center[1:], world[1:], atol=1e-6)
        assert "“background”" in widget.hint.text()
        assert "“structure”" in widget.hint.text()
        # The place is the one in the patient that the job meant.
        there = phantom().affine @ [*widget.session.result["suggestion"]["index"], 1]
        np.testing.assert_allclose(np.array(world)[::-1], there[:3], atol=1e-3)

    def test_doubt_is_shown_and_hidden(
        self, painted: tuple[ScribbleWidget, napari.layers.Image], viewer: napari.Viewer, qtbot: QtBot
    ) -> None:
        widget, image = painted
        widget.options.unsure.click()
        wait_for_answer(qtbot, widget)
        unsure = viewer.layers["ball scribble uncertainty"]
        assert unsure.data.shape == image.data.shape
        assert 0 <= unsure.data.min() < unsure.data.max() <= 1
        widget.options.unsure.click()
        wait_for_answer(qtbot, widget)
        assert "ball scribble uncertainty" not in viewer.layers


class TestOtherImages:
    def test_2d(self, viewer: napari.Viewer, scribble: ScribbleWidget, qtbot: QtBot) -> None:
        y, x = np.ogrid[:40, :50]
        disc = (y - 15) ** 2 + (x - 30) ** 2 <= 64
        viewer.add_image((80.0 * disc + 0.1 * x).astype(np.float32), name="picture", scale=(2, 2))
        scribble.start_button.click()
        strokes_of(scribble).brush_size = 3
        paint(scribble, 2, (15, 30))
        paint(scribble, 1, (35, 5))
        wait_for_answer(qtbot, scribble)
        assert dice(scribble.session.answer.layer.data == 2, disc) > 0.3
        paint(scribble, 1, (3, 3))  # now there is an answer to begin the slice from
        wait_for_answer(qtbot, scribble)
        scribble.tools.next_button.click()
        scribble.accept_button.click()
        qtbot.waitUntil(lambda: scribble.result is not None)
        assert scribble.result.data.shape == (40, 50)
        np.testing.assert_allclose(scribble.result.scale, (2, 2))
        assert scribble.result.metadata[KEY]["meta"]["made_by"]["method"] == "scribble"

    def test_colour(self, viewer: napari.Viewer, scribble: ScribbleWidget, qtbot: QtBot) -> None:
        y, x = np.ogrid[:40, :50]
        disc = (y - 15) ** 2 + (x - 30) ** 2 <= 64
        picture = np.full((40, 50, 3), 90, np.uint8)
        picture[disc] = (200, 60, 60)
        picture += (x % 7).astype(np.uint8)[..., None]
        viewer.add_image(picture, name="photo", rgb=True)
        scribble.start_button.click()
        strokes_of(scribble).brush_size = 3
        paint(scribble, 2, (15, 30))
        paint(scribble, 1, (35, 5))
        wait_for_answer(qtbot, scribble)
        assert dice(scribble.session.answer.layer.data == 2, disc) > 0.3

    def test_two_channels(self, scribble: ScribbleWidget, show: Show, qtbot: QtBot) -> None:
        one = np.asarray(phantom().data)
        image = show(Volume(np.stack([one, one[::-1]]), AFFINE, "czyx", "MR", "pair"))
        scribble.start_button.click()
        assert strokes_of(scribble).data.shape == image.data.shape[1:]
        middle = tuple(round(float(part)) for part in np.argwhere(image.data[0] > 60).mean(0))
        strokes_of(scribble).brush_size = 3
        paint(scribble, 2, middle)
        paint(scribble, 1, (1, 1, 1))
        wait_for_answer(qtbot, scribble)
        assert dice(scribble.session.answer.layer.data == 2, image.data[0] > 60) > 0.4

    def test_layers_as_channels(
        self, viewer: napari.Viewer, scribble: ScribbleWidget, show: Show, qtbot: QtBot
    ) -> None:
        ball_ = phantom()
        second = show(Volume(ball_.data, AFFINE, "zyx", "MR", "second"))
        show(Volume(ball_.data[1:], AFFINE, "zyx", "MR", "of another size"))
        ramp = np.linspace(0, 1, ball_.data.size, dtype=np.float32).reshape(ball_.data.shape)
        image = show(Volume(ramp, AFFINE, "zyx", "MR", "first"))
        assert scribble.choices.image.currentData() is image
        assert [scribble.choices.channels.item(row).text() for row in range(scribble.choices.channels.count())] == [
            "second"
        ]
        assert scribble.choices.channels.isVisible()
        scribble.choices.channels.tick(second)
        scribble.start_button.click()
        inside, outside = places(second)
        strokes_of(scribble).brush_size = 3
        paint(scribble, 2, inside)
        paint(scribble, 1, outside, (inside[0], 1, 1))
        wait_for_answer(qtbot, scribble)
        assert scribble.session is not None
        sent = scribble.session.strokes_now()()["image"].value
        np.testing.assert_array_equal(sent.data, [ramp, ball_.data])
        assert sent.same_grid(Volume(np.stack([ramp, ramp]), AFFINE, "czyx"))
        assert set(np.unique(scribble.session.answer.layer.data)) == {1, 2}
        viewer.layers.remove(second)
        assert "second was removed" in scribble.hint.text()

    def test_time_is_refused_in_one_sentence(self, viewer: napari.Viewer, scribble: ScribbleWidget) -> None:
        viewer.add_image(np.zeros((3, 4, 5, 6), np.float32), name="beating")
        assert not scribble.start_button.isEnabled()
        assert scribble.hint.text().startswith("beating has a time axis")

    def test_an_image_of_one_value_is_refused_in_one_sentence(
        self, viewer: napari.Viewer, scribble: ScribbleWidget, qtbot: QtBot
    ) -> None:
        viewer.add_image(np.zeros((8, 8, 8), np.float32), name="black")
        scribble.start_button.click()
        qtbot.waitUntil(lambda: scribble.session is None)
        assert "value" in scribble.hint.text()
        assert [layer.name for layer in viewer.layers] == ["black", "black strokes"]

    def test_no_image(self, scribble: ScribbleWidget) -> None:
        assert not scribble.start_button.isEnabled()
        assert "Open an image first" in scribble.hint.text()

    def test_saved_as_a_model_and_applied_to_another_image(
        self,
        painted: tuple[ScribbleWidget, napari.layers.Image],
        show: Show,
        viewer: napari.Viewer,
        qtbot: QtBot,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("RESMED_MODELS", str(tmp_path))
        widget, _ = painted
        others = widget.others
        assert not others.apply_button.isEnabled()
        others.save_button.click()
        assert "no name" in widget.status.text()
        others.name.setText("bright")
        others.save_button.click()
        qtbot.waitUntil(lambda: others.job is None)
        assert "Saved the model" in widget.status.text()
        model = load_model(tmp_path / "bright")
        assert [label.name for label in model.labels] == ["structure"]
        # What is there is not replaced, nor hidden.
        made = (tmp_path / "bright" / METADATA).stat().st_mtime_ns
        for name in ("bright", "brain-mr"):
            others.name.setText(name)
            others.save_button.click()
            assert others.job is None
            assert widget.status.text() == f"There is a model {name} already; choose another name."
        assert (tmp_path / "bright" / METADATA).stat().st_mtime_ns == made
        assert not (tmp_path / "brain-mr").exists()
        other = phantom()
        second = show(Volume(other.data[:, ::-1].copy(), AFFINE, "zyx", "MR", "second"))
        strokes = strokes_of(widget)
        viewer.layers.selection.active = strokes
        assert others.image_choice.currentData() is second
        others.apply_button.click()
        qtbot.waitUntil(lambda: others.result is not None)
        assert dice(others.result.data == 2, second.data > 60) > 0.3
        assert viewer.layers.selection.active is strokes
