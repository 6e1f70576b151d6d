from __future__ import annotations

from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from pytestqt.qtbot import QtBot

from napari_resmed.viewer.parts.image_choice import ImageChoice

EMPTY = np.zeros((2, 3, 4), np.float32)


@pytest.fixture
def told(qtbot: QtBot) -> tuple[ViewerModel, ImageChoice, list[Any]]:
    """A window with two images, of which the first is chosen, and what the choice told of since."""
    viewer = ViewerModel()
    for name in ("first", "second"):
        viewer.add_image(EMPTY, name=name)
    viewer.layers.selection.active = viewer.layers["first"]
    choice = ImageChoice(viewer)
    qtbot.addWidget(choice)
    said: list[Any] = []
    choice.currentIndexChanged.connect(lambda _: said.append(choice.currentText()))
    choice.filled.connect(lambda: said.append(choice.count()))
    return viewer, choice, said


def test_what_was_chosen_stays_when_a_result_is_added(told: tuple[ViewerModel, ImageChoice, list[Any]]) -> None:
    viewer, choice, said = told
    choice.setCurrentText("second")
    said.clear()
    viewer.add_labels(np.zeros((2, 3, 4), np.uint8))
    viewer.layers.move(0, 2)
    assert (choice.currentText(), set(said)) == ("second", {2})
    viewer.layers.selection.active = viewer.layers["first"]
    assert choice.currentText() == "first"


def test_that_none_is_wanted_stays_too(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    viewer.add_image(EMPTY, name="first")
    choice = ImageChoice(viewer, none="no image")
    qtbot.addWidget(choice)
    assert choice.currentText() == "first"
    choice.setCurrentIndex(0)
    choice.activated.emit(0)  # a person's choice
    viewer.add_labels(np.zeros((2, 3, 4), np.uint8))
    viewer.layers.move(0, 2)
    assert choice.currentText() == "no image"


def test_layers_in_another_order_are_the_same_choice(told: tuple[ViewerModel, ImageChoice, list[Any]]) -> None:
    viewer, choice, said = told
    viewer.layers.move(0, 2)
    assert [choice.itemText(number) for number in range(2)] == ["second", "first"]
    assert (choice.currentText(), set(said)) == ("first", {2})


def test_a_new_layer_is_told_of_once(told: tuple[ViewerModel, ImageChoice, list[Any]]) -> None:
    viewer, choice, said = told
    viewer.add_image(EMPTY, name="third")
    assert choice.currentText() == "third"
    assert [one for one in said if isinstance(one, str)] == ["third"]


def test_what_takes_the_place_of_a_removed_layer_is_told_of_once(
    told: tuple[ViewerModel, ImageChoice, list[Any]],
) -> None:
    viewer, choice, said = told
    viewer.layers.remove("first")
    assert choice.currentText() == "second"
    assert [one for one in said if isinstance(one, str)] == ["second"]


def test_the_last_layer_leaves_no_choice(told: tuple[ViewerModel, ImageChoice, list[Any]]) -> None:
    viewer, choice, said = told
    viewer.layers.clear()
    assert (choice.currentData(), said[-1]) == (None, 0)
    assert "" in said


def test_the_active_layer_is_chosen_through_what_napari_hands_plugins(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    for name in ("first", "second", "third"):
        viewer.add_image(EMPTY, name=name)
    viewer.layers.selection.active = viewer.layers["second"]
    choice = ImageChoice(PublicOnlyProxy(viewer))
    qtbot.addWidget(choice)
    assert choice.currentText() == "second"
    viewer.layers.selection.active = viewer.layers["third"]
    assert choice.currentText() == "third"


def test_a_dock_opened_over_images_chooses_the_active_one(viewer: napari.Viewer) -> None:
    for name in ("first", "second", "third"):
        viewer.add_image(EMPTY, name=name)
    viewer.layers.selection.active = viewer.layers["second"]
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Measure")
    assert widget.image_choice.currentText() == "second"
