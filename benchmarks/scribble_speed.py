"""How soon is a stroke answered? (first volume 3 s, 8 s without features; later slice 0.3 s, volume 1.5 s)

A head-and-neck CT of 128³ voxels and five classes, painted by the simulated user of ``benchmarks.scribble``; through
the engine and its worker, as the dock does it. Seconds from handing strokes over to the answer's arrival; in brackets
the processor's seconds that the worker spent on it, for a machine that is busy otherwise. Of later strokes every second
one comes as soon as the volume before is there, while that is still being checked.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from benchmarks.scribble_cases import HEAD_NECK
from benchmarks.scribble_user import first_strokes, next_strokes
from benchmarks.shared import shared_data
from napari_resmed.engine.client import Engine
from napari_resmed.engine.messages import Kept
from napari_resmed.events import Event, Failed, Finished, Preview
from napari_resmed.io import read
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

LATER = 6
GOALS = {"first, features cached": 3.0, "first, without": 8.0, "later slice": 0.3, "later volume": 1.5}
# As the dock has it: an outdated answer stops by itself.
OUTDATED_SECONDS = 600.0


class Asked:
    """One job, and when what came of it."""

    def __init__(self, engine: Engine, job: str, **parameters: object) -> None:
        self._engine = engine
        self.begin = time.perf_counter()
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self._before = self._spent()
        self.labels: NDArray | None = None
        self._volume = threading.Event()
        self._ticket = engine.submit(job, parameters, self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Preview):
            self.seconds[event.what] = time.perf_counter() - self.begin
            self.processor[event.what] = self._spent() - self._before
            if event.what == "volume":
                self.labels = event.data["labels"]
                self._volume.set()
        elif isinstance(event, Finished | Failed):
            if isinstance(event, Failed) and event.kind != "cancelled":
                print(event.message)
            self.seconds["end"] = time.perf_counter() - self.begin
            self._volume.set()

    def _spent(self) -> float:
        if self._engine.worker_pid is None:
            return 0.0
        times = psutil.Process(self._engine.worker_pid).cpu_times()
        return times.user + times.system

    def volume(self) -> NDArray:
        self._volume.wait()
        assert self.labels is not None
        return self.labels

    def end(self) -> None:
        self._ticket.done.wait()

    def give_up(self) -> None:
        self._engine.cancel(self._ticket, OUTDATED_SECONDS)


@contextmanager
def warm_engine() -> Iterator[Engine]:
    """A worker that has its libraries and knows no image: Start has them loaded before anything is painted."""
    engine = Engine()
    noise = np.random.default_rng(0).normal(0, 1, (24, 24, 24)).astype(np.float32)
    painted = np.zeros((24, 24, 24), np.uint8)
    painted[12, 12, 12], painted[2, 2, 2] = 1, 2
    small = Asked(engine, "scribble", image=Volume(noise, np.eye(4)), scribbles=LabelMap(painted, np.eye(4)))
    small.end()
    print(f"  a worker starts, loads its libraries and answers 24³ voxels in {small.seconds['end']:.1f} s")
    try:
        yield engine
    finally:
        engine.close()


Times = dict[str, tuple[float, float]]


def play(engine: Engine, image: Volume, truth: NDArray, later: int) -> tuple[tuple[float, float], list[Times]]:
    """Seconds, and the processor's, of the first volume, and those of later strokes."""
    kept = Kept(uuid.uuid4().hex, image)
    options = {"background": int(truth.max()), "unsure": False}

    def ask(painted: NDArray) -> Asked:
        changed = np.argwhere(painted != before)
        view = (0, int(np.median(changed[:, 0])))
        return Asked(engine, "scribble", image=kept, scribbles=LabelMap(painted, image.affine), view=view, **options)

    before = np.zeros_like(truth)
    painted = first_strokes(truth, 0)
    asked = ask(painted)
    found = asked.volume()
    first = asked.seconds["volume"], asked.processor["volume"]
    seconds: list[Times] = []
    for number in range(1, later + 1):
        if number % 2:
            asked.end()
        before, painted = painted, next_strokes(painted, truth, found, number)
        handed = time.perf_counter()
        # As the dock does: the older answer is given up, and the next begins when it has stopped.
        asked.give_up()
        asked.end()
        waited = time.perf_counter() - handed
        asked = ask(painted)
        found = asked.volume()
        seconds.append({what: (asked.seconds[what] + waited, asked.processor[what]) for what in ("slice", "volume")})
    asked.end()
    return first, seconds


def main() -> None:
    image = read(shared_data() / "headneck_ct/images/pt_4.nii.gz")
    labels = read(shared_data() / "headneck_ct/labels/pt_4.nii.gz").data
    truth = np.full(labels.shape, len(HEAD_NECK) + 1, np.uint8)
    for number, value in enumerate(HEAD_NECK.values(), 1):
        truth[labels == value] = number
    shape = "×".join(map(str, image.shape))
    print(f"{shape} voxels, {truth.max()} classes, {torch.get_num_threads()} threads")
    figures: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["RESMED_CACHE"] = cache
        with warm_engine() as engine:
            figures["first, without"], _ = play(engine, image, truth, 0)
        with warm_engine() as engine:
            figures["first, features cached"], later = play(engine, image, truth, LATER)
    for what in ("slice", "volume"):
        every = [seconds[what] for seconds in later]
        figures[f"later {what}"] = max(every)
        print(f"  later {what:7s}{' '.join(f'{wall:.2f} ({spent:.2f})' for wall, spent in every)}")
    for name, goal in GOALS.items():
        note = " (slowest)" if name.startswith("later") else ""
        wall, spent = figures[name]
        print(f"{name:24s}{wall:6.2f} s ({spent:.2f})   of the goal {wall / goal:.2f}{note}")


if __name__ == "__main__":
    main()
