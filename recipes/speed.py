"""Seconds and memory of a segmentation, as a click takes them with the model warm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from napari_resmed.io import read
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.models.folder import load_model
from napari_resmed.volume import Volume
from recipes.cross_validation import run
from recipes.machine import device_name

__all__ = ["speed"]

RUNS = 3


def speed(image: Path, model: Path | str) -> dict[str, Any]:
    """Measure it in a process of its own, whose memory is the job's alone.

    Returns
    -------
    dict
        ``seconds``, and ``quick_seconds`` where the model knows quick looks: the best of three; ``peak_memory_mb``;
        ``machine`` in words; ``image``: grid and voxel edges ``(z, y, x)`` in words.
    """
    command = [sys.executable, "-m", "recipes.speed", str(image), str(model)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(path: Path, model: str) -> dict[str, Any]:
    image = read(path)
    taken = {}
    names = {"seconds": False} | ({"quick_seconds": True} if load_model(model).quick_spacing_mm else {})
    for name, quick in names.items():
        _segmented(image, model, quick)
        runs = [_segmented(image, model, quick) for _ in range(RUNS)]
        taken[name] = float(f"{min(done.seconds['total'] for done in runs):.2g}")
    done = runs[-1]
    backend = done.made_by["parameters"]["backend"]
    return {
        **taken,
        "peak_memory_mb": round(done.peak_memory_mb),
        "machine": f"{device_name(torch.device(done.device))}, {backend} in {done.precision}",
        "image": f"{_times(image.grid_shape)} voxels of {_times(image.spacing_mm)} mm",
    }


def _segmented(image: Volume, model: str, quick: bool) -> Segmentation:
    return run(segment(image, model, quick=quick))


def _times(numbers: tuple[float, ...]) -> str:
    return " × ".join(f"{number:.3g}" for number in numbers)


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), sys.argv[2])))
