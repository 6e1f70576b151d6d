from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import filelock
import pytest

from napari_resmed.errors import InputError
from napari_resmed.train.claim import LOOK_SECONDS, claim, is_claimed
from napari_resmed.train.own_trainings import (
    discard_training,
    forget_training,
    is_unfinished,
    last_at_work,
    last_unfinished,
    run_of,
)
from napari_resmed.train.run_folder import RunFolder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESMED_CACHE", str(tmp_path_factory.mktemp("cache")))


def hold(path: Path, told: Connection) -> None:
    with claim(RunFolder(path)):
        told.send("held")
        told.recv()


def test_one_at_a_time(tmp_path: Path) -> None:
    run = RunFolder.beside(tmp_path / "mine")
    with claim(run):
        assert is_claimed(run)
        with (
            pytest.raises(InputError, match="mine is being trained already, in another window or program"),
            claim(RunFolder.beside(tmp_path / "mine")),
        ):
            pass
        with claim(RunFolder.beside(tmp_path / "other")):
            pass
        assert is_claimed(run)
    assert not is_claimed(run)
    assert list(tmp_path.iterdir()) == []


def test_who_only_looks_hinders_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    lock = filelock.FileLock

    def noted(place: Path, *, timeout: float, thread_local: bool) -> filelock.BaseFileLock:
        waits.append(timeout)
        return lock(place, timeout=timeout, thread_local=thread_local)

    monkeypatch.setattr(filelock, "FileLock", noted)
    with claim(RunFolder(tmp_path)):
        assert is_claimed(RunFolder(tmp_path))
    # Who looks waits for nobody; who begins waits longer than a look takes.
    assert waits == [LOOK_SECONDS, 0]
    assert LOOK_SECONDS > 0


def test_a_dead_program_holds_nothing(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path, theirs))
    process.start()
    assert ours.recv() == "held"
    assert is_claimed(RunFolder(tmp_path))
    process.kill()
    process.join()
    assert not is_claimed(RunFolder(tmp_path))


def test_what_runs_elsewhere_is_not_offered_to_be_resumed(own_models: Path) -> None:
    run = run_of("mine")
    run.begin()
    for path in (run.plan, run.path / "dataset.json"):
        path.write_text("{}")
    assert (is_unfinished("mine"), last_unfinished()) == (True, "mine")
    with claim(run):
        assert (is_unfinished("mine"), last_unfinished()) == (False, "")


def test_what_is_left_of_a_removed_models_training_goes_with_it(own_models: Path) -> None:
    run = run_of("mine")
    run.begin()
    (run.path / "cases").mkdir()
    with claim(run):
        forget_training(own_models / "mine")
        assert run.path.is_dir()
    forget_training(own_models / "mine")
    assert not run.path.exists()
    forget_training(own_models / "mine")  # nothing there is fine


def test_discarding_takes_one_unfinished_training_and_leaves_its_model(own_models: Path) -> None:
    run = run_of("mine")
    (own_models / "mine").mkdir()
    run.begin()
    for path in (run.plan, run.path / "dataset.json"):
        path.write_text("{}")
    assert last_at_work("mine") is not None
    with claim(run), pytest.raises(InputError, match="another window"):
        discard_training("mine")
    assert is_unfinished("mine")
    discard_training("mine")
    assert not run.path.exists()
    assert (own_models / "mine").is_dir()
    (own_models / "mine").rmdir()
    assert last_at_work("mine") is None
    with pytest.raises(InputError, match="no unfinished training any more"):
        discard_training("mine")
