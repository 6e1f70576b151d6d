"""A data set of small cases, and a plan with which a whole training of them takes seconds."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from napari_resmed.case import Case, Dataset
from napari_resmed.io import write
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.volume import Volume
from tests.affines import make_affine

Result = TypeVar("Result")

SHAPE = (20, 22, 24)
NAMES = LabelSet((Label(1, "ball", (230, 159, 0)), Label(5, "box", (86, 180, 233))))
# Nothing moves, nothing is disturbed.
STILL = Augmentation(
    Deformation(rotation_deg=0, scale=0, shear=0, shift_mm=0, elastic=(), mirror=False), undeformed=1.0, probability=0.0
)
# In proportion to so small a patch.
GENTLE = Augmentation(Deformation(rotation_deg=10, scale=0.1, shear=0.02, shift_mm=2, elastic=()))
LITTLE_NETWORK: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
    "norm": "instance",
}


def picture(seed: int, shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """A bright ball (value 1) and a middling box (value 5) in dark noise, and their labels."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    middle = rng.uniform(6, [size - 7 for size in shape])
    labels = np.zeros(shape, np.uint8)
    start = rng.integers(1, [size - 7 for size in shape])
    labels[tuple(slice(first, first + 6) for first in start)] = 5
    labels[np.linalg.norm(index - middle, axis=-1) < 5] = 1
    image = rng.normal(0.1, 0.03, shape) + 0.8 * (labels == 1) + 0.4 * (labels == 5)
    return (100 * image).astype(np.float32), labels


def case(seed: int, shape: tuple[int, int, int] = SHAPE, affine: Any = None, **more: Any) -> Case:
    """The same at hand, not in files."""
    image, labels = picture(seed, shape)
    affine = make_affine() if affine is None else affine
    return Case(f"case{seed}", (Volume(image, affine),), LabelMap(labels, affine, labels=NAMES), **more)


def dataset(count: int = 4, **more: Any) -> Dataset:
    return Dataset(tuple(case(seed, **more) for seed in range(count)), NAMES, name="small")


def write_folder(folder: Path, count: int = 4, prefix: str = "case", **more: Any) -> Path:
    """The same as files: ``images/``, ``labels/`` and their names."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for made in dataset(count, **more).cases:
        name = made.name.replace("case", prefix)
        write(made.images[0], folder / "images" / f"{name}.nii.gz")  # type: ignore[arg-type]
        write(made.labels, folder / "labels" / f"{name}.nii.gz")  # type: ignore[arg-type]
    names = {"background": 0, **{label.name: label.value for label in NAMES}}
    (folder / "labels.json").write_text(json.dumps({"labels": names}))
    return folder


# What replaces a plan's own decisions where a training shall take seconds.
QUICK: dict[str, Any] = {
    "network": "UNet",
    "arguments": LITTLE_NETWORK,
    "patch": [16, 16, 16],
    "minutes": None,
    "steps": 30,
    "check_every": 10,
    "patience": 1.0,
    "augmentation": GENTLE.to_json(),
    "memory_mb": 100,
    "device": "cpu",
    "precision": "fp32",
}


def little_plan(**changes: Any) -> Plan:
    """A plan for :func:`dataset`, as quick as they come."""
    values: dict[str, Any] = {
        "name": "small",
        "labels": NAMES,
        "channels": ("image",),
        "network": "UNet",
        "arguments": LITTLE_NETWORK,
        "preparation": Preparation((1.0, 1.0, 1.0)),
        "patch": (16, 16, 16),
        "batch": 2,
        "training": ("case0", "case1", "case2"),
        "held_out": ("case3",),
        "steps": 30,
        "check_every": 10,
        "patience": 1.0,
        "augmentation": GENTLE,
        "memory_mb": 100,
        "device": "cpu",
        "precision": "fp32",
        "mirror_axes": (2,),
    }
    return Plan(**{**values, **changes})


def shorten(run: RunFolder, more: int = 20) -> int:
    """Let a training that was too long to end by itself end so many steps after where it was stopped; at which."""
    saved = torch.load(run.checkpoint, weights_only=True)["state"]["step"] if run.checkpoint.is_file() else 0
    plan = json.loads(run.plan.read_text())
    run.plan.write_text(json.dumps({**plan, "steps": saved + more}))
    return int(saved) + more


def finish(steps: Generator[Any, Any, Result], told: list[Any] | None = None, say: Any = None) -> Result:
    """Run a generator to its end; ``say`` is sent into it where it pauses first."""
    while True:
        try:
            step = steps.send(say)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        say = None
        if told is not None:
            told.append(step)
