"""What trainings of every kind have in common: the result, the loop's events, the word that ends it early."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Metric, Progress, Warning
from napari_resmed.models.catalogue import own_models_folder
from napari_resmed.train.loop import AstrayError, Checked, Stepped

__all__ = ["PLANNED", "STOP", "TRAINED", "Training", "hear_stop", "run_loop", "target_folder", "told", "told_left_out"]

# What a runner may send into the job to end it early with the best that was reached.
STOP = "stop"

# Where in the whole job the loop begins and ends, for the progress bar.
PLANNED, TRAINED = 0.05, 0.95
# Events of the loop are told no more often than this: a person reads no faster, and a message costs time.
TELL_SECONDS = 0.25
# Cases that are left out are told of one by one up to so many; nobody reads thousands.
LEFT_OUT_TOLD = 100


@dataclass(frozen=True)
class Training:
    """What a training gives.

    Parameters
    ----------
    model:
        The folder that was written.
    best_metric:
        Mean over the structures or classes on what was held out: Dice, or area under the ROC curve.
    before, after:
        The same by structure or class, of the model it started from (None where that could not answer) and of the new
        one.
    history:
        One entry per look: ``step, seconds, loss, dice, mean_dice``; of classes ``auc, mean_auc``.
    plan:
        What was decided, plain values.
    stopped:
        Whether it ended before its time.
    little:
        Why the figures say little, in a sentence: a single slice or a few voxels were held out. Empty where they do
        not.
    """

    name: str
    model: str
    best_metric: float | None
    before: dict[str, float | None]
    after: dict[str, float | None]
    history: list[dict[str, Any]]
    seconds: dict[str, float]
    plan: dict[str, Any]
    stopped: bool
    little: str = ""


def target_folder(target: str | Path, name: str) -> Path:
    """Where the model goes; among the person's own where only a name is given.

    Raises
    ------
    InputError
        If there is neither, or the name is none.
    """
    if not str(target) and not name:
        raise InputError("the new model has no name; give it one")
    if name and (name != Path(name).name or name.startswith((".", "_"))):
        raise InputError(f"a model cannot be called {name!r}; choose a name without / that begins with a letter")
    return (Path(target) if str(target) else own_models_folder() / name).absolute()


def hear_stop(steps: Generator[Event, str | None, Training]) -> Generator[Event, str | None, Training]:
    """Run a training to its end, and remember that it was asked to stop until the loop hears of it."""
    stop: str | None = None
    try:
        event = next(steps)
        while True:
            # Whatever the job is at when it is asked: the loop, which alone can stop early, has to hear of it.
            stop = STOP if (yield event) == STOP else stop
            event = steps.send(stop)
    except StopIteration as end:
        result: Training = end.value
        return result
    finally:
        steps.close()


def run_loop(
    steps: Generator[Stepped | Checked | None, None, None], tell: Callable[[Checked], Iterable[Event]]
) -> Generator[Event, str | None, bool]:
    """Train until the schedule's end or until asked to stop; whether it was asked.

    Parameters
    ----------
    steps:
        The loop's; closed at the end.
    tell:
        What is told of a look at what is held out.
    """
    said, last = -math.inf, None
    losses: list[float] = []
    try:
        for step in steps:
            events: list[Event] = []
            if isinstance(step, Checked):
                events += tell(step)
            elif isinstance(step, Stepped):
                if not math.isfinite(step.loss):
                    raise AstrayError("training went astray (its loss is no number); try again more carefully")
                losses.append(step.loss)
                last = step
            now = time.perf_counter()
            if last is not None and now - said > TELL_SECONDS:
                said = now
                if losses:
                    events.append(Metric("training loss", sum(losses) / len(losses), last.step))
                    losses.clear()
                what = "Looking at what was held out" if step is None else "Training"
                done = PLANNED + (TRAINED - PLANNED) * last.progress
                events.append(Progress(what, done, last.seconds_left))
            stop = False
            for event in events:  # to the last of them: a look at what is held out is told whole
                stop |= (yield event) == STOP
            if stop:
                return True
    finally:
        steps.close()
    return False


def told(look: Checked, names: Sequence[str], figure: str) -> Iterator[Event]:
    """A look at what is held out as figures: the mean, and that of every structure or class."""
    yield Metric(f"mean {figure}", look.mean, look.step)
    for name, value in zip(names, look.figures, strict=True):
        if value is not None:
            yield Metric(f"{figure} {name}", value, look.step)


def told_left_out(left_out: Sequence[tuple[str, str]]) -> Iterator[Event]:
    """Which cases are left out, and why; of many, how many more.

    Parameters
    ----------
    left_out:
        Name of each, and the reason.
    """
    for case, reason in left_out[:LEFT_OUT_TOLD]:
        yield Warning(f"{case} is left out: {reason}")
    if len(left_out) > LEFT_OUT_TOLD:
        yield Warning(f"{len(left_out) - LEFT_OUT_TOLD} more cases are left out; the plan lists them under 'left_out'")
