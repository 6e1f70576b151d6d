"""The same work as nnU-Net: its random network, its predictor and ours, the same image, no mirroring, step 0.5.

``RESMED_NNUNET`` names a Python that has nnU-Net v2. Prints agreement in fp32, wall times of whole processes and their
ratios, and the peak memory of all processes together. ``--labels 15 105 --patch 96 --image FILE``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.shared import shared_data
from napari_resmed.io import read

# Memory is looked at so often, in seconds.
OFTEN = 0.2


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--labels", type=int, nargs="+", default=[15, 105])
    options.add_argument("--patch", type=int, default=96)
    options.add_argument("--image", type=Path, default=shared_data() / "body" / "example_ct.nii.gz")
    options.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    chosen = options.parse_args()
    python = os.environ.get("RESMED_NNUNET")
    if not python:
        raise SystemExit("set RESMED_NNUNET to a Python that has nnU-Net v2")
    for labels in chosen.labels:
        with tempfile.TemporaryDirectory() as place:
            compare(python, Path(place), labels, chosen.patch, chosen.image, chosen.precision)


def compare(python: str, place: Path, labels: int, patch: int, image: Path, precisions: list[str]) -> None:
    theirs = [python, str(Path(__file__).with_name("nnunet_predict.py"))]
    ours = [sys.executable, "-m", "napari_resmed"]
    trained = place / "Dataset999_Random" / "nnUNetTrainer__nnUNetResEncPlans__3d_fullres"
    subprocess.run([*theirs, "make", trained, str(labels), str(patch)], check=True)
    watched([*ours, "models", "import", place / "Dataset999_Random", "-o", place / "random"])
    print(f"{labels} labels, windows of {patch}, {image.name}")
    seconds, memory = watched([*theirs, "predict", trained, image, place / "theirs"])
    print(f"  nnU-Net fp32         {seconds:7.1f} s  {memory:5.2f} GB", flush=True)
    wanted = read(place / "theirs.nii.gz").data
    for precision in precisions:
        # The second run finds the network converted, where that is worth it.
        for run in ("first", "second"):
            out = place / f"{precision}.nii.gz"
            command = [*ours, "segment", image, "-o", out, "-m", place / "random", "--precision", precision]
            mine, held = watched(command)
            same = float(np.mean(read(out).data == wanted))
            print(
                f"  ours {precision} {run:<10} {mine:7.1f} s  {held:5.2f} GB  "
                f"{seconds / mine:.2f} times as fast, {same:.4%} of voxels agree",
                flush=True,
            )


def watched(command: list[object]) -> tuple[float, float]:
    """Seconds of a command, and the most that it and all its children held at a time, in GB."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    most = 0.0
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else b""))
    reader.start()
    while process.poll() is None:
        most = max(most, held_by(psutil.Process(process.pid)))
        time.sleep(OFTEN)
    reader.join()
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed: {b''.join(said).decode()[-2000:]}")
    return time.perf_counter() - begin, most


def held_by(process: psutil.Process) -> float:
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total / 2**30


if __name__ == "__main__":
    main()
