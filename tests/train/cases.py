"""Cases at hand, and a fingerprint taken to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_resmed.case import Case, Dataset
from napari_resmed.labels import LabelMap
from napari_resmed.train.fingerprint import Fingerprint, fingerprint
from napari_resmed.volume import Volume
from tests.affines import make_affine


def blob(seed: int, *, values: tuple[int, ...] = (1,), size: int = 24, step: float = 20, **more: Any) -> Case:
    """Noise with a bright ball that differs a little from seed to seed, and its labels in slabs of ``values``."""
    rng = np.random.default_rng(seed)
    middle = size / 2 + rng.uniform(-1, 1, 3)
    radius = size / 4 + rng.uniform(-0.7, 0.7)
    z, y, x = np.ogrid[:size, :size, :size]
    ball = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < radius**2
    voxels = rng.normal(100, 5, (size,) * 3) + step * ball
    painted = np.zeros((size,) * 3, np.uint8)
    for number, value in enumerate(values):
        part = slice(number * size // len(values), (number + 1) * size // len(values))
        painted[:, :, part][ball[:, :, part]] = value
    affine = make_affine(spacing_mm=more.pop("spacing_mm", (1.0, 1.0, 1.0)))
    return Case(f"case{seed}", (Volume(voxels.astype(np.float32), affine),), LabelMap(painted, affine), **more)


def look(dataset: Dataset, seen: list[tuple[int, int]] | None = None) -> Fingerprint:
    """Run the generator to its end."""
    steps = fingerprint(dataset)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if seen is not None:
            seen.append(step)


def relabelled(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """The same image with other labels."""
    assert isinstance(case.labels, LabelMap)
    return replace(case, labels=case.labels.with_data(change(case.labels.data)))
