"""From cases with labels to a built-in model: cross-validated, trained on everything, written with its card."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_resmed.case import Case, Dataset
from napari_resmed.io import read
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import LabelSet
from napari_resmed.models.catalogue import BUILT_IN
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.review.pictures import picture
from napari_resmed.review.scores import CaseScores, Evaluation, Statistics
from napari_resmed.train.fingerprint import fingerprint, usable
from napari_resmed.volume import Volume
from recipes import overlap
from recipes.cross_validation import cross_validate, run, train_on

__all__ = ["Recipe", "check", "main"]

# Cases shown in the card, from the worst on.
SHOWN = 3


@dataclass(frozen=True)
class Recipe:
    """What one model is made of.

    Parameters
    ----------
    name:
        Of the model.
    here:
        The recipe's folder, where ``card.md`` and ``licence.txt`` lie.
    description:
        One line, for lists.
    labels:
        The structures with their codes, by the values of the data.
    minutes, folds:
        Of training, for each part and for the model itself; number of parts.
    plan:
        Decisions of the plan that are made here and not from the data.
    """

    name: str
    here: Path
    description: str
    labels: LabelSet
    minutes: float
    folds: int = 5
    plan: Mapping[str, Any] = field(default_factory=dict)


def main(recipe: Recipe, words: Sequence[str] | None = None) -> None:
    """The command line of a recipe; ``words`` instead of the process' own."""
    parser = argparse.ArgumentParser(description=recipe.description)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--out", type=Path, default=BUILT_IN / recipe.name, help="the model folder")
    parser.add_argument("--minutes", type=float, default=recipe.minutes, help="for each part and for the model itself")
    parser.add_argument("--folds", type=int, default=recipe.folds)
    parser.add_argument("--only", type=int, nargs="*", default=[], help="parts to do now, from 1; nothing is written")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(words)
    dataset, notes = read_dataset(chosen.data)
    for note in notes:
        print(note)
    facts = run(fingerprint(dataset))
    for left in facts.left_out:
        print(f"{left.case} is left out: {left.reason}")
    dataset = usable(dataset, facts)
    found = cross_validate(
        dataset,
        chosen.work,
        name=recipe.name,
        folds=chosen.folds,
        minutes=chosen.minutes,
        seed=chosen.seed,
        plan=recipe.plan,
        only=[number - 1 for number in chosen.only],
    )
    if found is None:
        print("parts are missing: nothing is written yet")
        return
    trained = train_on(
        dataset, dataset.cases, chosen.work / "all" / recipe.name, chosen.minutes, chosen.seed, recipe.plan
    )
    model = publish(recipe, dataset, found, trained, chosen)
    print(f"{model.name}: mean Dice {found.mean['dice']:.3f} in {chosen.folds}-fold cross-validation")


def publish(recipe: Recipe, dataset: Dataset, found: Evaluation, trained: Path, chosen: argparse.Namespace) -> Model:
    """Write the model folder: weights in half precision, figures, card, pictures of the worst cases."""
    model = load_model(trained)
    whole = torch.load(trained / WEIGHTS, weights_only=True)
    weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in whole.items()}
    command = f"python -m recipes.{recipe.here.name} --data DATA --work WORK --minutes {chosen.minutes:g}"
    measured = {
        "cross-validation": {
            "cases": len(found.cases),
            "folds": chosen.folds,
            "mean_dice": round(float(found.mean["dice"] or 0), 4),
            "structures": {label.name: _spread(label.statistics["dice"]) for label in found.labels},
        }
    }
    training = {"command": command, "seed": chosen.seed, "data": _digest(dataset), **dict(model.training)}
    model = replace(model, labels=recipe.labels, description=recipe.description, measured=measured, training=training)
    pictures = list(_worst(found, dataset, chosen.work / "predicted"))
    card = _card(recipe, model, found, chosen.minutes, [name for name, _ in pictures], command)
    files = {Path("docs") / f"worst{number}.png": png for number, (_, png) in enumerate(pictures, 1)}
    licence = (recipe.here / "licence.txt").read_text(encoding="utf-8")
    saved = save_model(model, weights, chosen.out, card=card, licence=licence, files=files)
    model = replace(saved, measured={**measured, "check": check(saved, dataset)})
    return save_model(model, weights, chosen.out, card=card, licence=licence, files=files)


