from __future__ import annotations

import json

import numpy as np
import pytest

from napari_resmed.events import (
    Event,
    Failed,
    Finished,
    Metric,
    Preview,
    Progress,
    Started,
    Warning,
    from_message,
    to_message,
)

EVENTS: list[Event] = [
    Started("Segmenting"),
    Progress("Segmenting", 0.5, 3.0),
    Progress("Segmenting", 0.5),
    Metric("loss", 0.25, 7),
    Preview("halfway", {"slice": [1, 2]}),
    Warning("the image is small"),
    Finished({"tiles": 3}, 1.5),
    Failed("no such model", "input", "Traceback ..."),
]


class TestMessages:
    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
    def test_round_trip_through_json(self, event: Event) -> None:
        assert from_message(json.loads(json.dumps(to_message(event)))) == event

    def test_a_result_stays_the_object_it_is(self) -> None:
        labels = np.zeros((2, 2))
        assert to_message(Finished(labels))["result"] is labels
        assert to_message(Preview("x", labels))["data"] is labels

    def test_the_message_is_not_used_up(self) -> None:
        message = to_message(Started("x"))
        from_message(message)
        assert message == {"event": "Started", "what": "x"}

    @pytest.mark.parametrize("message", [{}, {"event": "Boom"}, {"event": None}])
    def test_an_unknown_event_is_named(self, message: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="expected one of Started, Progress"):
            from_message(message)

    def test_a_traceback_is_never_shown_unasked(self) -> None:
        assert "secret" not in repr(Failed("failed", detail="secret"))
