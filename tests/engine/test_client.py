from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_resmed.engine.client import GRACE_SECONDS, Engine, Ticket, _kill_tree
from napari_resmed.engine.messages import Exchange, Kept
from napari_resmed.events import Event, Failed, Finished, Metric, Preview, Progress, Started
from napari_resmed.labels import LabelMap
from napari_resmed.models.folder import load_model
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.small import QUICK, dataset, shorten

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")

# For whatever has to come: a worker that imports torch first, on a machine that is busy with other things. That
# cancelling takes less than a second on one that is not, `python -m benchmarks.cancel` measures.
PATIENCE_SECONDS = 400.0


def folders_of(engine: Engine) -> tuple[Path, ...]:
    return engine._exchange.folders if engine._exchange else ()


def has_ended(process: psutil.Process) -> bool:
    """Also where it is an orphan whose end nobody has asked for yet, as in a container without an init."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def waves(size: int) -> Volume:
    z, y, x = np.mgrid[:size, :size, :size]
    return Volume((np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 5)).astype(np.float32), make_affine(), name="waves")


SMALL = waves(24)
# Hundreds of thousands of windows of the quick model with ENDLESS: work that does not end by itself, and that can be
# asked to stop at any window.
LONG = waves(200)
ENDLESS = {"overlap": 0.8}
# One window of the heavy model: seconds of work that answers to nothing.
DEAF = waves(100)


class Job:
    """A submitted job and everything that was heard of it."""

    def __init__(self, engine: Engine, image: Volume | Kept = SMALL, model: str = "bands", **options: object) -> None:
        self.engine = engine
        self.events: list[Event] = []
        self._heard = threading.Condition()
        long = ENDLESS if image is LONG else {}
        parameters = {"image": image, "model": model, "device": "cpu", "precision": "fp32", **long, **options}
        self.ticket: Ticket = engine.submit("segment", parameters, self._hear)

    def _hear(self, event: Event) -> None:
        with self._heard:
            self.events.append(event)
            self._heard.notify_all()

    def wait_for(self, what: str) -> None:
        """Until this step was told."""
        self._until(lambda: any(isinstance(e, Progress | Started) and e.what == what for e in self.events))

    def goes_on(self) -> None:
        """Until something more is told."""
        heard = len(self.events)
        self._until(lambda: len(self.events) > heard)

    def _until(self, true: Callable[[], bool]) -> None:
        over = self.ticket.done.is_set
        with self._heard:
            self._heard.wait_for(lambda: true() or over(), PATIENCE_SECONDS)
            assert true(), f"it never came: {self.events[-3:]}"

    def last(self) -> Event:
        assert self.ticket.done.wait(PATIENCE_SECONDS), f"not over after {PATIENCE_SECONDS} s: {self.events[-3:]}"
        return self.events[-1]

    def cancel(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.engine.cancel(self.ticket, grace_seconds)
        assert self.last() == Failed("cancelled", "cancelled")


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def engine(own_models: Path) -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def warm(models_folder: Path) -> Iterator[Engine]:
    """One engine for many tests, its worker warm; tests that end the worker leave it a fresh one."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RESMED_MODELS", str(models_folder))
    engine = Engine()
    assert isinstance(Job(engine).last(), Finished)
    yield engine
    engine.close()
    patch.undo()


