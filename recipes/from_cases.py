"""From cases with labels to a built-in model: cross-validated, trained on everything, written with its card."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import math
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
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
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.review.pictures import picture
from napari_resmed.review.scores import CaseScores, Evaluation, Statistics
from napari_resmed.train.fingerprint import fingerprint, usable
from napari_resmed.volume import Volume
from recipes import overlap
from recipes.asked import agree
from recipes.cross_validation import MADE_ON, PREDICTED, cross_validate, mirrored, parts_of, run, train_on
from recipes.speed import speed
from recipes.stored_weights import stored_weights

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
    channels:
        What an image is, as of :class:`napari_resmed.models.model.Model`: ``("MR",)``, ``("CT",)``.
    minutes, folds:
        Of training, for each part and for the model itself; number of parts.
    plan:
        Decisions of the plan that are made here and not from the data.
    found_by:
        How the model finds its part in a larger image; None where it is given the whole.
    changelog:
        What each version brought, the newest first.
    """

    name: str
    here: Path
    description: str
    labels: LabelSet
    channels: tuple[str, ...]
    minutes: float
    folds: int = 5
    plan: Mapping[str, Any] = field(default_factory=dict)
    found_by: FoundBy | None = None
    changelog: Mapping[str, str] = field(default_factory=lambda: {"0.1.0": "first version"})


def main(recipe: Recipe, words: Sequence[str] | None = None) -> None:
    """The command line of a recipe; ``words`` instead of the process' own."""
    parser = argparse.ArgumentParser(description=recipe.description)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--out", type=Path, default=BUILT_IN / recipe.name, help="the model folder")
    parser.add_argument("--minutes", type=float, default=recipe.minutes, help="for each part and for the model itself")
    parser.add_argument("--folds", type=int, default=recipe.folds)
    parser.add_argument(
        "--only", type=int, nargs="*", default=[], help="parts to do now, from 1; 0 is the model itself"
    )
    parser.add_argument("--at-once", type=int, default=1, help="trainings side by side, which share the CPU's cores")
    parser.add_argument("--seed", type=int, default=0)
    words = sys.argv[1:] if words is None else words
    chosen = parser.parse_args(words)
    if strange := [part for part in chosen.only if not 0 <= part <= chosen.folds]:
        parser.error(f"--only {strange[0]}: expected 1 to {chosen.folds}, or 0")
    if chosen.at_once > 1 and chosen.only:
        parser.error("--at-once shares all parts out by itself, and goes with no --only")
    if chosen.at_once > 1:
        _side_by_side(recipe, words, chosen)
    dataset, notes = read_dataset(chosen.data)
    for note in notes:
        print(note)
    facts = run(fingerprint(dataset))
    for left in facts.left_out:
        print(f"{left.case} is left out: {left.reason}")
    dataset = usable(dataset, facts)
    if dataset.labels.values != recipe.labels.values:
        raise ValueError(f"{chosen.data} has the values {dataset.labels.values}, expected {recipe.labels.values}")
    dataset = replace(dataset, labels=recipe.labels)
    data = {"cases": [case.name for case in dataset.cases], **_digest(dataset)}
    asked = {name: getattr(chosen, name) for name in ("folds", "minutes", "seed")}
    agree(chosen.work, {**asked, "plan": dict(recipe.plan), "data": data})
    itself = partial(train_on, dataset, dataset.cases, chosen.work / "all" / recipe.name)
    if 0 in chosen.only:
        itself(chosen.minutes, chosen.seed, recipe.plan)
    if chosen.only == [0]:
        return
    parts = parts_of(dataset.cases, chosen.folds, facts.same_images)
    found = cross_validate(
        dataset,
        chosen.work,
        name=recipe.name,
        parts=parts,
        minutes=chosen.minutes,
        seed=chosen.seed,
        plan=recipe.plan,
        only=[number - 1 for number in chosen.only if number],
    )
    if found is None or chosen.only:
        print("nothing is written yet: that takes the same command without --only")
        return
    flipped = mirrored(dataset, chosen.work, name=recipe.name, parts=parts)
    trained = itself(chosen.minutes, chosen.seed, recipe.plan)
    largest = max(facts.cases, key=lambda case: math.prod(case.grid_shape)).name
    model = publish(recipe, dataset, parts, found, flipped, trained, chosen, largest)
    print(f"{model.name}: mean Dice {found.mean['dice']:.3f} in {chosen.folds}-fold cross-validation")


def _side_by_side(recipe: Recipe, words: Sequence[str], chosen: argparse.Namespace) -> None:
    """All trainings, several at a time, each in a process of its own with its share of the cores.

    Small networks learn faster so than one after the other with all cores.
    """
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // chosen.at_once)
    with ProcessPoolExecutor(chosen.at_once, spawn, torch.set_num_threads, (threads,)) as pool:
        parts = [*range(1, chosen.folds + 1), 0]
        for done in [pool.submit(main, recipe, [*words, "--at-once", "1", "--only", str(part)]) for part in parts]:
            done.result()


