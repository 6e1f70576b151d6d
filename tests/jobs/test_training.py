"""What every training tells while its loop runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from napari_resmed.events import Event, Metric, Warning
from napari_resmed.jobs.training import LEFT_OUT_TOLD, STOP, run_loop, told, told_left_out
from napari_resmed.train.loop import Checked


class TestRunLoop:
    def test_asked_to_stop_it_tells_the_look_to_its_end(self) -> None:
        closed = []

        def steps() -> Iterator[Checked]:
            try:
                yield Checked(10, 0.5, (0.4, None, 0.6), True)
                yield Checked(20, 0.6, (0.5, None, 0.7), True)
            finally:
                closed.append(True)

        loop = run_loop(steps(), lambda look: told(look, ["a", "b", "c"], "Dice"))
        events: list[Event] = [next(loop), loop.send(STOP)]
        events.append(next(loop))
        with pytest.raises(StopIteration) as end:
            next(loop)
        assert end.value.value is True
        assert events == [Metric("mean Dice", 0.5, 10), Metric("Dice a", 0.4, 10), Metric("Dice c", 0.6, 10)]
        assert closed == [True]


def test_of_thousands_that_are_left_out_a_few_are_told_of() -> None:
    left_out = [(f"case{number}", "it has no labels") for number in range(10_000)]
    events = list(told_left_out(left_out))
    assert events[0] == Warning("case0 is left out: it has no labels")
    assert len(events) == LEFT_OUT_TOLD + 1
    assert events[-1] == Warning("9900 more cases are left out; the plan lists them under 'left_out'")
    assert len(list(told_left_out(left_out[:LEFT_OUT_TOLD]))) == LEFT_OUT_TOLD
