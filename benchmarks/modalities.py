"""Do two modalities, of which one is missing at times, tell more than either alone?

In each a disc is a little larger where the class is the second one, with a spread of its own, so that either hints and
both together hint better. Of two cases in five one of the two is not there. Trained by the Train job as it plans for
one minute, on both, and on each alone with the cases that have it; so many steps and not a minute, so that a busy
machine learns as much. The area under the ROC curve is that on cases that nobody saw before, of which as many lack
one. ``python -m benchmarks.modalities [STEPS]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
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


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 450
    changes = {"minutes": None, "steps": steps}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        there = [make(folder, number) for number in range(LEARNT + UNSEEN)]
        areas = {}
        for name, kept in {"both": (0, 1), NAMES[0]: (0,), NAMES[1]: (1,)}.items():
            own = [number for number, has in enumerate(there) if any(has[place] for place in kept)]
            learnt = table(folder, f"learn-{name}.csv", [n for n in own if n < LEARNT], there, kept)
            unseen = [number for number in own if number >= LEARNT]
            begin = time.perf_counter()
            done = finish(train(learnt, folder / name, task="classify", minutes=1, plan=changes))
            answers = finish(classify(cases(folder, name, unseen, there, kept), done.model))
            shares = np.array([said.probabilities["ill"] for said in answers.images])
            truth = np.array([number % 2 == 1 for number in unseen])
            areas[name] = area_under_roc(truth, shares) or 0.0
            print(
                f"{name:6s} AUC {areas[name]:.3f}   {len(unseen)} unseen cases; {done.plan['network']}, "
                f"{done.history[-1]['step']} steps, {(time.perf_counter() - begin) / 60:.1f} min",
                flush=True,
            )
            if name == "both":
                whole = np.array([all(there[number]) for number in unseen])
                parts = [area_under_roc(truth[of], shares[of]) or 0.0 for of in (whole, ~whole)]
                print(f"       {parts[0]:.3f} of those that have both, {parts[1]:.3f} of those that have one")
        alone = max(areas[name] for name in NAMES)
        print(f"both, one missing at times, over the better alone: {areas['both'] / alone:.3f}")


def make(folder: Path, number: int) -> tuple[bool, bool]:
    """Write a case; which of the two it has."""
    rng = np.random.default_rng(number)
    lot = rng.random()
    rows, columns = np.mgrid[:EDGE, :EDGE]
    for name in NAMES:
        middle = EDGE / 2 + rng.uniform(-3, 3, 2)
        radius = 5.5 + number % 2 + rng.normal()
        image = rng.normal(60, 15, (1, EDGE, EDGE))
        image[0, (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2] += 80
        write(Volume(image.clip(0, 255).astype(np.uint8), np.eye(4)), folder / f"{name}{number}.nii.gz")
    return lot >= MISSING, lot <= 1 - MISSING


def table(folder: Path, name: str, numbers: list[int], there: list[tuple[bool, bool]], kept: tuple[int, ...]) -> Path:
    columns = [NAMES[place] for place in kept] if len(kept) > 1 else ["path"]
    lines = [",".join([*columns, "class", "case"])]
    for number in numbers:
        files = [f"{NAMES[place]}{number}.nii.gz" if there[number][place] else "" for place in kept]
        lines.append(",".join([*files, ("well", "ill")[number % 2], f"case{number}"]))
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def cases(
    folder: Path, name: str, numbers: list[int], there: list[tuple[bool, bool]], kept: tuple[int, ...]
) -> list[Case]:
    channels = tuple(NAMES[place] for place in kept)
    return read_unlabelled(table(folder, f"ask-{name}.csv", numbers, there, kept), channels)


if __name__ == "__main__":
    main()
