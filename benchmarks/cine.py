"""Is an answer learnt that lies only in the order of frames? (recurrent and attention heads 0.95, by frames chance)

A disc goes round on the left or on the right hand, in noise: every sequence of the one class, played backwards, is one
of the other, so that no single frame and no set of frames tells them apart. Loops of frames on disk, trained by the
Train job as it plans for one minute, and then with each head; so many steps and not a minute, so that a busy machine
learns as much. With ``volumes`` the frames are small volumes in which a ball goes round. The accuracy is that on
sequences that nobody saw before. ``python -m benchmarks.cine [volumes] [STEPS] [HEAD...]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared import finish
from napari_resmed.io import write
from napari_resmed.jobs.classify import classify
from napari_resmed.jobs.train import train
from napari_resmed.volume import Volume


@dataclass(frozen=True)
class Task:
    """How many sequences of what size ``(t, z, y, x)``, and what they are learnt with."""

    learnt: int
    unseen: int
    shape: tuple[int, int, int, int]
    steps: int
    features: tuple[int, ...]

    @property
    def network(self) -> dict[str, Any]:
        """Arguments of a small one."""
        return {
            "spatial_dims": 3 if self.shape[1] == 1 else 4,
            "in_channels": 1,
            "out_channels": 2,
            "backbone": "resnet10",
            "backbone_arguments": {"features": list(self.features), "halvings": 0},
        }


TASKS = {
    "slices": Task(240, 200, (10, 1, 32, 32), 700, (8, 16, 32, 64)),
    "volumes": Task(160, 100, (6, 6, 16, 16), 700, (8, 16, 16, 32)),
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
    asked = sys.argv[1:]
    task = TASKS["volumes" if "volumes" in asked else "slices"]
    steps = next((int(word) for word in asked if word.isdigit()), task.steps)
    wanted = [word for word in asked if word not in TASKS and not word.isdigit()]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = ["path,class"]
        for number in range(task.learnt + task.unseen):
            path = folder / f"loop{number}.nii.gz"
            spacing = [8.0 if task.shape[1] == 1 else 1.0, 1, 1, 1]
            write(Volume(sequence(number, task.shape), np.diag(spacing)[[2, 1, 0, 3]], "tzyx"), path)
            if number < task.learnt:
                lines.append(f"{path.name},{side(number)}")
        (folder / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
        unseen = list(range(task.learnt, task.learnt + task.unseen))
        for name, (head, knows) in HEADS.items():
            if wanted and not any(word in name for word in wanted):
                continue
            changes: dict[str, Any] = {"minutes": None, "steps": steps}
            if head is not None:
                changes |= {"network": "SequenceClassifier", "arguments": {**task.network, **head}}
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


def sequence(number: int, shape: tuple[int, int, int, int]) -> np.ndarray:
    """``(t, z, y, x)``: a disc or ball that goes round by a part of a turn from anywhere, as the class says."""
    count, depth, edge, _ = shape
    rng = np.random.default_rng(number)
    slices, rows, columns = np.mgrid[:depth, :edge, :edge]
    start, turn = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.9) * 2 * np.pi
    radius, size = rng.uniform(0.2, 0.32) * edge, rng.uniform(2.5, 4) * max(edge / 32, 0.75)
    middle = edge / 2 + rng.uniform(-2, 2, 2) * edge / 32
    height = 0 if depth == 1 else rng.uniform(1, depth - 2)
    angles = start + turn * np.linspace(0, 1, count) * (1 if side(number) == "right" else -1)
    frames = rng.normal(60, 15, shape)
    for frame, angle in zip(frames, angles, strict=True):
        row, column = middle + radius * np.array([np.sin(angle), np.cos(angle)])
        frame[(slices - height) ** 2 + (rows - row) ** 2 + (columns - column) ** 2 < size**2] += 100
    return frames.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
