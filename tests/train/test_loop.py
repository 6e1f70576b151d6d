from __future__ import annotations

import copy
import math
import os
import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_resmed.errors import InputError, WorkError
from napari_resmed.predict.machine import Machine
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train import loop
from napari_resmed.train.loop import AVERAGE_SHARE, LEFT_OUT_IN_A_ROW, Checked, Schedule, State, Stepped, Trainer
from napari_resmed.train.patches import Batch
from napari_resmed.train.rates import make_optimiser
from napari_resmed.train.run_folder import RunFolder
from tests.train import alone
from tests.train.small import dataset, finish, little_plan

CPU = Machine(torch.device("cpu"), "fp32")


class Little(nn.Module):
    """Two convolutions; quick enough for thousands of steps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 2, 1)
        self.norm = nn.InstanceNorm3d(4, affine=True)

    def forward(self, image: Tensor) -> Tensor:
        return self.two(torch.relu(self.norm(self.one(image))))


def batch(step: int) -> Batch:
    """Bright is one class, dark the other."""
    generator = torch.Generator().manual_seed(step)
    image = torch.rand((2, 1, 6, 6, 6), generator=generator)
    target = (image[:, 0] > 0.6).to(torch.int16)
    target[0, 0] = UNKNOWN
    return Batch(image, target, torch.ones((2, 2), dtype=torch.bool))


def check(network: nn.Module) -> Generator[None, None, Sequence[float | None]]:
    """Dice on a batch that is not learnt from."""
    yield None
    with torch.inference_mode():
        found = network(batch(10**6).image).argmax(1)
    yield None
    truth = batch(10**6).target.clamp_min(0)
    return [float(2 * ((found == 1) & (truth == 1)).sum() / ((found == 1).sum() + (truth == 1).sum()))]


def told(*answers: float | None) -> Callable[[nn.Module], Generator[None, None, list[float | None]]]:
    """A check that answers what it is told, one after the other, the last for ever."""
    left = list(answers)

    def answer(_: nn.Module) -> Generator[None, None, list[float | None]]:
        yield None
        return [left.pop(0) if len(left) > 1 else left[0]]

    return answer


def trainer(folder: Path, schedule: Schedule | None = None, **more: Any) -> Trainer:
    given = {"make_batch": batch, "check": check, "machine": CPU, "workers": 0, **more}
    schedule = schedule or Schedule(steps=20, check_every=5, learning_rate=0.01, patience=1.0)
    return Trainer(Little(), schedule=schedule, checkpoint=folder / "checkpoint.pt", **given)


def weights_of(made: Trainer) -> dict[str, dict[str, Tensor]]:
    return {
        "network": dict(made.network.state_dict()),
        "average": dict(made.average.state_dict()),
        "best": made.best_weights,
    }


def same(one: dict[str, dict[str, Tensor]], other: dict[str, dict[str, Tensor]]) -> bool:
    return all(torch.equal(one[part][name], other[part][name]) for part in one for name in one[part])


def without_clock(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


class TestRun:
    def test_learns(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=150, check_every=25, learning_rate=0.02))
        steps: list[Any] = []
        finish(made.run(), steps)
        losses = [step.loss for step in steps if isinstance(step, Stepped)]
        assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
        assert made.state.best > 0.85

    def test_tells_every_step_and_every_look(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        steps: list[Any] = []
        finish(made.run(), steps)
        stepped = [step for step in steps if isinstance(step, Stepped)]
        assert [step.step for step in stepped] == list(range(1, 21))
        assert [step.progress for step in stepped] == pytest.approx([k / 20 for k in range(1, 21)])
        looks = [step for step in steps if isinstance(step, Checked)]
        assert [look.step for look in looks] == [5, 10, 15, 20]
        assert steps[-1] is looks[-1]
        assert sum(step is None for step in steps) == 2 * len(looks)
        assert [entry["step"] for entry in made.state.history] == [5, 10, 15, 20]
        assert [entry["mean_dice"] for entry in made.state.history] == [look.mean for look in looks]
        means = [sum(step.loss for step in stepped[k : k + 5]) / 5 for k in range(0, 20, 5)]
        assert [entry["loss"] for entry in made.state.history] == pytest.approx(means)

    def test_the_best_weights_are_those_of_the_best_look(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, check=told(0.2, 0.7, 0.5, 0.6))
        kept = {}
        for step in made.run():
            if isinstance(step, Checked):
                kept[step.step] = {name: tensor.clone() for name, tensor in made.average.state_dict().items()}
                assert step.is_best == (step.step in (5, 10))
        assert (made.state.best, made.state.best_step) == (0.7, 10)
        assert all(torch.equal(made.best_weights[name], kept[10][name]) for name in kept[10])

    @pytest.mark.parametrize("answers", [(0.0,), (None,)], ids=["nothing found yet", "nothing to be found"])
    def test_looks_that_say_nothing_keep_the_latest(self, answers: tuple, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=20, check_every=5, patience=0.3), check=told(*answers))
        finish(made.run())
        assert (made.state.step, made.state.best_step) == (20, 20)
        assert same({"a": made.best_weights}, {"a": dict(made.average.state_dict())})

    def test_stops_early_where_nothing_gets_better(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=100, check_every=5, patience=0.4), check=told(0.5, 0.6, 0.3))
        finish(made.run())
        # Decided when it looks, every five steps: the first look more than 40 beyond the best.
        assert (made.state.step, made.state.best_step) == (55, 10)

    def test_the_average_holds_the_last_part_of_a_short_training(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=30, check_every=100, learning_rate=0.05, patience=1.0))
        seen = [dict(made.network.state_dict())]
        for step in made.run():
            if isinstance(step, Stepped):
                seen.append({name: tensor.clone() for name, tensor in made.network.state_dict().items()})
                shares = 1 / (1 + AVERAGE_SHARE * np.arange(step.step))
                weights = shares * np.append(np.cumprod(1 - shares[:0:-1])[::-1], 1)  # what is left of each by now
                assert weights.sum() == pytest.approx(1)
                for name, tensor in made.average.state_dict().items():
                    mean = sum(float(w) * one[name] for w, one in zip(weights, seen[1:], strict=True))
                    assert torch.allclose(tensor, mean, atol=1e-5)
        assert weights[-10:].sum() > 0.8  # of thirty
        assert not torch.allclose(seen[1]["two.weight"], seen[-1]["two.weight"], atol=1e-3)

    def test_a_network_may_have_many_dimensional_weights_alone(self, tmp_path: Path) -> None:
        network = nn.Conv3d(1, 2, 1, bias=False)
        made = Trainer(network, batch, check, Schedule(steps=1), CPU, tmp_path / "checkpoint.pt")
        finish(made.run())
        assert made.state.step == 1

    def test_only_convolutions_decay(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        groups = made._optimiser.param_groups
        decays = {group["weight_decay"]: {weight.dim() for weight in group["params"]} for group in groups}
        assert decays == {0.01: {5}, 0.0: {1}}
        assert sum(len(group["params"]) for group in groups) == len(list(made.network.parameters()))

    def test_the_rate_rises_and_falls(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=200, check_every=1000, learning_rate=0.01))
        rates = []
        for step in made.run():
            if isinstance(step, Stepped):
                rates.append(made._optimiser.param_groups[0]["lr"])
        top = max(range(200), key=lambda step: rates[step])
        assert rates[top] == pytest.approx(0.01, rel=0.02)
        assert 4 <= top <= 8
        assert rates[: top + 1] == sorted(rates[: top + 1])
        assert rates[top:] == sorted(rates[top:], reverse=True)
        assert 0 < rates[-1] < 1e-5
        assert rates[0] < 0.15 * 0.01

    def test_bf16(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=5, check_every=5), machine=Machine(torch.device("cpu"), "bf16"))
        finish(made.run())
        assert all(tensor.dtype == torch.float32 for tensor in made.best_weights.values())

    def test_deep_supervision_stacked_as_monai_does(self, tmp_path: Path) -> None:
        class Deep(Little):
            def forward(self, image: Tensor) -> Tensor:
                answer = super().forward(image)
                return torch.stack([answer, 0.5 * answer], 1) if self.training else answer

        made = Trainer(Deep(), batch, check, Schedule(steps=3, check_every=3), CPU, tmp_path / "c.pt", workers=0)
        finish(made.run())
        assert math.isfinite(made.state.history[0]["loss"])


class Clock:
    """What the loop takes for the time; it goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(loop, "time", made)
    return made


