"""What does air around a head cost ``brain-mr``? A head of each contrast as the recipe paints it, and in 256 mm of air.

``python -m benchmarks.field_of_view [MODEL]``: seconds with the model warm, and mean Dice of its structures, of both;
the air is noisy. Some two minutes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.shared import finish, shared_data
from napari_resmed.jobs.segment import segment
from napari_resmed.volume import Volume
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head
from recipes.brain_mr.images import Image, held_out_images
from recipes.brain_mr.measure import scores

EDGE = 256  # voxels of 1 mm
NOISE = 0.01  # of the brightest voxel, Rayleigh's as magnitude images have it


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "brain-mr"
    measured = []
    for image in heads():
        margins = [((EDGE - size) // 2,) * 2 for size in image.truth.shape]
        if not measured:
            finish(segment(image.volume, model))  # the model is warm then
        row = [
            *measure(image.volume, image.truth, model),
            *measure(in_air(image.volume, margins), np.pad(image.truth, margins), model),
        ]
        measured.append(row)
        print(f"{image.contrast:24s} {row[0]:5.1f} s  {row[1]:.3f}   in air {row[2]:5.1f} s  {row[3]:.3f}", flush=True)
    seconds, dice, seconds_in_air, dice_in_air = np.mean(measured, 0)
    slowest = max(row[2] for row in measured)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"in air over as painted: seconds {seconds_in_air / seconds:.2f} (at most {slowest:.1f} s), ", end="")
    print(f"Dice {dice_in_air / dice:.3f}; peak memory of all {peak:.0f} MB")


def heads() -> Iterator[Image]:
    """One whole head of each contrast, of a map that was kept out of training."""
    seen = set()
    for image in held_out_images([read_head(shared_data() / "brain_labelmaps" / HELD_OUT[0])]):
        if image.contrast not in seen:
            seen.add(image.contrast)
            yield image


def in_air(volume: Volume, margins: list[tuple[int, int]]) -> Volume:
    """The image ``(z, y, x)`` with noise around it and below it."""
    data = np.pad(np.asarray(volume.data), margins)
    noise = np.random.default_rng(0).rayleigh(NOISE * float(data.max()), data.shape)
    affine = np.array(volume.affine)
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in margins]
    return replace(volume, data=np.maximum(data, noise.astype(np.float32)), affine=affine)


def measure(volume: Volume, truth: np.ndarray, model: str) -> tuple[float, float]:
    """Seconds and mean Dice."""
    begin = time.perf_counter()
    labels = finish(segment(volume, model)).labels.data
    seconds = time.perf_counter() - begin
    return seconds, float(np.nanmean(scores(labels, truth)))


if __name__ == "__main__":
    main()