def publish(
    recipe: Recipe,
    dataset: Dataset,
    parts: Mapping[str, int],
    found: Evaluation,
    flipped: Evaluation | None,
    trained: Path,
    chosen: argparse.Namespace,
    largest: str,
) -> Model:
    """Write the model folder: weights in half precision, figures, card, pictures of the worst cases.

    Parameters
    ----------
    recipe, dataset, parts:
        What was made, of what, and the part of each case.
    found:
        Every case, judged by a network that never saw it.
    flipped:
        The same with mirrored passes, where the model can be asked for them.
    trained:
        The folder of the model of all.
    chosen:
        What was asked for.
    largest:
        Name of the case that takes longest.
    """
    whole = torch.load(trained / WEIGHTS, weights_only=True)
    weights = stored_weights(whole)
    command = (
        f"python -m recipes.{recipe.here.name} --data DATA --work WORK "
        f"--minutes {chosen.minutes:g} --folds {chosen.folds} --seed {chosen.seed}"
    )
    command += f" --at-once {chosen.at_once}" if chosen.at_once > 1 else ""
    model = load_model(trained)
    training = {
        "command": command,
        "seed": chosen.seed,
        "device": (trained.parent / MADE_ON).read_text(encoding="utf-8"),
        "data": _digest(dataset),
        **dict(model.training),
    }
    model = replace(
        model,
        version=next(iter(recipe.changelog)),
        labels=recipe.labels,
        channels=recipe.channels,
        description=recipe.description,
        training=training,
        found_by=recipe.found_by,
    )
    licence = (recipe.here / "licence.txt").read_text(encoding="utf-8")
    # Its speed and its answers need a folder; the one that ships is written once, with all that is known.
    draft = save_model(model, weights, chosen.work / "draft" / recipe.name, card=f"# {model.name}\n", licence=licence)
    of_name = {case.name: case for case in dataset.cases}
    measured = {
        "cross-validation": {
            "cases": len(found.cases),
            "folds": chosen.folds,
            "mean_dice": round(float(found.mean["dice"] or 0), 4),
            "mean_dice_mirrored": round(float(flipped.mean["dice"] or 0), 4) if flipped is not None else None,
            "structures": {label.name: _spread(label.statistics["dice"]) for label in found.labels},
        },
        "speed": speed(Path(str(of_name[largest].images[0])), str(draft.folder)),
        "check": check(draft, dataset),
    }
    model = replace(model, measured=measured)
    pictures = list(_worst(found, dataset, chosen.work / PREDICTED))
    card = _card(recipe, model, found, flipped, f"{chosen.minutes:g}", [name for name, _ in pictures])
    files = {Path("docs") / f"worst{number}.png": png for number, (_, png) in enumerate(pictures, 1)}
    files[Path("docs") / "cases.csv"] = _every_case(found, dataset, parts)
    return save_model(model, weights, chosen.out, card=card, licence=licence, changelog=recipe.changelog, files=files)


def check(model: Model, dataset: Dataset) -> dict[str, Any]:
    """What these very weights say of one small case, by which it can be told that they are still these.

    It is one that they were trained on: no figure of how good they are.
    """
    case = min(dataset.cases, key=_size)
    true = read(Path(str(case.labels))).data
    found = run(segment(_image(case), str(model.folder), device="cpu", precision="fp32")).labels.data
    looked_for = dataset.labels.values if case.annotated is None else case.annotated
    scores = {value: overlap.dice(found == value, true == value) for value in looked_for}
    return {
        "case": case.name,
        "image_sha256": hashlib.sha256(Path(str(case.images[0])).read_bytes()).hexdigest(),
        "dice": {str(value): round(dice, 4) for value, dice in scores.items() if not math.isnan(dice)},
    }


def _size(case: Case) -> int:
    return Path(str(case.images[0])).stat().st_size


def _spread(dice: Statistics) -> dict[str, float | int | None]:
    figures = {"cases": dice.cases, "mean": dice.mean, "sd": dice.std, "worst": dice.min}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def _digest(dataset: Dataset) -> dict[str, Any]:
    """What was learnt from: how many cases, and one digest over the files in order."""
    digest = hashlib.sha256()
    for case in dataset.cases:
        for path in (case.images[0], case.labels):
            digest.update(Path(str(path)).read_bytes())
    return {"count": len(dataset.cases), "sha256": digest.hexdigest()}


def _every_case(found: Evaluation, dataset: Dataset, parts: Mapping[str, int]) -> bytes:
    """A table of every case by name, the part it was kept out of, and Dice of its structures."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("case", "part", *(label.name for label in dataset.labels)))
    for case in found.cases:
        dice = {score.value: score.figure("dice") for score in case.labels}
        figures = (dice.get(value) for value in dataset.labels.values)
        name = case.name.removesuffix(".nii.gz")
        rows.writerow((name, 1 + parts[name], *("" if figure is None else f"{figure:.3f}" for figure in figures)))
    return text.getvalue().encode()


def _worst(found: Evaluation, dataset: Dataset, predicted: Path) -> Iterator[tuple[str, bytes]]:
    """The worst cases in words and as pictures."""
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
            f"{known.name}: mean Dice {dice(case):.3f}; worst {names[worst.value]}, {worst.figure('dice'):.3f} "
            f"(shown: {shown.plane} slice {shown.slice} of {shown.slices})",
            shown.png,
        )


def _image(case: Case) -> Volume:
    return read(Path(str(case.images[0])))


def _card(
    recipe: Recipe, model: Model, found: Evaluation, flipped: Evaluation | None, minutes: str, worst: list[str]
) -> str:
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
        folds=model.measured["cross-validation"]["folds"],
        mean=f"{found.mean['dice']:.3f}",
        mean_mirrored="not measured" if flipped is None else f"{flipped.mean['dice']:.3f}",
        rows="\n".join(rows),
        failures=failures,
        command=model.training["command"],
        minutes=minutes,
        device=model.training["device"],
        learnt=model.training["plan"]["training"],
        held_out=model.training["plan"]["held_out"],
        check_case=model.measured["check"]["case"],
        check_dice=", ".join(f"{dice:.4f}" for dice in model.measured["check"]["dice"].values()),
        **{f"speed_{name}": value for name, value in model.measured["speed"].items()},
        spacing=" × ".join(f"{mm:g}" for mm in model.preparation.spacing_mm),
        patch=" × ".join(map(str, model.patch)),
    )
