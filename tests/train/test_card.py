from __future__ import annotations

import pytest

from napari_resmed.train.card import LICENCE, training_card
from tests.train.small import little_plan

HISTORY = [{"step": 10}, {"step": 20}]


class TestCard:
    def test_says_what_a_person_asks(self) -> None:
        card = training_card(
            little_plan(base="brain-mr", left_out=(("x", "dirty"),)),
            {"ball": 0.1},
            {"ball": 0.876, "box": None},
            HISTORY,
            90,
        )
        for said in (
            "# small", "not for diagnosis", "Finds ball, box in image volumes", "3 cases", "1 cases held out",
            "1 cases left out", "| ball | 0.100 | 0.876 |", "| box | – | – |", "best of 2 stages",
            "16×16×16 voxels at 1×1×1 mm", "started from brain-mr", "1.5 minutes", "## Limits",
        ):  # fmt: skip
            assert said in card, said

    @pytest.mark.parametrize(
        ("held_out", "said"), [((), "a block of slices of each held out"), (("Meier",), "1 cases held out")]
    )
    def test_what_was_held_out(self, held_out: tuple[str, ...], said: str) -> None:
        assert said in training_card(little_plan(held_out=held_out), {}, {}, HISTORY, 60)

    def test_figures_that_say_little(self) -> None:
        assert "**Hardly a figure.**" in training_card(little_plan(), {}, {}, HISTORY, 60, little="hardly a figure")

    @pytest.mark.parametrize(
        ("share", "reasons", "said"),
        [
            (1.0, {}, "100% of the training images were painted from label maps"),
            (0.5, {}, "50% of the training images were painted from label maps"),
            (0.5, {"synthetic": "9 label maps have no image: theirs are painted"}, "\nTraining images were painted"),
            (0.0, {"synthetic": "9 label maps have no image: theirs are painted"}, "(9 label maps have no image"),
        ],
    )
    def test_what_was_painted(self, share: float, reasons: dict[str, str], said: str) -> None:
        assert said in training_card(little_plan(synthetic=share, reasons=reasons), {}, {}, HISTORY, 60)
        assert "painted" not in training_card(little_plan(), {}, {}, HISTORY, 60)

    def test_names_no_case(self) -> None:
        plan = little_plan(training=("Müller",), held_out=("Meier",), left_out=(("Huber", "no label"),))
        card = training_card(plan, {}, {}, HISTORY, 60)
        assert not any(name in card for name in ("Müller", "Meier", "Huber"))

    def test_from_scratch(self) -> None:
        assert "from scratch" in training_card(little_plan(), {}, {}, HISTORY, 60)
        assert LICENCE.endswith("\n")
