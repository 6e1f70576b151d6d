from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_resmed.viewer.parts.short_table import LEAST_ROWS, ShortTable
from napari_resmed.viewer.parts.words import words


def shown(qtbot: QtBot, rows: int, *, may_stretch: bool = False) -> tuple[QWidget, ShortTable]:
    """A table of at most four rows in a high window whose style makes headers higher."""
    window = QWidget()
    qtbot.addWidget(window)
    window.setStyleSheet("QHeaderView::section { padding: 9px; }")
    table = ShortTable(2, 4, may_stretch=may_stretch)
    layout = QVBoxLayout(window)
    layout.addWidget(table)
    layout.addStretch()
    table.setRowCount(rows)
    window.resize(300, 900)
    with qtbot.waitExposed(window):
        window.show()
    return window, table  # Qt deletes the table with the window


def test_all_rows_are_seen_without_scrolling(qtbot: QtBot) -> None:
    _window, table = shown(qtbot, 3)
    qtbot.waitUntil(lambda: table.verticalScrollBar().maximum() == 0)
    empty = table.viewport().height() - 3 * table.rowHeight(0)
    assert 0 <= empty < table.rowHeight(0)


def test_it_grows_and_shrinks_with_its_rows_until_it_scrolls(qtbot: QtBot) -> None:
    _window, table = shown(qtbot, 1)
    row = table.rowHeight(0)
    qtbot.waitUntil(lambda: table.viewport().height() // row == 1)
    table.setRowCount(9)
    qtbot.waitUntil(lambda: table.viewport().height() // row == 4)
    assert table.verticalScrollBar().maximum() > 0
    table.setRowCount(2)
    qtbot.waitUntil(lambda: table.viewport().height() // row == 2)
    assert table.verticalScrollBar().maximum() == 0


@pytest.mark.parametrize("rows", [0, 1])
def test_there_is_room_for_a_row(qtbot: QtBot, rows: int) -> None:
    _window, table = shown(qtbot, rows)
    default = table.verticalHeader().defaultSectionSize()
    qtbot.waitUntil(lambda: table.viewport().height() // default == 1)


def test_one_that_may_stretch_takes_what_is_left(qtbot: QtBot) -> None:
    _window, table = shown(qtbot, 2, may_stretch=True)
    qtbot.waitUntil(lambda: table.height() > 400)


def test_one_that_may_stretch_gives_way_to_words(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    said, table = words(), ShortTable(2, 9, may_stretch=True)
    layout = QVBoxLayout(window)
    layout.addWidget(said)
    layout.addWidget(table, 1)
    table.setRowCount(30)
    said.setText("The image does not look like what the model has learnt from. " * 8)
    window.resize(300, 420)
    with qtbot.waitExposed(window):
        window.show()
    qtbot.waitUntil(lambda: said.height() >= said.heightForWidth(said.width()))
    assert table.viewport().height() >= LEAST_ROWS * table.rowHeight(0)


def test_the_bar_below_columns_covers_no_row(qtbot: QtBot) -> None:
    _window, table = shown(qtbot, 3)
    table.setColumnWidth(0, 900)
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() > 0)
    qtbot.waitUntil(lambda: table.viewport().height() >= 3 * table.rowHeight(0))
