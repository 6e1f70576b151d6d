"""How far do a few strokes go? (better than a random forest and a random walker after 1, 3, 5 and 10 strokes a class)

A simulated user paints one stroke for every class, looks at the answer, paints another where it is worst, and so on;
each method gets its own user, who follows the same rules. Peers: a random forest on the same filter responses
(scikit-learn; what ilastik does) and scikit-image's random walker. Printed: Dice per structure, and the seconds a
stroke costs. ``learned`` is ours with the features of a network beside the filters, ``guessing`` ours that is not told
the background. ``python -m benchmarks.scribble [CASE...] [--only ours,forest,walker] [--people 3]``, hours with both.
The first person is exact, further ones begin elsewhere: see ``scribble_user``.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.scribble_cases import CASES, Case
from benchmarks.scribble_learned import learned
from benchmarks.scribble_user import STEADY, first_strokes, next_strokes
from benchmarks.shared import finish
from napari_resmed.jobs.scribble import look_at, scribble
from napari_resmed.scribble.cache import features_of, key_of
from napari_resmed.volume import Volume

STROKES = (1, 3, 5, 10)
TREES = 100
# scikit-image's own default, and the tolerance it recommends for its fastest solver.
BETA, TOLERANCE = 130, 1e-3

Method = Callable[[Case, NDArray[np.uint8]], NDArray]


def ours(case: Case, painted: NDArray[np.uint8]) -> NDArray:
    done = finish(
        scribble(
            case.image,
            Volume(painted, case.image.affine),
            background=case.background,
            unsure=False,
            check=False,
        )
    )
    return done.labels.data


def guessing(case: Case, painted: NDArray[np.uint8]) -> NDArray:
    """Ours, not told which class is the background."""
    return finish(scribble(case.image, Volume(painted, case.image.affine), unsure=False, check=False)).labels.data


def forest(case: Case, painted: NDArray[np.uint8]) -> NDArray:
    from sklearn.ensemble import RandomForestClassifier

    features = features_of(case.image, key_of(case.image))
    # Turned to Superior, Posterior, Left as ours is, and back.
    learnt = features.grid.take(painted)
    flat = features.responses.flatten(1).T.float().numpy()
    there = np.flatnonzero(learnt.ravel())
    trees = RandomForestClassifier(TREES, class_weight="balanced", random_state=0)
    trees.fit(flat[there], learnt.ravel()[there])
    found = features.grid.put_back(trees.predict(flat).reshape(learnt.shape))
    return np.where(painted > 0, painted, found)


def walker(case: Case, painted: NDArray[np.uint8]) -> NDArray:
    from skimage.segmentation import random_walker

    low, high = np.percentile(case.image.data, [0.5, 99.5])
    unit = np.clip((case.image.data.astype(np.float64) - low) / (high - low), 0, 1)
    return random_walker(
        unit, painted.astype(np.int32), beta=BETA, mode="cg_mg", tol=TOLERANCE, spacing=case.image.spacing_mm
    )


METHODS: dict[str, Method] = {
    "ours": ours,
    "guessing": guessing,
    "learned": learned,
    "all learned": partial(learned, components=0),
    "forest": forest,
    "walker": walker,
}


def play(case: Case, method: Method, person: int = 0) -> tuple[list[NDArray[np.float64]], float]:
    """Dice per structure after each of :data:`STROKES`, and the mean seconds of an answer."""
    painted = first_strokes(case.truth, STEADY * person)
    figures, spent = [], []
    for number in range(1, max(STROKES) + 1):
        begin = time.perf_counter()
        found = method(case, painted)
        spent.append(time.perf_counter() - begin)
        if number in STROKES:
            figures.append(dice(found, case.truth, len(case.structures)))
        painted = next_strokes(painted, case.truth, found, STEADY * person + number)
    return figures, float(np.mean(spent))


def dice(found: NDArray, truth: NDArray, count: int) -> NDArray[np.float64]:
    both = [(found == value, truth == value) for value in range(1, count + 1)]
    return np.array([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in both])


def main() -> None:
    warnings.filterwarnings("ignore", module="skimage")
    words = sys.argv[1:]
    only = words[words.index("--only") + 1].split(",") if "--only" in words else ["ours", "forest", "walker"]
    people = int(words[words.index("--people") + 1]) if "--people" in words else 1
    names = [word for word in words if word in CASES] or list(CASES)
    means: dict[str, list[NDArray[np.float64]]] = {name: [] for name in only}
    for name in names:
        case = CASES[name]()
        begin = time.perf_counter()
        finish(look_at(case.image))
        shape = "×".join(map(str, case.image.shape))
        print(f"{case.name}, {shape}, features {time.perf_counter() - begin:.1f} s", flush=True)
        for which in only:
            played = [play(case, METHODS[which], person) for person in range(people)]
            every = np.array([figures for figures, _ in played])  # person, strokes, structure
            figures = every.mean(0)
            means[which].append(figures.mean(1))
            spread = f"  sd {_row(every.mean(2).std(0))}" if people > 1 else ""
            print(
                f"  {which:9s} {_row(means[which][-1])}{spread}   {np.mean([one for _, one in played]):.2f} s a stroke"
            )
            for number, structure in enumerate(case.structures):
                print(f"      {structure:18s} {_row(figures[:, number])}", flush=True)
    print(f"mean Dice of {len(names)} cases after {', '.join(map(str, STROKES))} strokes a class")
    for which in only:
        print(f"  {which:9s} {_row(np.mean(means[which], 0))}")
    if "ours" in only:
        for which in only:
            if which not in ("ours", "guessing"):
                print(
                    f"  ours / {which:7s} {_row(np.mean(means['ours'], 0) / np.mean(means[which], 0))}   (more than 1)"
                )


def _row(figures: NDArray[np.float64]) -> str:
    return " ".join(f"{figure:.3f}" for figure in figures)


if __name__ == "__main__":
    main()