class TestJob:
    def test_runs_to_its_result(self, warm: Engine) -> None:
        job = Job(warm)
        last = job.last()
        assert isinstance(last, Finished)
        labels = last.result["labels"]
        assert isinstance(labels, LabelMap)
        assert labels.same_grid(SMALL)
        assert last.result["table"] == labels.table()
        assert last.seconds > 0

    def test_tells_events_in_order_and_the_last_one_once(self, warm: Engine) -> None:
        job = Job(warm)
        job.last()
        assert isinstance(job.events[0], Started)
        assert all(isinstance(event, Progress) for event in job.events[1:-1])
        shares = [event.done for event in job.events[1:-1] if isinstance(event, Progress)]
        assert shares == sorted(shares)

    def test_many_in_a_row_use_one_worker(self, warm: Engine) -> None:
        pids = set()
        for _ in range(5):
            assert isinstance(Job(warm).last(), Finished)
            pids.add(warm.worker_pid)
        assert len(pids) == 1

    def test_jobs_handed_over_at_once_all_run(self, warm: Engine) -> None:
        jobs = [Job(warm) for _ in range(4)]
        assert all(isinstance(job.last(), Finished) for job in jobs)

    def test_parameters_may_be_made_later(self, warm: Engine) -> None:
        caller = threading.current_thread()
        threads = []

        def make() -> dict[str, object]:
            threads.append(threading.current_thread())
            return {"image": SMALL, "model": "bands"}

        done = warm.submit("segment", make, lambda _: None)
        assert done.done.wait(PATIENCE_SECONDS)
        assert threads != [caller]

    def test_what_is_kept_travels_once_to_each_worker(self, warm: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = []
        put = Exchange.put
        monkeypatch.setattr(Exchange, "put", lambda self, array: sent.append(array.shape) or put(self, array))
        kept = [Kept(key, SMALL) for key in "abc"]
        for number, travels in ((0, True), (0, False), (1, True), (0, False), (2, True), (1, True), (2, False)):
            sent.clear()
            last = Job(warm, kept[number]).last()
            assert isinstance(last, Finished)
            assert last.result["labels"].same_grid(SMALL)
            assert sent == [SMALL.shape] * travels, number
        os.kill(warm.worker_pid or 0, signal.SIGKILL)
        assert isinstance(Job(warm, kept[2]).last(), Finished)
        assert sent == [SMALL.shape]

    def test_what_a_failed_job_was_given_travels_again(self, warm: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = Kept("flat", SMALL.with_data(np.zeros_like(SMALL.data)))
        for _ in range(2):
            sent = []
            put = Exchange.put
            with monkeypatch.context() as patch:
                patch.setattr(Exchange, "put", lambda self, array: sent.append(1) or put(self, array))  # noqa: B023
                assert isinstance(Job(warm, kept).last(), Failed)
            assert sent == [1]

    def test_the_faces_array_is_not_changed(self, warm: Engine) -> None:
        before = SMALL.data.copy()
        Job(warm).last()
        assert np.array_equal(SMALL.data, before)

    def test_no_array_is_left_under_way(self, warm: Engine) -> None:
        Job(warm).last()
        assert warm._exchange is not None
        assert [file for folder in warm._exchange.folders for file in folder.glob("*.npy")] == []

    def test_folders_that_the_system_cleared_away_are_made_anew(self, warm: Engine) -> None:
        Job(warm).last()
        assert warm._exchange is not None
        for folder in warm._exchange.folders:
            shutil.rmtree(folder)
        assert isinstance(Job(warm).last(), Finished)
        for folder in warm._exchange.folders:
            assert folder.stat().st_mode & 0o077 == 0
            shutil.rmtree(folder)
        assert warm.worker_pid is not None
        os.kill(warm.worker_pid, signal.SIGKILL)
        until(lambda: warm.worker_pid is None)
        assert isinstance(Job(warm).last(), Finished)  # a fresh worker writes its log there

    def test_a_long_image_does_not_hold_the_caller(self, warm: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        put, go = Exchange.put, threading.Event()
        copied = []

        def put_late(exchange: Exchange, array: np.ndarray) -> str:
            copied.append(go.wait(PATIENCE_SECONDS))
            return put(exchange, array)

        monkeypatch.setattr(Exchange, "put", put_late)
        job = Job(warm, LONG)
        assert copied == []  # it was taken before anything was copied
        go.set()
        job.cancel()


class TestFailure:
    def test_wrong_input_is_told_in_one_sentence(self, warm: Engine) -> None:
        last = Job(warm, model="no such model").last()
        assert isinstance(last, Failed)
        assert (last.kind, "\n" in last.message) == ("input", False)
        assert "no model 'no such model'" in last.message
        assert "Traceback" in last.detail

    def test_a_job_that_is_none(self, warm: Engine) -> None:
        events: list[Event] = []
        ticket = warm.submit("fly", {}, events.append)
        assert ticket.done.wait(PATIENCE_SECONDS)
        assert isinstance(events[-1], Failed)
        assert events[-1].kind == "work"

    def test_parameters_that_cannot_travel(self, warm: Engine) -> None:
        last = Job(warm, overlap=object()).last()
        assert isinstance(last, Failed)
        assert "could not be handed to the worker: a message cannot hold a object" in last.message

    def test_a_listener_that_fails_does_not_stop_the_engine(
        self, warm: Engine, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(event: Event) -> None:
            raise RuntimeError("the window is gone")

        ticket = warm.submit("segment", {"image": SMALL, "model": "bands"}, fail)
        assert ticket.done.wait(PATIENCE_SECONDS)
        assert "a listener failed at Finished" in caplog.text
        assert "affine" not in caplog.text  # nothing of what the event holds
        assert isinstance(Job(warm).last(), Finished)

    def test_a_worker_that_cannot_start(self, own_models: Path) -> None:
        for command, reason in (
            (("/no/such/python",), "No such file"),
            ((sys.executable, "-c", "exit(3)"), "exit code 3"),
        ):
            engine = Engine(command)
            try:
                last = Job(engine).last()
                assert isinstance(last, Failed)
                assert reason in last.message
            finally:
                engine.close()

    def test_what_libraries_print_does_not_reach_the_conversation(self, own_models: Path) -> None:
        # A worker in which something prints, from Python and from below it, while the job runs.
        code = (
            "import os, sys, threading, time\n"
            "from napari_resmed.engine import server\n"
            "def chatter():\n"
            "    while True:\n"
            '        print(\'{"ticket": 1, "event": "Failed", "message": "x"}\', flush=True)\n'
            "        os.write(1, b'\\n{\"ticket\": 1\\n')\n"
            "        time.sleep(0.01)\n"
            "threading.Timer(0.5, chatter).start()\n"
            "server.main()"
        )
        engine = Engine((sys.executable, "-c", code))
        try:
            assert isinstance(Job(engine).last(), Finished)
        finally:
            engine.close()


class TestCancel:
    def test_a_running_job(self, warm: Engine) -> None:
        job = Job(warm, LONG)
        job.wait_for("Segmenting")
        pid = warm.worker_pid
        job.cancel(grace_seconds=PATIENCE_SECONDS)
        # It stopped between two windows: the worker is still there, and warm.
        assert isinstance(Job(warm).last(), Finished)
        assert warm.worker_pid == pid

    def test_a_job_that_does_not_listen(self, warm: Engine) -> None:
        job = Job(warm, DEAF, "heavy")
        job.wait_for("Segmenting")  # told before the first window, which is the only one
        pid = warm.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # however quick this machine is, it does not answer in time
        job.cancel()
        assert isinstance(Job(warm).last(), Finished)
        assert warm.worker_pid != pid

    def test_while_the_worker_still_imports_torch(self, tmp_path: Path) -> None:
        # An import that takes longer than anybody waits.
        code = (
            "import pathlib, sys, time\n"
            "class Slow:\n"
            "    def find_spec(self, name, *more):\n"
            "        if name == 'torch':\n"
            f"            pathlib.Path({str(tmp_path / 'importing')!r}).touch()\n"
            "            time.sleep(6000)\n"
            "sys.meta_path.insert(0, Slow())\n"
            "from napari_resmed.engine import server\n"
            "server.main()"
        )
        engine = Engine((sys.executable, "-c", code))
        try:
            job = Job(engine)
            until((tmp_path / "importing").exists)
            worker = psutil.Process(engine.worker_pid)
            job.cancel()
            assert job.events == [Failed("cancelled", "cancelled")]
            assert has_ended(worker)
        finally:
            engine.close()

    def test_a_waiting_job_leaves_the_running_one_alone(self, warm: Engine) -> None:
        running, waiting = Job(warm, LONG), Job(warm)
        running.wait_for("Segmenting")
        warm.cancel(waiting.ticket)
        assert waiting.events == [Failed("cancelled", "cancelled")]  # at once, whatever the worker is at
        running.goes_on()
        assert not running.ticket.done.is_set()
        running.cancel()

    @pytest.mark.parametrize("deaf", [False, True])
    def test_the_running_one_leaves_those_that_wait(self, deaf: bool, warm: Engine) -> None:
        running = Job(warm, DEAF, "heavy") if deaf else Job(warm, LONG)
        waiting = [Job(warm), Job(warm)]
        running.wait_for("Segmenting with heavy" if deaf else "Segmenting")
        running.cancel()
        assert all(isinstance(job.last(), Finished) for job in waiting)

    def test_twice_and_when_it_is_over(self, warm: Engine) -> None:
        job = Job(warm, LONG)
        job.wait_for("Segmenting")
        warm.cancel(job.ticket)
        warm.cancel(job.ticket)
        job.last()
        warm.cancel(job.ticket)
        time.sleep(0.8)  # longer than the time after which a deaf worker is ended
        assert [event for event in job.events if isinstance(event, Failed)] == [Failed("cancelled", "cancelled")]
        assert isinstance(Job(warm).last(), Finished)

    def test_from_a_listener(self, warm: Engine) -> None:
        events: list[Event] = []

        def stop_at_once(event: Event) -> None:
            events.append(event)
            warm.cancel(ticket)

        ticket = warm.submit("segment", {"image": LONG, "model": "bands"}, stop_at_once)
        assert ticket.done.wait(PATIENCE_SECONDS)
        assert events[-1] == Failed("cancelled", "cancelled")
        assert sum(isinstance(event, Failed | Finished) for event in events) == 1

    def test_nothing_stays_behind(self, warm: Engine) -> None:
        for _ in range(3):
            running, waiting = Job(warm, LONG), Job(warm, LONG)
            running.wait_for("Segmenting")
            waiting.cancel()
            running.cancel()
        assert isinstance(Job(warm).last(), Finished)
        assert warm._exchange is not None
        assert [file for folder in warm._exchange.folders for file in folder.glob("*.npy")] == []


class Training(Job):
    """A training of layers, long enough to be stopped; its model goes to the person's own."""

    def __init__(self, engine: Engine, name: str, steps: int = 100_000, **options: object) -> None:
        self.engine = engine
        self.events = []
        self._heard = threading.Condition()
        cases = [{"name": one.name, "images": list(one.images), "labels": one.labels} for one in dataset(3).cases]
        parameters = {"data": cases, "name": name, "plan": {**QUICK, "steps": steps}, "device": "cpu", **options}
        self.ticket = engine.submit("train", parameters, self._hear)


@pytest.fixture
def new_model(models_folder: Path) -> Iterator[str]:
    """A name for a model that is gone afterwards, and its training with it."""
    yield "painted"
    for name in ("painted", ".painted.training"):
        shutil.rmtree(models_folder / name, ignore_errors=True)


class TestAsk:
    def test_to_stop_keeps_the_best(self, warm: Engine, new_model: str, models_folder: Path) -> None:
        job = Training(warm, new_model)
        job.wait_for("Training")
        until(lambda: any(isinstance(event, Metric) and event.name == "mean Dice" for event in job.events))
        warm.ask(job.ticket, "stop")
        last = job.last()
        assert isinstance(last, Finished), last
        assert last.result["stopped"]
        assert load_model(models_folder / new_model).labels.values == (1, 5)
        looks = [event for event in job.events if isinstance(event, Preview) and event.what == "held-out slice"]
        assert isinstance(looks[0].data["image"], np.ndarray)
        # The worker is warm for the next click: the new model segments.
        assert isinstance(Job(warm, model=new_model).last(), Finished)

    def test_at_once_is_not_forgotten(self, warm: Engine, new_model: str) -> None:
        # Before the worker has the job, or while it reads the cases.
        job = Training(warm, new_model)
        warm.ask(job.ticket, "stop")
        last = job.last()
        assert isinstance(last, Finished), last
        assert last.result["stopped"]

    def test_while_another_job_runs(self, warm: Engine, new_model: str) -> None:
        other, job = Job(warm, waves(56)), Training(warm, new_model)
        other.wait_for("Segmenting")
        warm.ask(job.ticket, "stop")
        assert isinstance(other.last(), Finished)
        last = job.last()
        assert isinstance(last, Finished), last
        assert last.result["stopped"]

    def test_one_that_knows_no_such_wish_goes_on(self, warm: Engine) -> None:
        job = Job(warm, waves(56))
        job.wait_for("Segmenting")
        warm.ask(job.ticket, "stop")
        assert isinstance(job.last(), Finished)

    def test_when_it_is_over(self, warm: Engine) -> None:
        job = Job(warm)
        job.last()
        warm.ask(job.ticket, "stop")
        assert isinstance(Job(warm).last(), Finished)

    def test_cancelled_it_can_be_resumed(self, warm: Engine, new_model: str, models_folder: Path) -> None:
        job = Training(warm, new_model)
        job.wait_for("Training")
        job.cancel()
        assert not (models_folder / new_model).exists()
        steps = shorten(RunFolder.beside(models_folder / new_model))
        again = Training(warm, new_model, resume=True)
        last = again.last()
        assert isinstance(last, Finished), last
        assert not last.result["stopped"]
        assert last.result["history"][-1]["step"] == steps


class TestDeath:
    def test_in_the_middle_of_a_job(self, warm: Engine) -> None:
        job, waiting = Job(warm, LONG), Job(warm)
        job.wait_for("Segmenting")
        pid = warm.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        last = job.last()
        assert isinstance(last, Failed)
        assert last.kind == "work"
        assert last.message == (
            "the worker process was killed, perhaps because memory ran out; nothing is lost: click again and a fresh "
            "one starts"
        )
        assert isinstance(waiting.last(), Finished)
        assert isinstance(Job(warm).last(), Finished)
        assert warm.worker_pid not in (None, pid)
        assert sum(isinstance(event, Failed | Finished) for event in job.events) == 1

    @pytest.mark.parametrize(("sign", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGTERM, "SIGTERM")])
    def test_a_crash_is_named(self, sign: signal.Signals, name: str, warm: Engine) -> None:
        job = Job(warm, LONG)
        job.wait_for("Segmenting")
        os.kill(warm.worker_pid or 0, sign)
        last = job.last()
        assert isinstance(last, Failed)
        assert f"crashed ({name})" in last.message

    def test_between_two_jobs(self, warm: Engine) -> None:
        # The next click comes before anyone noticed: it must find a worker, and must not be blamed.
        assert isinstance(Job(warm).last(), Finished)
        os.kill(warm.worker_pid or 0, signal.SIGKILL)
        assert isinstance(Job(warm).last(), Finished)


class TestClose:
    def test_leaves_no_process_and_no_files(self, own_models: Path) -> None:
        engine = Engine()
        job = Job(engine, LONG)
        job.wait_for("Segmenting")
        worker = psutil.Process(engine.worker_pid)
        assert all(folder.is_dir() for folder in folders_of(engine))
        engine.close()
        assert job.ticket.done.is_set()
        assert job.last() == Failed("the window was closed", "cancelled")
        # Killed it is; the system may take its time.
        until(lambda: has_ended(worker))
        assert folders_of(engine)
        until(lambda: not any(folder.exists() for folder in folders_of(engine)))
        until(lambda: engine.worker_pid is None)
        engine.close()

    def test_before_the_worker_started(self, own_models: Path) -> None:
        for pause in (0.0, 0.02, 0.05, 0.3):
            engine = Engine()
            job = Job(engine, LONG)
            time.sleep(pause)
            engine.close()
            assert job.ticket.done.is_set()
            assert isinstance(job.last(), Failed)
            # Closing does not wait for ever for what is being written; that goes when it is.
            engine._sender.join(PATIENCE_SECONDS)
            assert not engine._sender.is_alive()
            assert not any(folder.exists() for folder in folders_of(engine))

    def test_without_a_job(self) -> None:
        engine = Engine()
        engine.close()
        assert engine.worker_pid is None
        assert folders_of(engine) == ()

    def test_no_jobs_after_it(self) -> None:
        engine = Engine()
        engine.close()
        with pytest.raises(RuntimeError, match="closed"):
            Job(engine)


class TestTheFacesDeath:
    FACE = (
        "import sys, time\n"
        "from tests.engine.test_client import Job, LONG\n"
        "from napari_resmed.engine.client import Engine\n"
        "engine = Engine()\n"
        "job = Job(engine, LONG)\n"
        "job.wait_for('Segmenting')\n"
        "print(engine.worker_pid, *engine._exchange.folders, flush=True)\n"
    )

    def face(self, ending: str) -> tuple[subprocess.Popen[str], psutil.Process, list[Path]]:
        root = Path(__file__).parents[2]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
        process = subprocess.Popen(
            [sys.executable, "-c", self.FACE + ending],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=root,
        )
        assert process.stdout is not None
        with process.stdout:
            pid, *folders = process.stdout.readline().split()
        return process, psutil.Process(int(pid)), [Path(folder) for folder in folders]

    def until_gone(self, worker: psutil.Process, folders: list[Path]) -> None:
        until(lambda: has_ended(worker) and not any(folder.exists() for folder in folders))

    def test_killed(self, own_models: Path) -> None:
        face, worker, folders = self.face("time.sleep(6000)")
        assert all(folder.is_dir() for folder in folders)
        face.kill()
        face.wait()
        assert face.stdin is not None
        face.stdin.close()
        self.until_gone(worker, folders)

    def test_whichever_the_worker_notices_first(self, tmp_path: Path) -> None:
        """Nobody reads its answers any more, while nothing has told it yet that nothing more will be asked."""
        folder = tmp_path / "exchange"
        folder.mkdir()
        (folder / "image.npy").write_bytes(b"somebody's")
        command = [sys.executable, "-m", "napari_resmed.engine.server", str(folder)]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdout.close()
        with worker.stdin:
            worker.stdin.write(json.dumps({"ticket": 1, "job": "none", "parameters": {}, "kept": []}) + "\n")
            worker.stdin.flush()
            assert worker.wait(PATIENCE_SECONDS) == 0
        assert not folder.exists()

    def test_ended_without_closing(self, own_models: Path) -> None:
        face, worker, folders = self.face("sys.stdin.read()")
        assert face.stdin is not None
        face.stdin.close()
        assert face.wait(PATIENCE_SECONDS) == 0
        self.until_gone(worker, folders)


class TestWithoutGroups:
    def test_a_launchers_child_is_ended_with_it(self) -> None:
        """As Windows needs it, where a virtual environment's and Slicer's Python start another."""
        child = "import time; time.sleep(6000)"
        code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
        launcher = subprocess.Popen([sys.executable, "-c", code])
        family = psutil.Process(launcher.pid)
        until(lambda: bool(family.children()))
        (inner,) = family.children()
        _kill_tree(launcher.pid)
        launcher.wait(PATIENCE_SECONDS)
        until(lambda: has_ended(inner))
        _kill_tree(launcher.pid)  # one that is gone is no error


class TestLastWords:
    def test_a_worker_that_cannot_start_says_why(self) -> None:
        engine = Engine([sys.executable, "-c", "import sys; sys.exit('no module named torch')"])
        job = Job(engine)
        last = job.last()
        engine.close()
        assert isinstance(last, Failed)
        assert "ended unexpectedly (no module named torch)" in last.message

    @pytest.mark.skipif(os.name != "posix", reason="stops a process by signal")
    def test_a_worker_that_reads_no_more_holds_nobody(self, own_models: Path) -> None:
        engine = Engine()
        running = Job(engine, LONG)
        running.wait_for("Segmenting")
        pid = engine.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        # More than a pipe holds, so that whoever writes it must wait.
        engine.submit("segment", {"image": LONG, "model": "x" * 300_000}, lambda event: None)
        assert engine._worker is not None
        until(engine._worker._writing.locked)
        engine.cancel(running.ticket, grace_seconds=PATIENCE_SECONDS)
        # Whoever wrote would have been held until the worker's end.
        assert engine.worker_pid == pid
        assert not running.ticket.done.is_set()
        engine._insist(running.ticket)
        last = running.last()
        engine.close()
        assert last == Failed("cancelled", "cancelled")
