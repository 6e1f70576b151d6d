"""What does a segmentation cost beside its network? (10 s at 1 mm with the model warm, 3 s for a quick look)

The MNI152 template through the Segment job, against the bare network on the same windows in the same run. The whole
road is reading, preparing, the network, restoring to 1 mm, writing.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch

from napari_resmed.io import read, write
from napari_resmed.io.samples import mni152_template
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.predict.windows import pad_to_window, window_places
from napari_resmed.prepare.grid import prepare

RUNS = 5
LIMIT_SECONDS, QUICK_SECONDS = 10, 3


def run_job(path: Path, out: Path, quick: bool = False) -> Segmentation:
    steps = segment(read(path), "brain-mr", quick=quick)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            write(end.value.labels, out)
            return end.value


def bare_network(path: Path) -> float:
    """Seconds of the network alone on the windows that the job runs."""
    model, machine = find_model("brain-mr"), choose_machine()
    network = warm_network(model, machine)
    image, _ = pad_to_window(prepare(read(path), model.preparation)[0], model.patch)
    z, y, x = image.shape[1:]
    places = window_places((z, y, x), model.patch, model.overlap)
    windows = [
        image[(slice(None), *place)][None].to(machine.device, memory_format=torch.channels_last_3d) for place in places
    ]
    begin = time.perf_counter()
    with (
        torch.inference_mode(),
        torch.autocast(machine.device.type, machine.dtype, enabled=machine.precision != "fp32"),
    ):
        for window in windows:
            network(window)
    return time.perf_counter() - begin


def main() -> None:
    path = mni152_template()
    whole, bare, quick = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "labels.nii.gz"
        done = run_job(path, out)
        bare_network(path)
        run_job(path, out, quick=True)
        for _ in range(RUNS):
            begin = time.perf_counter()
            done = run_job(path, out)
            whole.append(time.perf_counter() - begin)
            bare.append(bare_network(path))
            begin = time.perf_counter()
            run_job(path, out, quick=True)
            quick.append(time.perf_counter() - begin)
    road, network = statistics.median(whole), statistics.median(bare)
    ratio = statistics.median(a / b for a, b in zip(whole, bare, strict=True))
    print(f"read to written file   {road:6.2f} s   of the limit {road / LIMIT_SECONDS:4.2f}   {done.seconds}")
    look = statistics.median(quick)
    print(f"a quick look           {look:6.2f} s   of the limit {look / QUICK_SECONDS:4.2f}")
    print(f"bare network           {network:6.2f} s   {done.tiles} windows, {done.precision}")
    print(f"whole / network        {ratio:6.2f}     peak memory {done.peak_memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
