"""The same work as nnU-Net: its random network, its predictor and ours, the same image, no mirroring, step 0.5.

``RESMED_NNUNET`` names a Python that has nnU-Net v2. Prints agreement in fp32, wall times of whole processes and their
ratios, and the peak memory of all processes together. In parts: ``--labels 15``, ``--precision fp32``, ``--patch 48``,
``--crop 40`` (the middle of the image), ``--place FOLDER`` (what nnU-Net gave there before is taken, not run again).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.shared import shared_data
from benchmarks.watched import watched
from napari_resmed.io import read, write

LEAST_AGREEMENT = 0.999
# nnU-Net's time over ours at so many labels or more, once the network is converted.
MANY, FASTER = 105, {"fp32": 2.2, "bf16": 5.0}
MOST_GB = 2.5


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--labels", type=int, nargs="+", default=[15, 105])
    options.add_argument("--patch", type=int, default=96)
    options.add_argument("--image", type=Path, default=shared_data() / "body" / "example_ct.nii.gz")
    options.add_argument("--crop", type=int, default=0)
    options.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    options.add_argument("--place", type=Path)
    chosen = options.parse_args()
    python = os.environ.get("RESMED_NNUNET")
    if not python:
        raise SystemExit("set RESMED_NNUNET to a Python that has nnU-Net v2")
    for labels in chosen.labels:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            if chosen.place:
                place = chosen.place.absolute() / f"{labels}_{chosen.patch}_{chosen.crop}"
                place.mkdir(parents=True, exist_ok=True)
            image = cropped(chosen.image, chosen.crop, place) if chosen.crop else chosen.image.absolute()
            compare(python, place, labels, chosen.patch, image, chosen.precision)


def cropped(image: Path, edge: int, place: Path) -> Path:
    """The middle of an image, as a file."""
    whole = read(image)
    part = tuple(slice(max(0, (size - edge) // 2), (size + edge) // 2) for size in whole.shape)
    write(whole.with_data(whole.data[part]), place / "image.nii.gz")
    return place / "image.nii.gz"


def compare(python: str, place: Path, labels: int, patch: int, image: Path, precisions: list[str]) -> None:
    theirs = [python, str(Path(__file__).with_name("nnunet_predict.py"))]
    ours = [sys.executable, "-m", "napari_resmed"]
    print(f"{labels} labels, windows of {patch}, {image.name} of {read(image).shape}", flush=True)
    before = place / "theirs.json"
    if not before.exists():
        trained = place / "Dataset999_Random" / "nnUNetTrainer__nnUNetResEncPlans__3d_fullres"
        subprocess.run([*theirs, "make", trained, str(labels), str(patch)], check=True)
        watched([*ours, "models", "import", place / "Dataset999_Random", "-o", place / "random"])
        before.write_text(json.dumps(watched([*theirs, "predict", trained, image, place / "theirs"])[:2]))
        note = ""
    else:
        note = "   (an earlier run)"
    seconds, memory = json.loads(before.read_text())
    print(f"  nnU-Net fp32        {seconds:7.1f} s  {memory:5.2f} GB{note}", flush=True)
    wanted = read(place / "theirs.nii.gz").data
    for precision in precisions:
        # The second run finds the network converted, where that is worth it.
        for run in ("first", "again"):
            out = place / f"{precision}.nii.gz"
            command = [*ours, "segment", image, "-o", out, "-m", place / "random", "--precision", precision, "--json"]
            mine, held, said = watched(command, cache=place / "cache")
            same = float(np.mean(read(out).data == wanted))
            goals = [f"{held / MOST_GB:.2f} of the memory allowed"]
            if labels >= MANY and run == "again":
                goals.append(f"goal {FASTER[precision]} times")
            if precision == "fp32":
                goals.append(f"goal {LEAST_AGREEMENT:.1%} of voxels")
            print(
                f"  ours {precision} {run}     {mine:7.1f} s  {held:5.2f} GB  {seconds / mine:.2f} times as fast, "
                f"{same:.4%} of voxels agree; {'; '.join(goals)}\n    {json.loads(said)['seconds']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
