from __future__ import annotations

from napari_resmed.viewer.train.made import what_was_made

RESULT = {"name": "ball", "best_metric": 0.9, "plan": {"held_out": []}, "stopped": False}


def test_a_figure_of_little_is_said_to_be_one() -> None:
    said = what_was_made({**RESULT, "little": "held out is no more than a single slice of <x>"}, 60)
    assert "mean Dice 0.90 on the held-out slices. <b>Held out is no more than a single slice of &lt;x&gt;</b>" in said
    assert "<b>Held" not in what_was_made({**RESULT, "little": ""}, 60)
