"""How long from Cancel to the end of the job? (at most 1 s)

Through the real engine: in the middle of the network, and while a fresh worker is still loading torch, where it can
only be ended with its process. And how long a killed worker takes to be noticed.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time

from napari_resmed.engine.client import Engine
from napari_resmed.events import Event, Failed, Progress
from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template

RUNS = 6
LIMIT_SECONDS = 1.0


class Watch:
    """The events of one job."""

    def __init__(self) -> None:
        self.segmenting = threading.Event()
        self.end: Event | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress) and event.what == "Segmenting" and event.done > 0.1:
            self.segmenting.set()
        if isinstance(event, Failed):
            self.end = event


def main() -> None:
    random.seed(0)
    parameters = {"image": read(mni152_template()), "model": "brain-mr", "overlap": 0.85}
    engine = Engine()
    figures: dict[str, list[float]] = {"in the network": [], "while loading": [], "worker killed": []}
    for _ in range(RUNS):
        watch = Watch()
        ticket = engine.submit("segment", parameters, watch)
        watch.segmenting.wait(120)
        time.sleep(random.random())
        figures["in the network"].append(cancelled(engine, ticket))
        assert isinstance(watch.end, Failed)
        assert watch.end.kind == "cancelled"
    for _ in range(3):
        watch = Watch()
        ticket = engine.submit("segment", parameters, watch)
        watch.segmenting.wait(120)
        begin = time.perf_counter()
        os.kill(engine.worker_pid or 0, signal.SIGKILL)
        ticket.done.wait(10)
        figures["worker killed"].append(time.perf_counter() - begin)
        # The next job starts a fresh worker, which is caught while it loads.
        ticket = engine.submit("segment", parameters, Watch())
        time.sleep(1.0)
        figures["while loading"].append(cancelled(engine, ticket))
    engine.close()
    for what, seconds in figures.items():
        print(f"{what:15s} longest {max(seconds):5.2f} s   of the limit {max(seconds) / LIMIT_SECONDS:4.2f}")


def cancelled(engine: Engine, ticket) -> float:
    begin = time.perf_counter()
    engine.cancel(ticket)
    ticket.done.wait(10)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
