"""From a plan to a model folder: what is the same for trainings of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

import napari_resmed
from napari_resmed.case import Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.events import Event, Progress, Warning
from napari_resmed.jobs.training import Training, run_loop
from napari_resmed.models.save import save_model
from napari_resmed.predict.machine import choose_machine, is_out_of_memory
from napari_resmed.train.card import LICENCE
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.session import ClassSession
from napari_resmed.train.loop import AstrayError, Checked, Stepped, Trainer
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session
from napari_resmed.train.torchrun import run_ranks

__all__ = ["Finish", "best_network", "run_to_the_best", "take_up", "until_it_fits"]

AnyPlan = TypeVar("AnyPlan", Plan, ClassPlan)


def take_up(run: RunFolder, folder: Path, kind: type[AnyPlan]) -> tuple[AnyPlan, Dataset]:
    """Plan and data of an unfinished training.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    if not run.is_unfinished:
        where = "is finished; start from it to train on" if folder.exists() else "has no unfinished training"
        raise InputError(f"there is nothing to resume: {folder.name} {where}")
    return kind.load(run.plan), run.read_dataset()


def until_it_fits(
    plan: AnyPlan,
    run: RunFolder,
    attempt: Callable[[AnyPlan], Generator[Event, str | None, Training]],
    smaller: Callable[[AnyPlan], AnyPlan | None],
) -> Generator[Event, str | None, Training]:
    """Carry out a plan; where memory runs out, go on from the checkpoint with less a step.

    Raises
    ------
    WorkError
        If memory runs out with the least.
    """
    while True:
        try:
            return (yield from attempt(plan))
        except (MemoryError, RuntimeError) as problem:
            if not is_out_of_memory(problem):
                raise
            less = smaller(plan)
            if less is None:
                device = choose_machine(plan.device, plan.precision).device
                least = "patch" if isinstance(plan, Plan) else "batch"
                raise WorkError(
                    f"out of memory on {device}, even with the smallest {least}; close other programs and resume"
                ) from problem
        # Outside of the handler, whose traceback holds on to the memory.
        plan = less
        plan.save(run.plan)
        yield Warning(f"memory ran out; training goes on with {plan.a_step} a step")


def run_to_the_best(
    session: Session | ClassSession, trainer: Trainer, tell: Callable[[Checked], Iterable[Event]]
) -> Generator[Event, str | None, bool]:
    """Train as :func:`napari_resmed.jobs.training.run_loop` does; whether it ended before its time.

    Where training goes astray, it ends there with the best that was reached.

    Raises
    ------
    AstrayError
        If it goes astray before there is any.
    """
    astray = None
    try:
        stopped = yield from run_loop(_loop_of(session, trainer), tell)
    except AstrayError as problem:
        astray, stopped = problem, True
    if session.plan.devices > 1:
        trainer.load()  # what the processes reached
    if astray is not None:
        if not trainer.best_weights:
            raise astray
        yield Warning(f"{astray}; the best that was reached is kept")
    return stopped


def _loop_of(session: Session | ClassSession, trainer: Trainer) -> Generator[Stepped | Checked | None, None, None]:
    """The loop, in this process or in one for each device."""
    if session.plan.devices == 1:
        return trainer.run()
    trainer.save()
    if isinstance(session, Session):
        session.store.let_go()  # each process keeps its share of the memory
    return run_ranks(session.run, session.plan.devices)


def best_network(session: Session | ClassSession, trainer: Trainer) -> nn.Module:
    """The network with the best weights there are; those of now where nothing was looked at yet."""
    if not trainer.best_weights:
        trainer.keep_as_best()
    best = session.network()
    best.load_state_dict(trainer.best_weights)
    return best


@dataclass(frozen=True)
class Finish:
    """What is written down at the end, whatever was trained.

    Parameters
    ----------
    session, trainer:
        The training.
    names:
        Structures or classes.
    figure:
        What was measured on what was held out, as people call it.
    begin:
        When the job began.
    stopped:
        Whether it ended before its time.
    little:
        Why the figures say little, in a sentence; empty where they do not.
    """

    session: Session | ClassSession
    trainer: Trainer
    names: Sequence[str]
    figure: str
    begin: float
    stopped: bool
    little: str = ""

    def write(
        self,
        folder: Path,
        figures: Sequence[float | None],
        card: Callable[..., str],
        facts: Mapping[str, Any],
        measured: Mapping[str, Any] | None = None,
        **of_model: Any,
    ) -> Generator[Event, str | None, Training]:
        """Write the model and clear up.

        Parameters
        ----------
        folder:
            Of the model.
        figures:
            Of every name, of the best weights.
        card:
            Takes plan, figures before and after by name, history, seconds.
        facts, measured:
            What else the model says of its training and of its figures.
        of_model:
            Further fields of the model.
        """
        plan, run, state = self.session.plan, self.session.run, self.trainer.state
        after = dict(zip(self.names, figures, strict=True))
        before = dict(zip(self.names, state.before or [None] * len(self.names), strict=True))
        known = [value for value in figures if value is not None]
        mean = sum(known) / len(known) if known else None
        seconds = time.perf_counter() - self.begin
        model = plan.model(
            description=f"{', '.join(self.names)}; trained by its user.",
            measured={f"held-out {self.figure}": {"mean": mean, **after}, **(measured or {})},
            training={
                "program": f"napari-resmed {napari_resmed.__version__}",
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "plan": plan.without_names(),
                "history": state.history,
                **facts,
            },
            **of_model,
        )
        yield Progress("Writing the model", 0.99)
        text = card(plan, before, after, state.history, seconds)
        save_model(model, self.trainer.best_weights, folder, card=text, licence=LICENCE)
        if not self.stopped:
            run.remove()
        return Training(
            name=plan.name,
            model=str(folder),
            best_metric=mean,
            before=before,
            after=after,
            history=state.history,
            seconds={"loop": round(state.seconds, 1), "total": round(seconds, 1)},
            plan=plan.to_json(),
            stopped=self.stopped,
            little=self.little,
        )
