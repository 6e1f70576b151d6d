from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_resmed.errors import WorkError
from napari_resmed.viewer.parts.ask_and_save import ask_and_save

PICTURES = "Picture (*.png);;Drawing (*.svg)"


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def answer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # The system's own dialog, which waits for a person.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (name, ""))


@pytest.mark.parametrize(
    ("proposed", "kinds", "chosen", "saved"),
    [
        ("a.csv", "Table (*.csv)", "b", "b.csv"),
        ("a.csv", "Table (*.csv)", "b.CSV", "b.CSV"),
        ("a.csv", "Table (*.csv)", "b.png", "b.png.csv"),
        ("a.png", PICTURES, "b.svg", "b.svg"),
        ("a.png", PICTURES, "b", "b.png"),
    ],
)
def test_the_name_gets_an_ending_that_fits(
    parent: QWidget, monkeypatch: pytest.MonkeyPatch, proposed: str, kinds: str, chosen: str, saved: str
) -> None:
    answer(monkeypatch, chosen)
    found: list[Path] = []
    ask_and_save(parent, "Save", proposed, found.append, kinds)
    assert found == [Path(saved)]


def test_nothing_is_saved_where_nothing_was_chosen(parent: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "")
    ask_and_save(parent, "Save", "a.csv", lambda path: pytest.fail("saved"))


def test_what_goes_wrong_is_told(
    parent: QWidget, monkeypatch: pytest.MonkeyPatch, messages: list[tuple[str, str]]
) -> None:
    answer(monkeypatch, "b.csv")

    def full(path: Path) -> None:
        raise WorkError("the disk is full")

    ask_and_save(parent, "Save", "a.csv", full)
    assert ("error", "the disk is full") in messages
