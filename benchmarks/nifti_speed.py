"""How fast is a NIfTI file opened and written, and in how much memory? (read 2 times as fast as nibabel; 1.3 times)

A CT-like volume (512 x 512 x 300, int16, noise everywhere) and a smooth one (256^3, float32), both compressed at
zlib's level 6, as most programs do. nibabel reads the same voxels in the same run: `np.asarray(load(path).dataobj)`.
Ours is the whole way to a Volume, so it includes telling labels from images. The file's pages are in memory. Peak
memory is that of a process of its own, over what it has after importing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_resmed.io import read, write
from napari_resmed.volume import Volume

READ_GOAL = 2.0
MEMORY_GOAL = 1.3
RUNS = 5

# The high-water mark of the process itself; `ru_maxrss` begins at that of the process that started it.
PEAK = """
import napari_resmed.io.files as files
import napari_resmed.io.nifti

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
image = files.read({path!r})
print(peak() - before)
"""


def ct_like() -> np.ndarray:
    """A cylinder of water in air, with a scanner's noise."""
    random = np.random.default_rng(0)
    y, x = np.ogrid[:512, :512]
    body = np.where(((x - 256) / 200) ** 2 + ((y - 256) / 150) ** 2 < 1, 40, -1000).astype(np.int16)
    data = np.empty((300, 512, 512), np.int16)
    for plane in data:
        plane[:] = body + np.rint(random.normal(0, 15, body.shape)).astype(np.int16)
    return data


def smooth() -> np.ndarray:
    """A blurred field, zero outside a box, as of a registered brain."""
    from scipy.ndimage import gaussian_filter

    data = gaussian_filter(np.random.default_rng(0).normal(0, 1000, (256, 256, 256)).astype(np.float32), 2)
    data[:, :40] = data[:, 216:] = 0
    return data


def best(run: Callable[[], object]) -> float:
    """Least time of a few runs, seconds: what the machine's other work does not disturb."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_bytes(path: Path) -> int:
    """What reading a file adds to the most memory a process ever had; Linux only."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(path=str(path))], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


def main() -> None:
    print(f"{'':34s} {'ours':>7s} {'nibabel':>8s} {'ratio':>6s}   peak over the voxels' bytes")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (("512x512x300 int16", ct_like), ("256^3 float32", smooth)):
            data = make()
            path = Path(folder) / "image.nii.gz"
            nib.openers.Opener.default_compresslevel = 6
            nib.save(nib.Nifti1Image(data.transpose(2, 1, 0), np.eye(4)), path)
            nib.openers.Opener.default_compresslevel = 1
            assert np.array_equal(read(path).data, data)
            ours = best(lambda path=path: read(path))
            theirs = best(lambda path=path: np.asarray(nib.load(path).dataobj))
            share = peak_bytes(path) / data.nbytes
            row(f"{name}, read", ours, theirs, f"{share:.2f} (goal {MEMORY_GOAL})", READ_GOAL)

            volume = Volume(data, np.eye(4))
            image = nib.Nifti1Image(data.transpose(2, 1, 0), np.eye(4))
            written = Path(folder) / "written.nii.gz"
            ours = best(lambda volume=volume, written=written: write(volume, written))
            size = written.stat().st_size
            theirs = best(lambda image=image, written=written: nib.save(image, written))
            row(f"{name}, written", ours, theirs, f"file {size / written.stat().st_size:.2f} of nibabel's")


def row(what: str, ours: float, theirs: float, note: str, goal: float | None = None) -> None:
    aim = f" (goal {goal:g})" if goal else ""
    print(f"{what:34s} {ours:6.2f} s {theirs:6.2f} s {theirs / ours:6.2f}{aim}   {note}", flush=True)


if __name__ == "__main__":
    main()
