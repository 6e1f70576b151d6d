"""What does looking for better hyper-parameters gain? (and what, where those that were planned are wrong)

Discs in noise are told from rings, trained by the Train job with and without a search: as planned, and with a learning
rate that is thirty times too small, as a person may have set it. The trainings have the same few steps; a search has
its own time besides. The area under the ROC curve is that of pictures which nobody saw before.
``python -m benchmarks.search [MINUTES] [steps=N]``, minutes of each search.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared import finish
from napari_resmed.io import write
from napari_resmed.jobs.classify import classify
from napari_resmed.jobs.train import train
from napari_resmed.review.ranking import area_under_roc
from napari_resmed.volume import Volume

LEARNT, UNSEEN, EDGE = 240, 400, 24
STARTS: dict[str, dict[str, Any]] = {"as planned": {}, "a rate too small": {"learning_rate": 3e-5}}


def main() -> None:
    minutes = next((float(word) for word in sys.argv[1:] if "=" not in word), 3.0)
    steps = next((int(word.removeprefix("steps=")) for word in sys.argv[1:] if "=" in word), 120)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = ["path,class"]
        for number in range(LEARNT + UNSEEN):
            write(Volume(picture(number), np.eye(4)), folder / f"{number}.nii.gz")
            lines += [f"{number}.nii.gz,{kind(number)}"] if number < LEARNT else []
        (folder / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
        for name, changes in STARTS.items():
            areas = []
            for search in (None, minutes):
                begin = time.perf_counter()
                done = finish(
                    train(
                        folder / "cases.csv",
                        folder / f"{len(areas)}-{name.replace(' ', '-')}",
                        task="classify",
                        minutes=1,
                        search=search,
                        plan={"minutes": None, "steps": steps, **changes},
                    )
                )
                areas.append(area(folder, str(done.model)))
                said = done.plan["reasons"].get("search", "no search")
                spent = (time.perf_counter() - begin) / 60
                print(f"{name:16s} AUC {areas[-1]:.3f}   {spent:.1f} min; {said}", flush=True)
            print(f"{name}: with a search over without {areas[1] / areas[0]:.3f}", flush=True)


def area(folder: Path, model: str) -> float:
    unseen = range(LEARNT, LEARNT + UNSEEN)
    answers = finish(classify([folder / f"{number}.nii.gz" for number in unseen], model))
    shares = np.array([said.probabilities["ring"] for said in answers.images])
    return area_under_roc(np.array([kind(number) == "ring" for number in unseen]), shares) or 0.0


def kind(number: int) -> str:
    return ("disc", "ring")[number % 2]


def picture(number: int) -> np.ndarray:
    """``(1, y, x)``: a disc or a ring of as much light, anywhere, in noise."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:EDGE, :EDGE] - rng.uniform(7, EDGE - 7, 2)[:, None, None]
    away = np.hypot(rows, columns)
    outer = rng.uniform(4, 6)
    inside = away < outer if kind(number) == "disc" else (away < outer) & (away > 0.6 * outer)
    image = rng.normal(90, 30, (1, EDGE, EDGE))
    image[0] += 4000 * inside / inside.sum()
    return image.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
