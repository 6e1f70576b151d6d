"""The training loop: steps, held-out Dice, the best weights, and a checkpoint from which it goes on exactly."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import reason
from napari_resmed.predict.belt import NotFiniteError
from napari_resmed.predict.kept_memory import kept_memory
from napari_resmed.predict.machine import LAYOUTS, Machine, is_out_of_memory
from napari_resmed.train.loss import Batch, Loss, segmentation_loss
from napari_resmed.train.mixed import mixed
from napari_resmed.train.patches import ahead
from napari_resmed.train.rates import make_optimiser
from napari_resmed.train.together import Together

__all__ = ["CURVES", "AstrayError", "Checked", "Schedule", "Stepped", "Trainer"]

# The average over the last steps' weights that is judged and kept: it answers better than the weights of any single
# step while the learning rate is still high (Polyak averaging; Tarvainen and Valpola, arXiv 1703.01780).
AVERAGE_STEPS = 100
# A short training is averaged over this share of its steps: its beginning would hold the average back.
AVERAGE_SHARE = 0.15
# Share of the whole after which the rate has risen to its height, and where it then falls along a cosine.
WARM_UP = 0.03
# Where time counts, the held-out part is looked at whenever so much of the schedule has passed, if looking is cheap.
LOOK_AT_LEAST = 0.04
# Gradients longer than this are shortened, so that one odd patch does not undo the last hundred.
LONGEST_GRADIENT = 1.0
# How the learning rate falls after it has risen: along half a cosine; to a tenth after each third of the schedule; to
# half whenever nothing became better for so much of it.
CURVES = ("cosine", "step", "plateau")
STEP_SHARES, STEP_FACTOR = (1 / 3, 2 / 3), 0.1
PLATEAU_SHARE, PLATEAU_FACTOR = 0.1, 0.5
# So many steps without a usable gradient are no accident.
LEFT_OUT_IN_A_ROW = 10


class AstrayError(WorkError):
    """Gradient after gradient is no number, or the answers are none."""


@dataclass(frozen=True)
class Schedule:
    """How long, how fast.

    Parameters
    ----------
    steps:
        How many; None where ``seconds`` decides.
    seconds:
        How long, all in all, held-out checks included; None where ``steps`` decides.
    learning_rate, weight_decay:
        As of :func:`napari_resmed.train.rates.make_optimiser`.
    check_every:
        Steps between two looks at the held-out part; where time decides, also never more than a tenth of the time.
    patience:
        Share of the schedule without a better result after which it stops early; 1 for never.
    curve:
        How the rate falls, one of :data:`CURVES`.
    """

    steps: int | None = None
    seconds: float | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    check_every: int = 100
    patience: float = 0.4
    curve: str = "cosine"


@dataclass(frozen=True)
class Stepped:
    """One step was made."""

    step: int
    loss: float
    progress: float  # share of the schedule, 0..1
    seconds_left: float | None


@dataclass(frozen=True)
class Checked:
    """The held-out part was looked at; ``figures`` by structure or class, None where it does not occur there."""

    step: int
    mean: float
    figures: tuple[float | None, ...]
    is_best: bool


@dataclass
class State:
    """Where the loop is; all of it is in a checkpoint."""

    step: int = 0
    progress: float = 0.0
    seconds: float = 0.0
    check_seconds: float = 0.0
    best: float = -1.0
    best_step: int = 0
    best_progress: float = 0.0
    looked_progress: float = 0.0
    allowed_seconds: float | None = None
    before: list[float | None] = field(default_factory=list)  # figures of what it started from
    rate_drops: int = 0  # where the rate falls whenever nothing becomes better
    dropped_progress: float = 0.0
    losses: list[float] = field(default_factory=list)  # since the last check
    history: list[dict[str, Any]] = field(default_factory=list)


Check = Callable[[nn.Module], Generator[None, None, Sequence[float | None]]]


class Trainer:
    """A network being trained.

    Parameters
    ----------
    network:
        On the machine's device.
    make_batch:
        The batch of a step.
    check:
        Judges a network: a generator that yields on its way and returns a figure by structure or class, higher for
        better.
    schedule, machine:
        How long and where.
    checkpoint:
        The file it is saved to.
    workers:
        Threads that make batches ahead.
    together:
        The other processes that share each batch; None where there are none.
    loss:
        What is minimised; of segmentation with one class of background where it is not said.
    optimiser:
        Its groups carry ``share``, of the learning rate, and may carry ``frozen_share``, of the schedule in which they
        do not learn, as of :func:`napari_resmed.train.rates.make_optimiser`. AdamW where it is not said.
    figure:
        What ``check`` tells, as the history calls it.
    seed:
        Where the network itself draws at random in training: a step's draws hang on this and its number alone.
    """

    def __init__(
        self,
        network: nn.Module,
        make_batch: Callable[[int], Batch],
        check: Check,
        schedule: Schedule,
        machine: Machine,
        checkpoint: Path,
        *,
        workers: int = 1,
        save_every_seconds: float = 60.0,
        together: Together | None = None,
        loss: Loss | None = None,
        optimiser: torch.optim.Optimizer | None = None,
        figure: str = "dice",
        seed: int | None = None,
    ) -> None:
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.best_weights: dict[str, Tensor] = {}
        self.state = State()
        self.schedule = schedule
        self.stop_asked: Callable[[], bool] = lambda: False
        self._make_batch = make_batch
        self._check = check
        self._machine = machine
        self.checkpoint = checkpoint
        self._workers = workers
        self._save_every = save_every_seconds
        self._optimiser = optimiser or make_optimiser(network, "adamw", schedule.learning_rate, schedule.weight_decay)
        self._loss = loss or segmentation_loss()
        self._figure = figure
        self._seed = seed
        # Interrupted in the middle of a step (Ctrl-C), the weights have moved and the count has not: then what was last
        # saved is where it goes on, exactly.
        self._midway = False
        self._in_a_row = 0  # steps left out, one after the other
        self._together = together
        rest = any(group.get("frozen_share", 0) > 0 for group in self._optimiser.param_groups)
        self._answer = network if together is None else together.share(network, rest)
        self._scaler = torch.amp.GradScaler(machine.device.type, enabled=machine.precision == "fp16")

    # Going on -----------------------------------------------------------------------------------------------

    def run(self) -> Generator[Stepped | Checked | None, None, None]:
        """Train to the end of the schedule; closing the generator leaves a checkpoint behind.

        Yields None between the windows of a look at what is held out.

        Raises
        ------
        WorkError
            If gradient after gradient is no number; such steps are not made. If the checkpoint cannot be written.
        """
        with kept_memory(self._machine):
            yield from self._steps()

    def _steps(self) -> Generator[Stepped | Checked | None, None, None]:
        batches = ahead(self._make_batch, self.state.step, 3, self._workers)
        saved = time.perf_counter()
        lap = saved
        try:
            while True:
                if self._leads and self._is_check_due():
                    yield (yield from self._look())
                    lap = time.perf_counter()
                if self._is_over():
                    return
                loss = self._step(next(batches))
                now = time.perf_counter()
                self._advance(now - lap)
                lap = now
                self.state.losses.append(loss)
                self._midway = False
                yield Stepped(self.state.step, loss, self.state.progress, self.seconds_left())
                if self._leads and now - saved > self._save_every:
                    self.save()
                    saved = time.perf_counter()
        finally:
            batches.close()  # type: ignore[attr-defined]
            if self._leads and not self._midway:
                self.save()

    def _step(self, batch: Batch) -> float:
        rate = self.schedule.learning_rate * _rate(self.schedule.curve, self.state)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
            _let_learn(group, self.state.progress >= group.get("frozen_share", 0.0))
        # A series of volumes has one axis more than there are layouts for.
        layout = LAYOUTS.get(batch.image.dim(), torch.preserve_format)
        image = batch.image.to(self._machine.device, memory_format=layout, non_blocking=True)
        self.network.train()
        if self._seed is not None:
            torch.manual_seed(self._seed * 1_000_003 + self.state.step)
        with mixed(self._machine):
            answers = self._answer(image)
        loss = self._loss(answers, batch, self.state.progress)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        length = nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT, foreach=True)
        # With fp16 the scaler leaves out such a step by itself, and tries the next at a smaller scale.
        if not self._scaler.is_enabled() and not bool(torch.isfinite(length)):
            return self._left_out()
        self._in_a_row = 0
        self._midway = True
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._follow()
        return float(loss.detach() if self._together is None else self._together.mean(loss.detach()))

    def _left_out(self) -> float:
        """A step whose gradient is no number is not made, for half precision has one now and then."""
        self._in_a_row += 1
        if self._in_a_row > LEFT_OUT_IN_A_ROW:
            raise AstrayError("training went astray (its gradient is no number); try again more carefully")
        return self.state.losses[-1] if self.state.losses else 0.0

    def _follow(self) -> None:
        """Move the average a little towards the new weights; a young average moves faster."""
        share = 1 / min(AVERAGE_STEPS, 1 + AVERAGE_SHARE * self.state.step)
        with torch.no_grad():
            mean = [tensor for tensor in self.average.state_dict().values() if tensor.is_floating_point()]
            new = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
            torch._foreach_lerp_(mean, new, share)

    def _advance(self, seconds: float) -> None:
        state, schedule = self.state, self.schedule
        state.step += 1
        state.seconds += seconds
        if schedule.steps is not None:
            state.progress = state.step / schedule.steps
        elif schedule.seconds is not None:
            # What is left of the rate's curve is spread over what is left of the time.
            left = schedule.seconds - state.seconds
            share = seconds / max(seconds, left + seconds)
            state.progress = 1.0 if left <= 0 else state.progress + (1 - state.progress) * min(1.0, share)
        if self._together is not None:  # clocks differ: the first process' counts for all
            state.progress, state.seconds = self._together.agree(state.progress, state.seconds)

    def seconds_left(self) -> float | None:
        """Estimate; None while nothing can be said."""
        state, schedule = self.state, self.schedule
        if schedule.seconds is not None:
            return max(0.0, schedule.seconds - state.seconds)
        return state.seconds * (1 - state.progress) / state.progress if state.progress else None

    @property
    def _leads(self) -> bool:
        """Whether this process looks, saves and tells."""
        return self._together is None or self._together.rank == 0

    def _is_over(self) -> bool:
        over = self.state.progress >= 1 or (self._leads and self._is_stuck()) or self.stop_asked()
        return over if self._together is None else bool(self._together.agree(over)[0])

    def _is_check_due(self) -> bool:
        state, schedule = self.state, self.schedule
        since = state.step - (state.history[-1]["step"] if state.history else 0)
        if not since or state.progress >= 1:
            return bool(since)
        if schedule.steps is not None:
            return since >= schedule.check_every
        # Where time counts, looking takes a tenth of it; a slow training is looked at after few steps.
        seconds = state.seconds - (state.history[-1]["seconds"] if state.history else 0.0)
        moved = state.progress - state.looked_progress
        return seconds >= 10 * state.check_seconds and (since >= schedule.check_every or moved >= LOOK_AT_LEAST)

    def _look(self) -> Generator[Any, None, Checked]:
        begin = time.perf_counter()
        try:
            figures = tuple((yield from self._check(self.average)))
        except NotFiniteError as problem:
            raise AstrayError(
                "training went astray (its answers are no numbers); try again more carefully"
            ) from problem
        state = self.state
        state.check_seconds = time.perf_counter() - begin
        state.looked_progress = state.progress
        state.seconds += state.check_seconds
        measured = [value for value in figures if value is not None]
        mean = sum(measured) / len(measured) if measured else 0.0
        # Of equals the later: nothing found as yet, or nothing there to be found, says nothing for the first.
        is_best = mean >= state.best
        if is_best:
            state.best, state.best_step, state.best_progress = mean, state.step, state.progress
            self.keep_as_best()
        elif state.progress - max(state.best_progress, state.dropped_progress) > PLATEAU_SHARE:
            state.rate_drops, state.dropped_progress = state.rate_drops + 1, state.progress
        loss = sum(state.losses) / max(1, len(state.losses))
        state.losses.clear()
        state.history.append(
            {
                "step": state.step,
                "seconds": round(state.seconds, 1),
                "loss": loss,
                self._figure: list(figures),
                f"mean_{self._figure}": mean,
            }
        )
        return Checked(state.step, mean, figures, is_best)

    def keep_as_best(self) -> None:
        """Remember the average as it is now."""
        self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self.average.state_dict().items()}

    def _is_stuck(self) -> bool:
        return self.state.looked_progress - self.state.best_progress > self.schedule.patience

    # Stopping and going on ----------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint, whole or not at all.

        Raises
        ------
        WorkError
            If the disk is full.
        """
        part = self.checkpoint.with_name(f".{self.checkpoint.name}.{os.getpid()}")
        try:
            torch.save(
                {
                    "network": self.network.state_dict(),
                    "average": self.average.state_dict(),
                    "best_weights": self.best_weights,
                    "optimiser": self._optimiser.state_dict(),
                    "optimiser_kind": type(self._optimiser).__name__,
                    "scaler": self._scaler.state_dict(),
                    "state": vars(self.state),
                },
                part,
            )
            with part.open("r+b") as file:  # on the disk before it takes the old one's place, should the power fail
                os.fsync(file.fileno())
            part.replace(self.checkpoint)
        except (OSError, RuntimeError) as problem:
            said = reason(problem) if isinstance(problem, OSError) else "the disk may be full"
            raise WorkError(f"could not save the training to {self.checkpoint.parent}: {said}") from problem
        finally:
            part.unlink(missing_ok=True)

    def load(self) -> bool:
        """Go on from the checkpoint; False where there is none.

        Raises
        ------
        InputError
            If it is damaged, of another network, or of another optimiser.
        """
        if not self.checkpoint.is_file():
            return False
        try:
            # To the CPU first: the optimiser counts its steps there, whatever device the weights are on.
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            ours = type(self._optimiser).__name__
            if (theirs := saved.get("optimiser_kind", ours)) != ours:
                raise InputError(
                    f"the unfinished training in {self.checkpoint.parent} learns by {theirs}, and its plan says "
                    f"{ours}; put the plan's optimiser back, or start it anew"
                )
            self.network.load_state_dict(saved["network"])
            self.average.load_state_dict(saved["average"])
            self.best_weights = dict(saved["best_weights"])
            self._optimiser.load_state_dict(saved["optimiser"])
            self._scaler.load_state_dict(saved["scaler"])
            self.state = replace(State(), **saved["state"])
        except InputError:
            raise
        except Exception as problem:  # damaged bytes make the unpickler raise anything
            if is_out_of_memory(problem):
                raise
            raise InputError(
                f"the unfinished training in {self.checkpoint.parent} is damaged or of another network; start it anew"
            ) from problem
        return True


def _let_learn(group: dict[str, Any], learns: bool) -> None:
    if group["params"][0].requires_grad != learns:
        for weight in group["params"]:
            weight.requires_grad_(learns)


def _rate(curve: str, state: State) -> float:
    """Share of the full learning rate: a short rise, then down along the curve."""
    if state.progress < WARM_UP:
        return (state.progress + 0.1 * WARM_UP) / (1.1 * WARM_UP)
    if curve == "plateau":
        return float(PLATEAU_FACTOR**state.rate_drops)
    if curve == "step":
        return float(STEP_FACTOR ** sum(state.progress >= share for share in STEP_SHARES))
    return 0.5 * (1 + math.cos(math.pi * (state.progress - WARM_UP) / (1 - WARM_UP)))
