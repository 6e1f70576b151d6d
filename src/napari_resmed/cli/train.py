"""``train``: a model from labelled cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import CancelledError, InputError

__all__ = ["train"]


def train(
    data: Annotated[Path, typer.Argument(help="nnU-Net or MSD folder, images/ and labels/, or a CSV.", metavar="DATA")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model folder to write.", metavar="MODEL")],
    task: Annotated[str, typer.Option(help="What is learnt: segment.")] = "segment",
    base: Annotated[str, typer.Option("--from", help="Start from this model: a name or a folder.")] = "",
    minutes: Annotated[float | None, typer.Option(help="Time budget; 10 where nothing is said.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the cases, instead of minutes.")] = None,
    care: Annotated[str, typer.Option(help="bold, normal or careful: how far weights may move.")] = "normal",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes that share each batch, one per GPU.")] = 1,
    memory: Annotated[float | None, typer.Option(help="MB of prepared data kept in memory.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Decisions that replace the program's: a JSON file like plan.json.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished training of MODEL.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Train a segmentation model, from scratch or from another model.

    Ctrl-C leaves what was reached beside MODEL; --resume goes on with it.
    """
    if task != "segment":
        raise InputError(f"found the task {task!r}; only 'segment' can be trained so far")
    changes = _changes(plan)
    from napari_resmed.jobs.train import train as job  # brings torch, which other commands do without

    steps = job(
        data,
        out,
        base=base,
        minutes=minutes,
        epochs=epochs,
        care=care,
        device=device,
        precision=precision,
        devices=devices,
        memory_mb=memory,
        plan=changes,
        resume=resume,
        seed=seed,
    )
    try:
        done = run(steps, {"mean Dice": "held-out mean Dice"})
    except KeyboardInterrupt as problem:
        steps.close()
        from napari_resmed.train.run_folder import RunFolder

        if not RunFolder.beside(out.absolute()).is_unfinished:
            raise
        raise CancelledError(f"stopped; --resume goes on with {out.name}") from problem
    if as_json:
        document = {name: getattr(done, name) for name in ("model", "best_metric", "history", "seconds", "plan")}
        print_json({**document, "before": done.before, "after": done.after})
        return
    print_table(
        ("structure", "Dice before", "Dice after"),
        [(name, _figure(done.before[name]), _figure(value)) for name, value in done.after.items()],
    )
    messages.print(f"Wrote {done.model} in {done.seconds['total'] / 60:.1f} min", markup=False)


def _changes(plan: Path | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    try:
        changes = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise InputError(f"{plan} cannot be read as a plan: {problem}") from problem
    if not isinstance(changes, dict):
        raise InputError(f"{plan} holds no JSON object, expected entries of a plan")
    return changes


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
