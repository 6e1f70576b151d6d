"""Does a large image with many labels fit? (512×512×400 at 0.8×0.8×1.5 mm, 105 labels, network grid 1.5 mm: 5 GB)

A made CT, read from a file and written to one by the command line in a process of its own, at 15 and at 105 labels: the
memory must grow by the sums of one window's height alone. In parts: ``--labels 15``, ``--size 100 256 256``,
``--overlap 0`` (a third of the windows), ``--patch 48``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom

from benchmarks.random_nnunet import random_nnunet
from benchmarks.watched import watched
from napari_resmed.geometry import compose
from napari_resmed.io import write
from napari_resmed.volume import Volume

MOST_GB = 5.0
SPACING_MM = (1.5, 0.8, 0.8)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--labels", type=int, nargs="+", default=[15, 105])
    options.add_argument("--size", type=int, nargs=3, default=[400, 512, 512])
    options.add_argument("--patch", type=int, default=96)
    options.add_argument("--overlap", type=float, default=0.5)
    options.add_argument("--precision", default="auto")
    options.add_argument("--device", default="auto")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        write(made_ct(chosen.size), place / "image.nii.gz")
        held: dict[int, float] = {}
        for labels in chosen.labels:
            model = random_nnunet(place / f"random{labels}", labels, chosen.patch)
            command: list[object] = [sys.executable, "-m", "napari_resmed", "segment", place / "image.nii.gz"]
            command += ["-o", place / "out.nii.gz", "-m", model.folder, "--overlap", chosen.overlap, "--json"]
            command += ["--precision", chosen.precision, "--device", chosen.device]
            seconds, held[labels], said = watched(command, place / "cache")
            report = json.loads(said)
            belt = sums_gb(chosen.size, labels, chosen.patch)
            print(
                f"{labels} labels, {chosen.size}: {seconds:.0f} s, {report['tiles']} windows, {held[labels]:.2f} GB, "
                f"{held[labels] / MOST_GB:.2f} of the {MOST_GB:g} allowed; of it sums {belt:.2f} GB\n"
                f"    {report['seconds']}, {report['precision']}",
                flush=True,
            )
        if len(held) > 1:
            few, many = min(held), max(held)
            grown = held[many] - held[few]
            slab = sums_gb(chosen.size, many, chosen.patch) - sums_gb(chosen.size, few, chosen.patch)
            print(f"from {few} to {many} labels {grown:.2f} GB more, of the sums' {slab:.2f} GB {grown / slab:.2f}")


def made_ct(size: list[int]) -> Volume:
    """Smooth shapes and noise in Hounsfield units, the air around them included."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 300, (8, 10, 10)).astype(np.float32)
    data = zoom(coarse, [whole / few for whole, few in zip(size, coarse.shape, strict=True)], order=1)
    data = np.clip(data, -1000, 1500).astype(np.int16)
    data += rng.integers(-20, 20, data.shape, np.int16)
    data[:, : size[1] // 12] = -1000
    return Volume(data, compose((0, 0, 0), SPACING_MM), "zyx", "CT")


def sums_gb(size: list[int], labels: int, patch: int) -> float:
    """Of one window's height on the network's grid, in half precision as nnU-Net's."""
    grid = [round(whole * mm / 1.5) for whole, mm in zip(size, SPACING_MM, strict=True)]
    return 2 * (labels + 1) * patch * max(patch, grid[1]) * max(patch, grid[2]) / 2**30


if __name__ == "__main__":
    main()
