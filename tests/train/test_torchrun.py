"""Several processes that share each batch: real ones, on the CPU, that talk through gloo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_resmed.errors import InputError, WorkError
from napari_resmed.jobs.train import train
from napari_resmed.train import rank
from napari_resmed.train.loop import AstrayError
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.torchrun import why_it_failed
from tests.train.small import QUICK, finish, write_folder

pytestmark = pytest.mark.usefixtures("own_models")


class TestTwoProcesses:
    def test_losses_and_result_are_those_of_one(self, tmp_path: Path) -> None:
        data = write_folder(tmp_path / "data", 4)
        plan = {**QUICK, "steps": 4, "check_every": 2, "batch": 2}
        one, two = (finish(train(data, tmp_path / f"of{devices}", plan=plan, devices=devices)) for devices in (1, 2))
        assert [entry["step"] for entry in two.history] == [2, 4]
        assert [entry["loss"] for entry in two.history] == pytest.approx([e["loss"] for e in one.history], rel=1e-4)
        assert two.best_metric == pytest.approx(one.best_metric, abs=0.01)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "of1", "of2"]


class TestFailing:
    @pytest.mark.parametrize(
        ("problem", "kind"),
        [
            (MemoryError("out of memory"), MemoryError),
            (RuntimeError("CUDA error: out of memory"), MemoryError),
            (InputError("c1 can no longer be used: it is gone"), InputError),
            (WorkError("could not save the training: the disk is full"), WorkError),
            (AstrayError("training went astray"), AstrayError),
        ],
        ids=["python", "torch", "input", "work", "astray"],
    )
    def test_the_reason_reaches_who_started_it(
        self, problem: Exception, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = RunFolder(tmp_path)

        def fail(_: RunFolder) -> None:
            raise problem

        monkeypatch.setattr(rank, "_train", fail)  # a process that really runs out of memory takes the machine along
        with pytest.raises(type(problem)):
            rank.main(str(tmp_path))
        told = why_it_failed(run, 2)
        assert type(told) is kind
        assert str(told) == str(problem)

    def test_without_a_reason_the_log_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: RunFolder) -> None:
            raise RuntimeError("connection closed by peer")

        monkeypatch.setattr(rank, "_train", fail)
        with pytest.raises(RuntimeError, match="closed by peer"):
            rank.main(str(tmp_path))
        run = RunFolder(tmp_path)
        assert not run.trouble.exists()
        assert "processes.log says why, and --resume goes on" in str(why_it_failed(run, 2))
        run.trouble.write_text(json.dumps([1]))
        assert isinstance(why_it_failed(run, 2), WorkError)
