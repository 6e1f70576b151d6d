"""What every training tells while its loop runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from napari_resmed.events import Event, Metric
from napari_resmed.jobs.training import STOP, run_loop, told
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
