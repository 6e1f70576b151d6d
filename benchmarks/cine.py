"""Is an answer learnt that lies only in the order of frames? (recurrent and attention heads 0.95, by frames chance)

A disc goes round on the left or on the right hand, in noise: every sequence of the one class, played backwards, is one
of the other, so that no single frame and no set of frames tells them apart. Loops of frames on disk, trained by the
Train job as it plans for one minute, and then with each head; so many steps and not a minute, so that a busy machine
learns as much. The accuracy is that on sequences that nobody saw before. ``python -m benchmarks.cine [STEPS]``.
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
from napari_resmed.volume import Volume

LEARNT, UNSEEN, FRAMES, EDGE = 240, 200, 10, 32
BACKBONE: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 2,
    "backbone": "resnet10",
    "backbone_arguments": {"features": [8, 16, 32, 64], "halvings": 0},
}
# Head, what it is built from, and whether it knows the order.
HEADS = {
    "as planned": (None, True),
    "recurrent, GRU": ({"mixer": "gru"}, True),
    "recurrent, LSTM": ({"mixer": "lstm"}, True),
    "attention, transformer": ({"mixer": "transformer"}, True),
    "frame by frame": ({"mixer": "none", "pooling": "mean"}, False),
}
GOAL = 0.95


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 700
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = ["path,class"]
        for number in range(LEARNT + UNSEEN):
            path = folder / f"loop{number}.nii.gz"
            write(Volume(loop(number), np.diag([8.0, 1, 1, 1]), "tzyx"), path)
            if number < LEARNT:
                lines.append(f"{path.name},{side(number)}")
        (folder / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
        unseen = list(range(LEARNT, LEARNT + UNSEEN))
        for name, (head, knows) in HEADS.items():
            changes: dict[str, Any] = {"minutes": None, "steps": steps}
            if head is not None:
                changes |= {"network": "SequenceClassifier", "arguments": {**BACKBONE, **head}}
            begin = time.perf_counter()
            target = folder / name.replace(", ", "-").replace(" ", "-")
            done = finish(train(folder / "cases.csv", target, task="classify", minutes=1, plan=changes))
            answers = finish(classify([folder / f"loop{number}.nii.gz" for number in unseen], done.model))
            right = [said.predicted == side(number) for said, number in zip(answers.images, unseen, strict=True)]
            accuracy = float(np.mean(right))
            goal = f"of the goal {accuracy / GOAL:.3f}" if knows else "chance is 0.500"
            what = f"{done.plan['network']} {done.plan['arguments'].get('mixer', '')}"
            print(
                f"{name:24s} accuracy {accuracy:.3f}   {goal}   ({what}, {done.history[-1]['step']} steps, "
                f"{(time.perf_counter() - begin) / 60:.1f} min)",
                flush=True,
            )


def side(number: int) -> str:
    return ("left", "right")[number % 2]


def loop(number: int) -> np.ndarray:
    """``(t, 1, y, x)``: a disc that goes round by a part of a turn from anywhere, in the direction of the class."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:EDGE, :EDGE]
    start, turn = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.9) * 2 * np.pi
    radius, size = rng.uniform(0.2, 0.32) * EDGE, rng.uniform(2.5, 4)
    middle = EDGE / 2 + rng.uniform(-2, 2, 2)
    angles = start + turn * np.linspace(0, 1, FRAMES) * (1 if side(number) == "right" else -1)
    frames = rng.normal(60, 15, (FRAMES, 1, EDGE, EDGE))
    for frame, angle in zip(frames, angles, strict=True):
        row, column = middle + radius * np.array([np.sin(angle), np.cos(angle)])
        frame[0, (rows - row) ** 2 + (columns - column) ** 2 < size**2] += 100
    return frames.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
