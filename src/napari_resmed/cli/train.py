"""``train``: a model from cases of which the answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import CancelledError, InputError

__all__ = ["train"]


def train(
    data: Annotated[
        Path,
        typer.Argument(
            help="nnU-Net or MSD folder, images/ and labels/, labels alone, a folder per class, a CSV, .npz.",
            metavar="DATA",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model folder to write.", metavar="MODEL")],
    task: Annotated[str, typer.Option(help="What is learnt: segment or classify.")] = "segment",
    base: Annotated[
        str, typer.Option("--from", help="Start from this model: a name, a folder, or a file of weights.")
    ] = "",
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
    fold: Annotated[str, typer.Option(help="Classes: hold out e.g. part 1/5 of the patients.")] = "",
    search: Annotated[
        float | None, typer.Option(help="Classes: minutes to look for better hyper-parameters first.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Classes: --from monai:NAME may fetch weights from the internet.")
    ] = False,
    synthetic: Annotated[
        float | None,
        typer.Option(help="Share of images painted from the label maps, 0 to 1; labels without an image count then."),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Train a model that segments or classifies, from scratch or from another model.

    Ctrl-C leaves what was reached beside MODEL; --resume goes on with it.
    """
    changes = _changes(plan)
    with loading.whole():
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
        task=task,
        fold=_fold(fold),
        search=search,
        download=download,
        synthetic=synthetic,
    )
    try:
        done = run(steps, {"mean Dice": "held-out mean Dice", "mean AUC": "held-out mean AUC"})
    except KeyboardInterrupt as problem:
        steps.close()
        from napari_resmed.train.run_folder import RunFolder

        if not RunFolder.beside(out.absolute()).is_unfinished:
            raise
        raise CancelledError(f"stopped; --resume goes on with {out.name}") from problem
    if as_json:
        told = ("model", "best_metric", "history", "seconds", "plan", "before", "after", "stopped", "little")
        print_json({name: getattr(done, name) for name in told})
        return
    what, figure = ("class", "AUC") if task == "classify" else ("structure", "Dice")
    print_table(
        (what, f"{figure} before", f"{figure} after"),
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


def _fold(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise InputError(f"--fold is {text!r}, expected e.g. 1/5")
    return int(part) - 1, int(parts)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
