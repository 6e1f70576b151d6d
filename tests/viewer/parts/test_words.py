from __future__ import annotations

import re

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_resmed.viewer.parts.breakable import CHANCE, breakable, unbroken
from napari_resmed.viewer.parts.words import plain_words, words

LONG = "sub-0042_ses-01_acq-highres_T1w_brain_extracted_normalised"


def test_what_is_short_stays_as_it_is() -> None:
    said = "Classified a_layer_of_the_brain in 3.2 s."
    assert breakable(said) == said


@pytest.mark.parametrize("name", [LONG, "x" * 70, "年" * 40])
def test_a_long_name_may_end_a_line_often(name: str) -> None:
    broken = breakable(f"Classified {name} in 3 s.")
    assert unbroken(broken) == f"Classified {name} in 3 s."
    assert max(map(len, re.split(rf"[\s{CHANCE}]", broken))) <= 12
    assert breakable("") == ""


def test_tags_and_entities_stay_whole() -> None:
    broken = breakable(f"<span style='font-size: large'><b>{'&amp;' * 30}</b></span><br>{LONG[:12]}", rich=True)
    assert f"{'&amp;' * 10}{CHANCE}{'&amp;' * 10}" in broken
    assert broken.startswith("<span style='font-size: large'><b>&amp;")
    assert broken.endswith(f"</b></span><br>{LONG[:12]}")


@pytest.mark.parametrize("made", [plain_words, lambda: words(selectable=True)])
def test_it_fits_a_dock_and_is_copied_as_it_was(made, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    label = made()
    qtbot.addWidget(label)
    label.setText("one line")
    one = label.heightForWidth(200)
    label.setText(LONG)
    assert label.text() == LONG
    # Without a chance to break it, it would be one line that is cut.
    assert label.heightForWidth(200) >= 2 * one
    label.setSelection(0, len(LONG))
    QTest.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert CHANCE not in clipboard.text()
    assert clipboard.text().startswith(LONG[:20])
