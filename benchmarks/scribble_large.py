"""Does a large image fit? (512×512×300 voxels within 6 GB, through the command line, five strokes a class)

The body CT, enlarged to so many voxels with its labels; strokes of the simulated user in six organs and beside them.
Prints seconds, the peak memory of all processes, and the mean Dice. ``python -m benchmarks.scribble_large [Z Y X]``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom

from benchmarks.scribble import dice
from benchmarks.scribble_cases import ORGANS_CT
from benchmarks.scribble_user import first_strokes, next_strokes
from benchmarks.shared import shared_data
from benchmarks.watched import watched
from napari_resmed.geometry import compose
from napari_resmed.io import read, write
from napari_resmed.volume import Volume

MOST_GB = 6.0
SIZE = (300, 512, 512)
STROKES = 5


def main() -> None:
    size = tuple(int(word) for word in sys.argv[1:4]) or SIZE
    folder = shared_data() / "body"
    small = read(folder / "example_ct_sm.nii.gz")
    labels = np.asarray(read(folder / "example_seg.nii.gz").data)
    truth = np.full(labels.shape, len(ORGANS_CT) + 1, np.uint8)
    for number, value in enumerate(ORGANS_CT.values(), 1):
        truth[labels == value] = number
    scale = [new / old for new, old in zip(size, small.shape, strict=True)]
    affine = compose((0, 0, 0), tuple(mm / k for mm, k in zip(small.spacing_mm, scale, strict=True)))
    image = Volume(zoom(small.data.astype(np.float32), scale, order=1).astype(np.int16), affine, "zyx", "CT")
    truth = zoom(truth, scale, order=0)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        write(image, place / "image.nii.gz")
        painted, found = first_strokes(truth, 0), np.zeros_like(truth)
        for number in range(1, STROKES + 1):
            write(Volume(painted, affine), place / "strokes.nii.gz")
            out = place / f"{number}.nii.gz"
            command: list[object] = [sys.executable, "-m", "napari_resmed", "scribble", place / "image.nii.gz"]
            seconds, held, _ = watched([*command, place / "strokes.nii.gz", "-o", out], place / "cache")
            found = read(out).data
            print(
                f"{number} strokes a class, {'×'.join(map(str, size))}: {seconds:.0f} s, {held:.2f} GB, "
                f"{held / MOST_GB:.2f} of the {MOST_GB:g} allowed, "
                f"mean Dice {dice(found, truth, len(ORGANS_CT)).mean():.3f}",
                flush=True,
            )
            painted = next_strokes(painted, truth, found, number)


if __name__ == "__main__":
    main()
