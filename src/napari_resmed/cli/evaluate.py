"""``napari-resmed evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import InputError

__all__ = ["evaluate"]

# What fits a terminal; --json and the report have every metric.
_COLUMNS = {
    "dice": "Dice",
    "surface_dice": "surface",
    "hausdorff_95_mm": "HD95 mm",
    "mean_surface_distance_mm": "MSD mm",
    "volume_error_percent": "vol. %",
}


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="A label file, a folder of them, or a CSV of `classify`.")
    ],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The same, as it should be; paired by file name.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new folder for the report.")] = None,
    tolerance: Annotated[float, typer.Option(help="Of the surface Dice, in mm.")] = 1.0,
    labels: Annotated[str, typer.Option(help="Compare these values alone, e.g. 1,2,5.")] = "",
    names: Annotated[str, typer.Option(help="Names, e.g. 1=Liver,2=Spleen, or an nnU-Net dataset.json.")] = "",
    ignore: Annotated[int | None, typer.Option(help="Voxels of this value in the truth are not known.")] = None,
    cases: Annotated[
        Path | None, typer.Option(help="CSV: one row a case, one column a structure, 0 where it was not annotated.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The images, for the pictures in the report.")] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Take predictions on another grid to the truth's.")
    ] = False,
    only_predicted: Annotated[
        bool, typer.Option("--only-predicted", help="Leave out what has no prediction; else it counts as missed.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Cases compared at a time.")] = 1,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Measure label maps, or a table of classes, against the truth: by case and label, with a report."""
    from napari_resmed.review.class_table import is_class_table

    if is_class_table(predictions):
        _evaluate_classes(predictions, truth, out, as_json)
        return
    with loading.whole():
        from napari_resmed.jobs.evaluate import evaluate as job  # brings scipy, which other commands do without

    found = run(
        job(
            predictions,
            truth,
            report=out,
            tolerance_mm=tolerance,
            labels=_values(labels),
            names=_names(names),
            ignore=ignore,
            annotated=cases,
            images=images,
            resample=resample,
            only_predicted=only_predicted,
            processes=jobs,
        )
    )
    document = found.to_json()
    if as_json:
        print_json(document)
    else:
        print_table(("value", "label", *_COLUMNS.values(), "cases", "missed", "false"), _rows(document))
    if out is not None:
        messages.print(f"Wrote {out / 'report.html'}", markup=False)
    if found.failed:
        total = len(found.failed) + len(found.cases)
        raise InputError(f"{len(found.failed)} of {total} cases could not be compared; the others are done")


def _evaluate_classes(predictions: Path, truth: Path, out: Path | None, as_json: bool) -> None:
    from napari_resmed.jobs.evaluate_classes import evaluate_classes
    from napari_resmed.review.class_scores import CLASS_FIGURES

    found = run(evaluate_classes(predictions, truth, report=out))
    if as_json:
        print_json(found.to_json())
    else:
        rows = [[of.name, of.cases, *(_three(of.figures[key]) for key in CLASS_FIGURES)] for of in found.classes]
        mean = ["mean", len(found.answers.names), *(_three(found.mean[key]) for key in CLASS_FIGURES)]
        print_table(("class", "cases", *CLASS_FIGURES.values()), [*rows, mean])
        for key in ("accuracy", "balanced_accuracy", "calibration_error"):
            between = found.intervals[key]
            told = "" if between is None else f" ({between[0]:.3f} to {between[1]:.3f})"
            messages.print(f"{key.replace('_', ' ')}: {_three(found.mean[key])}{told}", markup=False)
    if out is not None:
        messages.print(f"Wrote {out / 'report.html'}", markup=False)


def _three(figure: float | None) -> float | str:
    return "–" if figure is None else round(figure, 3)


def _rows(document: dict[str, Any]) -> list[list[Any]]:
    rows = [
        [
            label["value"],
            label["name"],
            *(_shown(key, label["mean"][key]) for key in _COLUMNS),
            label["cases"]["dice"],
            label["missed"],
            label["false_alarms"],
        ]
        for label in document["labels"]
    ]
    return [*rows, ["", "mean", *(_shown(key, document["mean"][key]) for key in _COLUMNS), "", "", ""]]


def _shown(key: str, figure: float | None) -> float | str:
    if figure is None:
        return "–"
    return round(figure, 3 if key.endswith("dice") else 2 if key.endswith("mm") else 1)


def _values(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as problem:
        raise InputError(f"--labels is {text!r}, expected values with commas between, e.g. 1,2,5") from problem


def _names(text: str) -> dict[int, str]:
    """``1=Liver,2=Spleen``, or the ``labels`` of an nnU-Net or MSD ``dataset.json``."""
    if not text:
        return {}
    if text.lower().endswith(".json"):
        return _names_of_dataset(Path(text))
    try:
        pairs = (part.split("=", 1) for part in text.split(",") if part.strip())
        return {int(value): name.strip() for value, name in pairs}
    except ValueError as problem:
        raise InputError(f"--names is {text!r}, expected value=name with commas between") from problem


def _names_of_dataset(path: Path) -> dict[int, str]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        # nnU-Net writes name: value, the Decathlon value: name; regions, lists of values, are no single label.
        pairs = (
            (int(key), str(entry)) if key.isdecimal() else (entry, key)
            for key, entry in labels.items()
            if not isinstance(entry, list)
        )
        return {int(value): name for value, name in pairs if name not in ("background", "ignore") and int(value) > 0}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} names no labels, expected the dataset.json of nnU-Net or the Decathlon") from problem
