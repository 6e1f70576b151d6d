"""A process that opens files, and one that watches it."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.mutate import Mutation

__all__ = ["Result", "Worker"]

MOST_SECONDS = 5.0
# By the clock, on a machine that does other things: then the process is ended.
MOST_CLOCK = 40.0
MOST_TIMES, MOST_EXTRA = 4, 500 * 2**20
# So that what asks for too much fails here and not the machine.
ADDRESS_SPACE = 12 * 2**30
PLACE_MM = 1e-3
MOST_LETTERS = 800


@dataclass(frozen=True)
class Result:
    """How an input came out, what was said, seconds of work and memory it took."""

    outcome: str
    said: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


class Worker:
    """Opens one file after the other; started again when it dies."""

    def __init__(self, place: Path) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def truth(self, path: Path) -> dict[str, Any]:
        """What an undamaged file holds; empty where it is refused."""
        answer = self._ask(path)
        return answer if answer and answer["kind"] == "opened" else {}

    def _ask(self, path: Path) -> dict[str, Any] | None:
        """The answer; None where the process died, empty where it took too long."""
        self._ours.send(str(path))
        try:
            if self._ours.poll(MOST_CLOCK):
                return self._ours.recv()  # type: ignore[no-any-return]
            answer: dict[str, Any] | None = {}
        except (EOFError, ConnectionError):
            answer = None
        self._process.kill()
        self._process.join()
        self._start()
        return answer

    def open(self, mutation: Mutation, truth: dict[str, Any]) -> Result:
        answer = self._ask(mutation.open)
        if answer is None:
            return Result("crash", "the process ended")
        if not answer:
            return Result("hang", f"no answer after {MOST_CLOCK} s", MOST_CLOCK)
        seconds, most = answer["seconds"], answer["memory"]
        outcome, said = _judge(answer, truth, mutation)
        if most > MOST_TIMES * mutation.honest_bytes + MOST_EXTRA:
            outcome, said = "memory", f"{most / 2**20:.0f} MB; {said}"
        if seconds > MOST_SECONDS:
            outcome, said = "hang", f"{seconds:.1f} s of work; {said}"
        return Result(outcome, said, seconds, most / 2**20)


def _judge(answer: dict[str, Any], truth: dict[str, Any], mutation: Mutation) -> tuple[str, str]:
    if answer["kind"] != "opened":
        return answer["kind"], answer["said"]
    same_shape = (answer["shape"], answer["axes"]) == (truth["shape"], truth["axes"])
    same_place = bool(np.abs(np.subtract(answer["affine"], truth["affine"])).max() <= PLACE_MM)
    different = _different(answer["data"], truth["data"]) if same_shape else -1
    if same_shape and same_place and not different:
        return "equal", ""
    new = [warning for warning in answer["warnings"] if warning not in truth["warnings"]]
    if new:
        return "said", "; ".join(new)
    if not same_shape:
        return "silent", f"shape {truth['shape']} became {answer['shape']}"
    if mutation.shifts and different > mutation.touched:
        return "silent", f"{different} voxels differ"
    if different:
        return "voxels" if different <= mutation.touched else "other voxels", f"{different} voxels"
    return "place", f"{np.round(answer['affine'], 3).tolist()}"


def _different(found: np.ndarray, truth: np.ndarray) -> int:
    same = (found == truth) | ((found != found) & (truth != truth))
    return int(np.count_nonzero(~same))


def _serve(connection: Connection) -> None:
    import faulthandler

    from napari_resmed.io.files import read, read_all

    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        path = connection.recv()
        answer: dict[str, Any]
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
        start = time.process_time()
        try:
            # A file of several is read whole, anything else as a person would who expects one image.
            volume = read_all(path)[0] if path.endswith((".seg.nrrd", "DICOMDIR")) else read(path)
            answer = {
                "kind": "opened",
                "shape": volume.shape,
                "axes": volume.axes,
                "affine": volume.affine.tolist(),
                "warnings": list(volume.meta.get("warnings", ())),
            }
            data = volume.data
        except Exception as problem:
            from napari_resmed.errors import ResMedError

            data = None
            # A sentence: one line, and no bytes of the file poured out.
            if isinstance(problem, ResMedError) and "\n" not in str(problem) and len(str(problem)) < MOST_LETTERS:
                answer = {"kind": "refused", "said": str(problem)}
            else:
                last = traceback.extract_tb(problem.__traceback__)[-1]
                where = f"{Path(last.filename).name}:{last.lineno}"
                answer = {"kind": "traceback", "said": f"{type(problem).__name__}: {str(problem)[:100]} ({where})"}
        answer["seconds"] = time.process_time() - start
        answer["memory"] = max(0, _memory("VmHWM") - before)
        if data is not None:
            answer["data"], answer["bytes"] = np.ascontiguousarray(data), data.nbytes
        connection.send(answer)


def _memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))
