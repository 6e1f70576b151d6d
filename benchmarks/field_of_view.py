"""What does air around a head cost ``brain-mr``? One T1 head as the recipe paints it, and in 256 mm of noisy air.

``python -m benchmarks.field_of_view [MODEL]``: seconds with the model warm, and mean Dice of its structures, of both.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace

import numpy as np

from benchmarks.shared import finish, shared_data
from napari_resmed.jobs.segment import segment
from napari_resmed.volume import Volume
from recipes.brain_mr.anatomy import read_head
from recipes.brain_mr.images import held_out_images
from recipes.brain_mr.measure import scores

EDGE = 256  # voxels of 1 mm
NOISE = 0.01  # of the brightest voxel, Rayleigh's as magnitude images have it


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "brain-mr"
    image = next(held_out_images([read_head(shared_data() / "brain_labelmaps" / "training_seg_15.nii.gz")]))
    margins = [((EDGE - size) // 2,) * 2 for size in image.truth.shape]
    air = in_air(image.volume, margins)
    measured = [
        measure(name, volume, truth, model)
        for name, volume, truth in (
            ("as painted", image.volume, image.truth),
            ("256 mm", air, np.pad(image.truth, margins)),
        )
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"256 mm over as painted: Dice {measured[1] / measured[0]:.3f}; peak memory of both {peak:.0f} MB")


def in_air(volume: Volume, margins: list[tuple[int, int]]) -> Volume:
    """The image ``(z, y, x)`` with noise around it and below it."""
    data = np.pad(np.asarray(volume.data), margins)
    noise = np.random.default_rng(0).rayleigh(NOISE * float(data.max()), data.shape)
    affine = np.array(volume.affine)
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in margins]
    return replace(volume, data=np.maximum(data, noise.astype(np.float32)), affine=affine)


def measure(name: str, volume: Volume, truth: np.ndarray, model: str) -> float:
    finish(segment(volume, model))  # the model is warm then
    begin = time.perf_counter()
    labels = finish(segment(volume, model)).labels.data
    seconds = time.perf_counter() - begin
    mean = float(np.nanmean(scores(labels, truth)))
    print(f"{name:12s} {seconds:5.1f} s   mean Dice {mean:.3f}", flush=True)
    return mean


if __name__ == "__main__":
    main()
