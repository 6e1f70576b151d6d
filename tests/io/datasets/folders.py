"""Small training folders, written as people and programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed.geometry import Affine
from napari_resmed.io import write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine

SHAPE = (12, 14, 16)


def image(seed: int = 0, shape: tuple[int, ...] = SHAPE, affine: Affine | None = None, axes: str = "") -> Volume:
    """Noise, a different one for every seed, brighter in the middle where :func:`labels` are."""
    voxels = np.random.default_rng(seed).normal(100, 5, shape).astype(np.float32)
    voxels[..., 3:9, 4:10, 4:12] += 60
    return Volume(voxels, make_affine() if affine is None else affine, axes)


def labels(*values: int, shape: tuple[int, int, int] = SHAPE, affine: Affine | None = None) -> LabelMap:
    """Slabs side by side in the bright part, one a value."""
    voxels = np.zeros(shape, np.uint8)
    for number, value in enumerate(values):
        voxels[3:9, 4:10, 4 + number * 8 // len(values) : 4 + (number + 1) * 8 // len(values)] = value
    return LabelMap(voxels, make_affine() if affine is None else affine)


def put(folder: Path, files: dict[str, Volume | str | dict[str, Any] | list[Any]]) -> Path:
    """Write images, texts and JSON under a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Volume):
            write(content, path)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder
