"""Look for better hyper-parameters before a classifier is trained: short trainings, one after the other."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_resmed.case import Dataset
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs.training import PLANNED, STOP
from napari_resmed.predict.machine import is_out_of_memory
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.search import Searched, Tried, ask, changed, in_words, trial_plan
from napari_resmed.train.classify.session import ClassSession
from napari_resmed.train.loop import AstrayError, Checked
from napari_resmed.train.run_folder import RunFolder

if TYPE_CHECKING:
    import optuna

__all__ = ["search_classifier"]

# Of so many trials at least one is something else than what was planned.
LEAST_TRIALS = 2
TELL_SECONDS = 0.25
PARTS = 10


def search_classifier(plan: ClassPlan, dataset: Dataset, run: RunFolder) -> Generator[Event, str | None, ClassPlan]:
    """Try places of a small space within ``plan.search`` minutes; the plan with the best, which is written down.

    What was tried lies in the run folder: closed and begun anew it goes on. Asked to stop it ends with the best so far.

    Raises
    ------
    InputError
        If Optuna is not installed, or a class has too few patients.
    """
    assert plan.search is not None
    usual = trial_plan(plan, dataset)
    searched = Searched.load(run.search)
    seconds, spent = plan.search * 60, searched.seconds
    begin = time.perf_counter()
    stopped = False
    while not stopped and (len(searched.tried) < LEAST_TRIALS or searched.seconds < seconds):
        values, trial = ask(plan, searched)
        number = len(searched.tried) + 1
        stopped = (yield Started(f"Trial {number}: {in_words(values)}")) == STOP
        steps = _try(changed(usual, values), dataset, run, trial)
        looks: dict[int, float] = {}
        whole = True
        try:
            while not stopped:
                look = next(steps)
                if look is not None:
                    looks[look[0]] = look[1]
                done = min(1.0, (spent + time.perf_counter() - begin) / seconds)
                said = f"Searching, trial {number}"
                left = max(0.0, seconds - spent - (time.perf_counter() - begin))
                stopped = (yield Progress(said, PLANNED * done, left)) == STOP
        except StopIteration as end:
            whole = bool(end.value)
        except AstrayError as problem:
            yield Warning(f"trial {number}: {problem}")
            whole = False
        except (MemoryError, RuntimeError) as problem:
            if not is_out_of_memory(problem):
                raise
            yield Warning(f"trial {number} needed more memory than there is")
            whole = False
        finally:
            steps.close()
            run.trial.unlink(missing_ok=True)
        searched.seconds = spent + time.perf_counter() - begin
        if not stopped:
            searched.tried.append(Tried(values, looks, max(looks.values(), default=0.0), whole))
            searched.save(run.search)
    if stopped:
        yield Warning("stopped while searching: what is written has hardly learnt; resume trains with the best found")
    found = _with_the_best(plan, searched)
    found.save(run.plan)
    yield Started(found.reasons["search"])
    return found


def _try(
    plan: ClassPlan, dataset: Dataset, run: RunFolder, trial: optuna.Trial
) -> Generator[tuple[int, float] | None, None, bool]:
    """Train for a short while; yields how far it is and the figure of every look; whether it ran to its end."""
    session = ClassSession(plan, dataset, run)
    trainer = session.trainer(None if plan.minutes is None else plan.minutes * 60)
    trainer.checkpoint = run.trial
    steps = trainer.run()
    said, compared = time.perf_counter(), -1
    try:
        for step in steps:
            if isinstance(step, Checked):
                # Steps differ in what they take: trials are compared where as much of their time is over.
                share = round(PARTS * trainer.state.progress)
                yield share, step.mean
                if share > compared:  # Optuna takes one figure for each
                    trial.report(step.mean, share)
                    compared = share
                if trial.should_prune():
                    return False
            elif time.perf_counter() - said > TELL_SECONDS:
                said = time.perf_counter()
                yield None
    finally:
        steps.close()
    return True


def _with_the_best(plan: ClassPlan, searched: Searched) -> ClassPlan:
    best, own = searched.best, searched.tried[0] if searched.tried else None
    if best is None or own is None or best is own:
        said = f"{len(searched.tried)} trials found nothing better than what was planned"
        return replace(plan, search=None, reasons={**plan.reasons, "search": said})
    said = (
        f"the best of {len(searched.tried)} trials in {searched.seconds / 60:.1f} minutes, AUC {best.best:.3f} against "
        f"{own.best:.3f} of what was planned, on cases that are learnt from: {in_words(best.values)}"
    )
    return replace(changed(plan, best.values), search=None, reasons={**plan.reasons, "search": said})