def batches_in(clock: Clock, seconds: float) -> Callable[[int], Batch]:
    """Batches that take so long."""

    def make(step: int) -> Batch:
        clock.sleep(seconds)
        return batch(step)

    return make


class TestTime:
    @pytest.mark.parametrize("slow", [0.008, 0.02])
    def test_seconds_end_in_time(self, slow: float, clock: Clock, tmp_path: Path) -> None:
        make = batches_in(clock, slow)
        made = trainer(tmp_path, Schedule(seconds=2.0, check_every=5, patience=1.0), make_batch=make)
        steps: list[Any] = []
        begin = clock.now
        finish(made.run(), steps)
        assert 2.0 <= made.state.seconds < 2.0 + 1.5 * slow
        assert clock.now - begin == pytest.approx(made.state.seconds)
        progress = [step.progress for step in steps if isinstance(step, Stepped)]
        assert progress == sorted(progress)
        assert progress[-1] == 1
        # Evenly: half of the way after about half of the time.
        assert progress[len(progress) // 2] == pytest.approx(0.5, abs=0.02)
        left = [step.seconds_left for step in steps if isinstance(step, Stepped)]
        assert left == sorted(left, reverse=True)

    def test_looking_takes_a_tenth_of_the_time(self, clock: Clock, tmp_path: Path) -> None:
        def slow(network: nn.Module) -> Generator[None, None, list[float]]:
            clock.sleep(0.05)
            yield None
            return [clock.now]

        schedule = Schedule(seconds=3.0, check_every=1, patience=1.0)
        made = trainer(tmp_path, schedule, check=slow, make_batch=batches_in(clock, 0.01))
        finish(made.run())
        assert 5 <= len(made.state.history) <= 7

    def test_time_spent_by_whoever_listens_counts(self, clock: Clock, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(seconds=1.0, check_every=1000, patience=1.0))
        for _ in made.run():
            clock.sleep(0.05)
        assert 19 <= made.state.step <= 22

    def test_time_already_used_counts_after_a_pause(self, clock: Clock, tmp_path: Path) -> None:
        make = batches_in(clock, 0.02)
        made = trainer(tmp_path, Schedule(seconds=1.0, check_every=1000, patience=1.0), make_batch=make)
        steps = made.run()
        while made.state.seconds < 0.6:
            next(steps)
        steps.close()
        used = made.state.seconds
        clock.sleep(0.5)
        again = trainer(tmp_path, Schedule(seconds=1.0, check_every=1000, patience=1.0), make_batch=make)
        assert again.load()
        assert again.state.seconds == used  # the pause does not count
        begin = clock.now
        finish(again.run())
        assert clock.now - begin == pytest.approx(1.0 - used, abs=0.03)
        assert again.state.seconds >= 1.0
        assert again.state.progress == 1

    def test_time_left_of_a_number_of_steps(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        assert made.seconds_left() is None
        made.state = State(step=5, progress=0.25, seconds=10)
        assert made.seconds_left() == pytest.approx(30)


class TestStop:
    def test_leaves_a_checkpoint_and_the_best(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, check=told(0.9, 0.1))
        for step in made.run():
            if isinstance(step, Stepped) and step.step == 13:
                break
        again = trainer(tmp_path)
        assert again.load()
        assert (again.state.step, again.state.best, again.state.best_step) == (13, 0.9, 5)
        assert same(weights_of(again), weights_of(made))

    def test_no_thread_stays(self, tmp_path: Path) -> None:
        before = set(threading.enumerate())
        steps = trainer(tmp_path, workers=2).run()
        next(steps)
        assert set(threading.enumerate()) > before
        steps.close()
        assert set(threading.enumerate()) <= before

    def test_may_be_asked(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        made.stop_asked = lambda: made.state.step >= 7
        finish(made.run())
        assert made.state.step == 7

    @pytest.mark.parametrize("at", range(1, 20, 3))
    def test_goes_on_exactly(self, at: int, tmp_path: Path) -> None:
        whole = trainer(tmp_path / "whole")
        (tmp_path / "whole").mkdir()
        finish(whole.run())
        for step in trainer(tmp_path).run():
            if isinstance(step, Stepped) and step.step == at:
                break
        again = trainer(tmp_path)
        assert again.load()
        finish(again.run())
        assert same(weights_of(again), weights_of(whole))
        assert without_clock(again.state.history) == without_clock(whole.state.history)

    def test_goes_on_in_the_middle_of_a_look(self, tmp_path: Path) -> None:
        whole = trainer(tmp_path / "whole")
        (tmp_path / "whole").mkdir()
        finish(whole.run())
        steps = trainer(tmp_path).run()
        looks = 0
        while looks < 3:  # the first window of the second look
            looks += next(steps) is None
        steps.close()
        again = trainer(tmp_path)
        again.load()
        assert (again.state.step, len(again.state.history)) == (10, 1)
        finish(again.run())
        assert same(weights_of(again), weights_of(whole))
        assert without_clock(again.state.history) == without_clock(whole.state.history)

    @pytest.mark.parametrize("where", ["forward", "in the middle of the weights", "average", "batch", "look"])
    def test_control_c_anywhere_goes_on_exactly(
        self, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = trainer(tmp_path / "whole")
        (tmp_path / "whole").mkdir()
        finish(whole.run())
        made = trainer(tmp_path, save_every_seconds=0)
        steps = made.run()
        while made.state.step < 9:
            next(steps)

        def interrupted(*_: object, **__: object) -> None:
            if where == "in the middle of the weights":
                with torch.no_grad():
                    made.network.one.weight.add_(1)
            raise KeyboardInterrupt

        target, name = {
            "forward": (made, "_answer"),
            "in the middle of the weights": (made._optimiser, "step"),
            "average": (made, "_follow"),
            "batch": (made, "_make_batch"),
            "look": (made, "_check"),
        }[where]
        monkeypatch.setattr(target, name, interrupted)
        if where == "batch":
            made = trainer(tmp_path, make_batch=interrupted)
            made.load()
            steps = made.run()
        with pytest.raises(KeyboardInterrupt):
            finish(steps)
        monkeypatch.undo()
        again = trainer(tmp_path)
        assert again.load()
        finish(again.run())
        assert same(weights_of(again), weights_of(whole))
        assert without_clock(again.state.history) == without_clock(whole.state.history)


class TestAstray:
    @staticmethod
    def poisoned(steps: range) -> Callable[[int], Batch]:
        def make(step: int) -> Batch:
            made = batch(step)
            if step in steps:
                made.image[0, 0, 0, 0, 0] = float("nan")
            return made

        return make

    def sound(self, made: Trainer) -> bool:
        return all(torch.isfinite(tensor).all() for part in weights_of(made).values() for tensor in part.values())

    def test_a_step_without_a_gradient_is_left_out(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, make_batch=self.poisoned(range(8, 9)))
        before = {}
        for step in made.run():
            if isinstance(step, Stepped) and step.step == 8:
                before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
            if isinstance(step, Stepped) and step.step == 9:
                assert all(torch.equal(before[name], tensor) for name, tensor in made.network.state_dict().items())
                assert math.isfinite(step.loss)
        assert made.state.progress == 1
        assert self.sound(made)

    def test_many_in_a_row_are_told_and_leave_sound_weights(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, Schedule(steps=60, check_every=50), make_batch=self.poisoned(range(8, 100)))
        with pytest.raises(WorkError, match="went astray"):
            finish(made.run())
        again = trainer(tmp_path, Schedule(steps=60, check_every=50))
        assert again.load()
        assert again.state.step == 8 + LEFT_OUT_IN_A_ROW
        assert self.sound(again)
        finish(again.run())  # batches that are sound this time
        assert self.sound(again)


class TestCheckpoint:
    def test_no_checkpoint(self, tmp_path: Path) -> None:
        assert not trainer(tmp_path).load()

    def test_is_saved_as_often_as_said(self, tmp_path: Path) -> None:
        made = trainer(tmp_path, save_every_seconds=0)
        for step in made.run():
            if isinstance(step, Stepped) and step.step > 1:
                saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
                assert saved["state"]["step"] == step.step - 1
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]

    def test_a_full_disk_is_one_sentence_and_keeps_the_old_one(self, tiny_disk: Path) -> None:
        made = trainer(tiny_disk, Schedule(steps=2, check_every=2))
        finish(made.run())
        before = (tiny_disk / "checkpoint.pt").read_bytes()
        (tiny_disk / "filler").write_bytes(b"x" * (64 * 1024 - len(before) - 12 * 1024))
        with pytest.raises(WorkError, match=f"could not save the training to {tiny_disk}: .*disk"):
            made.save()
        assert (tiny_disk / "checkpoint.pt").read_bytes() == before
        assert sorted(path.name for path in tiny_disk.iterdir()) == ["checkpoint.pt", "filler"]

    @pytest.mark.parametrize("left", [0, 100, 0.5, 0.98])
    def test_a_damaged_one_is_one_sentence(self, left: float, tmp_path: Path) -> None:
        finish(trainer(tmp_path, Schedule(steps=2, check_every=2)).run())
        path = tmp_path / "checkpoint.pt"
        whole = path.read_bytes()
        path.write_bytes(whole[: left if left >= 1 or left == 0 else int(left * len(whole))])  # type: ignore[misc]
        with pytest.raises(InputError, match="is damaged or of another network; start it anew"):
            trainer(tmp_path).load()

    def test_of_another_network(self, tmp_path: Path) -> None:
        finish(trainer(tmp_path, Schedule(steps=2, check_every=2)).run())
        other = Trainer(nn.Conv3d(1, 2, 1), batch, check, Schedule(steps=2), CPU, tmp_path / "checkpoint.pt")
        with pytest.raises(InputError, match="of another network"):
            other.load()

    def test_another_optimiser_is_refused(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        made.save()
        network = copy.deepcopy(made.network)
        by = make_optimiser(network, "muon", 1e-3, 0)
        other = Trainer(network, batch, check, Schedule(steps=1), CPU, made.checkpoint, optimiser=by)
        with pytest.raises(InputError, match="learns by AdamW, and its plan says Muon; put the plan's optimiser back"):
            other.load()

    def test_one_from_before_optimisers_were_told_goes_on(self, tmp_path: Path) -> None:
        """Its groups are kernels, then scales and offsets."""
        made = trainer(tmp_path)
        finish(made.run())
        kernels = [weight for weight in made.network.parameters() if weight.dim() > 1]
        others = [weight for weight in made.network.parameters() if weight.dim() <= 1]
        former = torch.optim.AdamW([{"params": kernels, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}])
        saved = torch.load(made.checkpoint, weights_only=True)
        del saved["optimiser_kind"]
        for group, now in zip(former.param_groups, saved["optimiser"]["param_groups"], strict=True):
            assert (len(group["params"]), group["weight_decay"]) == (len(now["params"]), now["weight_decay"])
        torch.save(saved, made.checkpoint)
        again = trainer(tmp_path)
        assert again.load()
        states = again._optimiser.state
        assert all(states[weight]["exp_avg"].shape == weight.shape for weight in again.network.parameters())

    def test_the_optimiser_counts_on(self, tmp_path: Path) -> None:
        made = trainer(tmp_path)
        finish(made.run())
        again = trainer(tmp_path)
        again.load()
        one, other = made._optimiser.state_dict(), again._optimiser.state_dict()
        assert one["param_groups"] == other["param_groups"]
        for number, state in one["state"].items():
            assert float(state["step"]) == 20
            assert all(torch.equal(state[name], other["state"][number][name]) for name in state)


@pytest.mark.skipif(os.name != "posix", reason="processes are forked")
class TestKilled:
    """The real thing: a process of its own, ended by the system at any moment."""

    def test_at_any_moment_and_again_it_reaches_the_same_place(self, tmp_path: Path) -> None:
        plan = little_plan(steps=40, check_every=8, patience=1.0)
        for name in ("whole", "killed"):
            run = RunFolder(tmp_path / name)
            run.begin()
            run.keep_dataset(dataset(4))
            plan.save(run.plan)
        whole, _ = alone.start(tmp_path / "whole")
        whole.join()
        chance = random.Random(0)
        reached = 0
        for _ in range(8):
            # Eight times no more than this do not reach the end.
            process, told = alone.start(tmp_path / "killed", most=4)
            told.recv()  # what comes before it has no state to lose
            # Somewhere within the next steps: while it computes, looks, or writes its checkpoint.
            for _ in range(chance.randint(0, 4)):
                told.recv()
            time.sleep(chance.random() * 0.06)
            process.kill()
            process.join()
            saved = tmp_path / "killed/checkpoint.pt"
            if saved.is_file():  # whole at any moment
                step = torch.load(saved, weights_only=True)["state"]["step"]
                assert step >= reached
                reached = step
        assert reached > 0
        last, _ = alone.start(tmp_path / "killed")
        last.join()
        one, other = (torch.load(tmp_path / name / "result.pt", weights_only=True) for name in ("whole", "killed"))
        assert one["best"].keys() == other["best"].keys()
        assert all(torch.equal(one["best"][name], other["best"][name]) for name in one["best"])
        assert without_clock(one["history"]) == without_clock(other["history"])
        assert [entry["step"] for entry in one["history"]] == [8, 16, 24, 32, 40]
