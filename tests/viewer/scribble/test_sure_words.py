from __future__ import annotations

from napari_resmed.viewer.scribble.sure_words import sure_words


def test_strokes_held_out_are_told() -> None:
    said = sure_words({"sure": 0.913, "held_out": {"right": 0.5, "strokes": 2, "by_class": {}}})
    assert said == (
        "By its own estimate its overlap (Dice) is <b>0.91</b>. Of 2 strokes held out, <b>50%</b> is answered right."
    )


def test_nothing_is_claimed_that_was_not_checked() -> None:
    said = sure_words({"sure": None, "held_out": {"right": None, "strokes": 0, "by_class": {}}})
    assert said == "Not checked on strokes yet: that takes two separate ones of a class."
