"""Do two modalities, of which one is missing at times, tell more than either alone?

Of the cases that are ill a third shows a spot in the first modality only, a third in the second only, a third in both:
whoever sees one alone misses a third of them, so that its area under the ROC curve is 0.83 at best, 1.00 if both are
there, and about 0.93 if of two cases in five one of them is not. ``sizes`` asks what is harder: in each modality a disc
is a little larger where the case is ill, with a spread of its own, so that either alone gives 0.76 at best and both,
missing as often, 0.81. Trained by the Train job as it plans for one minute, on both, and on each alone with the cases
that have it; so many steps and not a minute, so that a busy machine learns as much. The figures are those of cases that
nobody saw before, of which as many lack one. ``python -m benchmarks.modalities [spots] [sizes] [STEPS]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.shared import finish
from napari_resmed.case import Case
from napari_resmed.io import write
from napari_resmed.io.datasets.classes.table import read_unlabelled
from napari_resmed.jobs.classify import classify
from napari_resmed.jobs.train import train
from napari_resmed.review.ranking import area_under_roc
from napari_resmed.volume import Volume

LEARNT, UNSEEN, EDGE = 600, 800, 24
NAMES = ("T1", "FLAIR")
# Share of the cases that lack the first, and of those that lack the second.
MISSING = 0.2

Image = np.ndarray


def main() -> None:
    steps = [int(word) for word in sys.argv[1:] if word.isdigit()]
    for kind in [word for word in sys.argv[1:] if word in KINDS] or ["spots"]:
        measure(kind, steps[0] if steps else 450)


def measure(kind: str, steps: int) -> None:
    changes = {"minutes": None, "steps": steps}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        there = [make(folder, number, KINDS[kind]) for number in range(LEARNT + UNSEEN)]
        areas = {}
        for name, kept in {"both": (0, 1), NAMES[0]: (0,), NAMES[1]: (1,)}.items():
            own = [number for number, has in enumerate(there) if any(has[place] for place in kept)]
            learnt = table(folder, f"learn-{name}.csv", [n for n in own if n < LEARNT], there, kept)
            unseen = [number for number in own if number >= LEARNT]
            begin = time.perf_counter()
            done = finish(train(learnt, folder / name, task="classify", minutes=1, plan=changes))
            answers = finish(classify(cases(folder, name, unseen, there, kept), done.model))
            shares = np.array([said.probabilities["ill"] for said in answers.images])
            truth = np.array([is_ill(number) for number in unseen])
            areas[name] = area_under_roc(truth, shares) or 0.0
            print(
                f"{kind} {name:6s} AUC {areas[name]:.3f}   {len(unseen)} unseen cases; {done.plan['network']}, "
                f"{done.history[-1]['step']} steps, {(time.perf_counter() - begin) / 60:.1f} min",
                flush=True,
            )
            if name == "both":
                whole = np.array([all(there[number]) for number in unseen])
                parts = [area_under_roc(truth[of], shares[of]) or 0.0 for of in (whole, ~whole)]
                print(f"       {parts[0]:.3f} of those that have both, {parts[1]:.3f} of those that have one")
        alone = max(areas[name] for name in NAMES)
        ratio = areas["both"] / alone
        print(f"{kind}: both, one missing at times, over the better alone: {ratio:.3f}   (goal: above 1)")


def is_ill(number: int) -> bool:
    return number % 2 == 1


def make(folder: Path, number: int, draw: Callable[[int, int, np.random.Generator], Image]) -> tuple[bool, bool]:
    """Write a case; which of the two it has."""
    rng = np.random.default_rng(number)
    lot = rng.random()
    for place, name in enumerate(NAMES):
        image = rng.normal(60, 15, (1, EDGE, EDGE))
        image[0] += draw(number, place, rng)
        write(Volume(image.clip(0, 255).astype(np.uint8), np.eye(4)), folder / f"{name}{number}.nii.gz")
    return lot >= MISSING, lot <= 1 - MISSING


def spots(number: int, place: int, rng: np.random.Generator) -> Image:
    """A spot anywhere where the case is ill and this modality shows it; some haze in any case."""
    shows = (0, 1, None)[number // 2 % 3] in (place, None)
    haze = disc(rng.uniform(6, 18, 2), rng.uniform(5, 8))
    return 25 * haze + (70 * disc(rng.uniform(4, EDGE - 4, 2), 3) if is_ill(number) and shows else 0)


def sizes(number: int, place: int, rng: np.random.Generator) -> Image:
    """A disc, larger where the case is ill by as much as its size is spread."""
    return 80 * disc(EDGE / 2 + rng.uniform(-3, 3, 2), 5.5 + is_ill(number) + rng.normal())


KINDS = {"spots": spots, "sizes": sizes}


def disc(middle: Image, radius: float) -> Image:
    rows, columns = np.mgrid[:EDGE, :EDGE]
    return ((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2).astype(float)


def table(folder: Path, name: str, numbers: list[int], there: list[tuple[bool, bool]], kept: tuple[int, ...]) -> Path:
    columns = [NAMES[place] for place in kept] if len(kept) > 1 else ["path"]
    lines = [",".join([*columns, "class", "case"])]
    for number in numbers:
        files = [f"{NAMES[place]}{number}.nii.gz" if there[number][place] else "" for place in kept]
        lines.append(",".join([*files, "ill" if is_ill(number) else "well", f"case{number}"]))
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def cases(
    folder: Path, name: str, numbers: list[int], there: list[tuple[bool, bool]], kept: tuple[int, ...]
) -> list[Case]:
    channels = tuple(NAMES[place] for place in kept)
    return read_unlabelled(table(folder, f"ask-{name}.csv", numbers, there, kept), channels)


if __name__ == "__main__":
    main()