def check(model: Model, dataset: Dataset) -> dict[str, Any]:
    """What these very weights say of one small case, by which it can be told that they are still these.

    It is one that they were trained on: no figure of how good they are.
    """
    case = min(dataset.cases, key=lambda case: Path(str(case.images[0])).stat().st_size)
    true = read(Path(str(case.labels))).data
    found = run(segment(_image(case), str(model.folder), device="cpu", precision="fp32")).labels.data
    looked_for = dataset.labels.values if case.annotated is None else case.annotated
    return {
        "image_sha256": hashlib.sha256(Path(str(case.images[0])).read_bytes()).hexdigest(),
        "dice": {str(value): round(overlap.dice(found == value, true == value), 4) for value in looked_for},
    }


def _spread(dice: Statistics) -> dict[str, float | int | None]:
    figures = {"cases": dice.cases, "mean": dice.mean, "sd": dice.std, "worst": dice.min}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def _digest(dataset: Dataset) -> dict[str, Any]:
    """What was learnt from, without a case's name: how many, and one digest over the files in order."""
    digest = hashlib.sha256()
    for case in dataset.cases:
        for path in (case.images[0], case.labels):
            digest.update(Path(str(path)).read_bytes())
    return {"cases": len(dataset.cases), "sha256": digest.hexdigest()}


def _worst(found: Evaluation, dataset: Dataset, predicted: Path) -> Iterator[tuple[str, bytes]]:
    """The worst cases in words and as pictures, no name of a case in either."""
    by_name = {case.name: case for case in dataset.cases}
    names = {label.value: label.name for label in found.labels}

    def dice(case: CaseScores) -> float:
        return case.mean("dice") or 0.0

    for case in sorted(found.cases, key=dice)[:SHOWN]:
        known = by_name[case.name.removesuffix(".nii.gz")]
        true, mine = read(Path(str(known.labels))), read(predicted / f"{known.name}.nii.gz")
        judged = [score for score in case.labels if score.figure("dice") is not None]
        keep = [score.value for score in judged]
        shown = picture(
            true.data * np.isin(true.data, keep), mine.data * np.isin(mine.data, keep), true.affine, _image(known)
        )
        worst = min(judged, key=lambda score: score.figure("dice") or 0.0)
        yield (
            f"mean Dice {dice(case):.3f}; worst {names[worst.value]}, {worst.figure('dice'):.3f} "
            f"({shown.plane} slice {shown.slice} of {shown.slices})",
            shown.png,
        )


def _image(case: Case) -> Volume:
    return read(Path(str(case.images[0])))


def _card(recipe: Recipe, model: Model, found: Evaluation, minutes: float, worst: list[str], command: str) -> str:
    text = (recipe.here / "card.md").read_text(encoding="utf-8")
    rows = []
    for label in found.labels:
        dice = label.statistics["dice"]
        code = recipe.labels[label.value].code
        spread = "not measured" if dice.mean is None else f"{dice.mean:.3f} ± {dice.std or 0:.3f}, worst {dice.min:.3f}"
        rows.append(f"| {label.value} | {label.name} | {dice.cases} | {spread} | {code.value if code else 'none'} |")
    failures = "\n\n".join(
        f"![{words}](worst{number}.png)\n\n{number}. {words}" for number, words in enumerate(worst, 1)
    )
    return text.format(
        version=model.version,
        cases=len(found.cases),
        mean=f"{found.mean['dice']:.3f}",
        rows="\n".join(rows),
        failures=failures,
        command=command,
        minutes=f"{minutes:g}",
        spacing=" × ".join(f"{mm:g}" for mm in model.preparation.spacing_mm),
        patch=" × ".join(map(str, model.patch)),
    )
