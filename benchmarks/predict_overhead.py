"""What does a prediction cost beside its network? (at most 1.10 times the bare network; 1.15 on a GPU)

Read to written file, the model warm, against the network alone on the same windows, run by the same backend in the same
process. A random residual-encoder U-Net of nnU-Net's kind at 1.5 mm on a real CT; or any installed model. In parts:
``--labels 15 105``, ``--patch 48``, ``--crop 40``, ``--runs 1``, ``--precision fp32``, ``--backend torch``,
``--model brain-mr --image FILE``. ``--device cuda`` where there is one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.nnunet_same import cropped
from benchmarks.random_nnunet import random_nnunet
from benchmarks.shared import finish, shared_data
from napari_resmed.io import read
from napari_resmed.jobs.segment_file import segment_file
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.predict.backends import choose_backend
from napari_resmed.predict.machine import Machine, choose_machine
from napari_resmed.predict.memory_plan import free_bytes, plan_memory
from napari_resmed.predict.windows import Windows, pad_to_window, window_places
from napari_resmed.prepare.grid import prepare

LIMIT, LIMIT_ON_GPU = 1.10, 1.15


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--labels", type=int, nargs="+", default=[15, 105])
    options.add_argument("--patch", type=int, default=96)
    options.add_argument("--image", type=Path)
    options.add_argument("--crop", type=int, default=0)
    options.add_argument("--model", default="")
    options.add_argument("--precision", nargs="+", default=["bf16", "fp32"])
    options.add_argument("--device", default="auto")
    options.add_argument("--backend", default="auto")
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    image = chosen.image or shared_data() / "body" / "example_ct.nii.gz"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        os.environ.setdefault("RESMED_CACHE", str(place / "cache"))
        image = cropped(image, chosen.crop, place) if chosen.crop else image
        models = [find_model(chosen.model)] if chosen.model else []
        models = models or [random_nnunet(place / f"random{count}", count, chosen.patch) for count in chosen.labels]
        for model in models:
            for precision in chosen.precision:
                machine = choose_machine(chosen.device, precision)
                compare(model, image, place, machine, chosen.backend, chosen.runs)


def compare(model: Model, image: Path, place: Path, machine: Machine, backend: str, runs: int) -> None:
    whole, bare, report, note = [], [], {}, ""
    for run in range(runs + 1):
        begin = time.perf_counter()
        report = finish(
            segment_file(
                image,
                place / "out.nii.gz",
                str(model.folder),
                device=str(machine.device),
                precision=machine.precision,
                backend=backend,
            )
        )
        seconds = time.perf_counter() - begin
        alone, note = bare_network(model, image, machine, backend)
        bare.append(alone)
        if run:  # the first loads, converts and warms up
            whole.append(seconds)
    limit = LIMIT if machine.device.type == "cpu" else LIMIT_ON_GPU
    # The machine's speed drifts: over the mean of the bare runs before and after.
    ratios = [2 * job / sum(around) for job, around in zip(whole, pairwise(bare), strict=True)]
    spread = f" ({min(ratios):.3f} to {max(ratios):.3f})" if len(ratios) > 1 else ""
    print(
        f"{model.name}, {len(model.labels)} labels, {machine.precision} by {note}: read to written file "
        f"{statistics.median(whole):.2f} s, bare network {statistics.median(bare):.2f} s on {report['tiles']} windows: "
        f"{statistics.median(ratios):.3f}{spread} (limit {limit})\n    {report['seconds']}, "
        f"{report['peak_memory_mb']:.0f} MB",
        flush=True,
    )


def bare_network(model: Model, image: Path, machine: Machine, backend: str) -> tuple[float, str]:
    """Seconds of the network alone, in one part, on the windows that the job runs, as many at a time; and by what."""
    volume = read(image)
    ready, grid = prepare(volume, model.preparation)
    wishes = Windows(model.patch, even=model.even_windows)
    windows = plan_memory(model, grid.shape, grid.source_shape, machine, wishes, free_bytes(machine)).windows
    padded, _ = pad_to_window(ready, windows.patch)
    z, y, x = padded.shape[1:]
    places = window_places((z, y, x), windows.patch, windows.overlap, windows.even)
    runner = choose_backend(model, machine, windows.patch, len(places), backend)
    batches = [
        torch.stack([padded[(slice(None), *place)] for place in places[start : start + windows.batch]]).to(
            machine.device, memory_format=torch.channels_last_3d
        )
        for start in range(0, len(places), windows.batch)
    ]
    half = machine.precision != "fp32"
    with torch.inference_mode(), torch.autocast(machine.device.type, machine.dtype, enabled=half):
        runner.network(batches[0])
        begin = time.perf_counter()
        for batch in batches:
            runner.network(batch)
    if machine.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin, runner.name


if __name__ == "__main__":
    main()
