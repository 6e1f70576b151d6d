"""One of the processes of a training on several devices; torchrun starts it with the run folder.

Standard output of the first is a line of JSON for everything its loop tells. Of what ends a process, what the others
see is a lost connection; the one that knows the reason writes it down.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from napari_resmed.errors import InputError, ResMedError
from napari_resmed.predict.machine import choose_machine, is_out_of_memory
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.session import ClassSession
from napari_resmed.train.loop import AstrayError, Checked, Stepped
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session
from napari_resmed.train.together import Together

__all__ = ["main"]


def main(folder: str) -> None:
    """Train until the schedule's end, or until the run folder's ``stop`` appears."""
    run = RunFolder(Path(folder))
    try:
        _train(run)
    except Exception as problem:
        if kind := _kind(problem):
            with suppress(OSError):
                run.trouble.write_text(json.dumps({"kind": kind, "said": str(problem)}), encoding="utf-8")
        raise


def _kind(problem: Exception) -> str:
    """What a person is told of; empty where nobody can make anything of it."""
    if is_out_of_memory(problem):
        return "memory"
    if isinstance(problem, AstrayError):
        return "astray"
    if isinstance(problem, ResMedError):
        return "input" if isinstance(problem, InputError) else "work"
    return ""


def _train(run: RunFolder) -> None:
    # Libraries print; only what the loop tells may reach the one who reads.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    dataset = run.read_dataset()
    plan: Plan | ClassPlan = ClassPlan.load(run.plan) if dataset.classes else Plan.load(run.plan)
    if choose_machine(plan.device).device.type == "cuda":
        plan = replace(plan, device=f"cuda:{os.environ['LOCAL_RANK']}")
    together = Together(choose_machine(plan.device, plan.precision).device)
    made = ClassSession if isinstance(plan, ClassPlan) else Session
    session = made(plan, dataset, run, together.rank, together.ranks)  # type: ignore[arg-type]
    trainer = session.trainer(None, together)
    trainer.load()
    trainer.schedule = plan.schedule(trainer.state.allowed_seconds)
    trainer.stop_asked = run.stop.exists
    for step in trainer.run():
        if together.rank == 0:
            told = {type(step).__name__: asdict(step)} if isinstance(step, Stepped | Checked) else {}
            out.write(json.dumps(told) + "\n")
            out.flush()
    together.part()


if __name__ == "__main__":
    main(sys.argv[1])
