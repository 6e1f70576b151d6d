"""Cancel, crash, and what is left of a worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import slicer

from napari_resmed.events import Failed, Finished
from ResMedLib import engines
from ResMedLib.batch import Batch
from ResMedLib.segment import segment
from tests.slicer import nodes
from tests.slicer.shim.qt import fire_timers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")

OPTIONS = {"device": "cpu", "precision": "fp32"}


def until(what: Any, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        fire_timers()
        time.sleep(0.02)


def is_over(process: psutil.Process) -> bool:
    """Also where nobody has asked for its end yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def large() -> Any:
    return nodes.volume(np.tile(nodes.bands((20, 20, 20)), (5, 5, 5)), np.eye(4))


class TestCancel:
    def test_work_that_answers_to_nothing_leaves_no_process(self, worker: Path) -> None:
        said: list[Any] = []
        job = segment([large()], "heavy", said.append, **OPTIONS)
        until(lambda: any(getattr(event, "what", "") == "Segmenting" for event in said))
        process = psutil.Process(engines.shared_engine().worker_pid)
        family = [process, *process.children(recursive=True)]
        process.suspend()  # however quick this machine is, it does not answer in time
        job.cancel()
        last = job.wait()
        assert isinstance(last, Failed)
        assert last.kind == "cancelled"
        until(lambda: all(map(is_over, family)))
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0

    def test_the_rest_of_a_batch_is_left(self, worker: Path) -> None:
        item = nodes.folder("study", large(), large())
        said: list[Any] = []
        batch = Batch(item, lambda node, hear, _: segment([node], "heavy", hear, **OPTIONS), said.append)
        until(lambda: said)
        batch.cancel()
        until(lambda: batch.ended)
        assert said[-1] == Failed("cancelled", "cancelled")


class TestCrash:
    def test_a_killed_worker_is_a_message_and_the_next_click_works(self, worker: Path) -> None:
        said: list[Any] = []
        job = segment([large()], "heavy", said.append, **OPTIONS)
        until(lambda: said)  # it was begun
        os.kill(engines.shared_engine().worker_pid, signal.SIGKILL)
        last = job.wait()
        assert isinstance(last, Failed)
        assert "was killed" in last.message
        assert "click again" in last.message
        again = segment([nodes.volume(nodes.bands())], "bands", said.append, **OPTIONS).wait()
        assert isinstance(again, Finished), again


class TestProcesses:
    def test_closing_leaves_none_and_the_next_click_starts_one(self, worker: Path) -> None:
        segment([nodes.volume(nodes.bands())], "bands", lambda event: None, **OPTIONS).wait()
        process = psutil.Process(engines.shared_engine().worker_pid)
        engines.close_engines()
        until(lambda: is_over(process))
        assert engines.shared_engine().worker_pid is None

    def test_slicers_own_python_is_taken_where_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert engines._command()[0] == sys.executable
        launcher = tmp_path / "PythonSlicer"
        launcher.write_text("#!/bin/sh\n")
        launcher.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert engines._command() == (str(launcher), "-P", "-m", "napari_resmed.engine.server")
