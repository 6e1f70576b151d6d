"""Does memory stay within the budget for 10 or 10 000 cases? (at most 1.0 of the budget)

Ten cases of 32³ voxels and ten thousand links to them, with full labels and a budget that holds three hundred: each
in a process of its own, from the look at the data to patches of every case. The budget is for prepared data; what ten
thousand cases cost beside it (names, figures of each) is told apart. ``python -m benchmarks.many_cases 500`` asks for
another number of many.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.shared import finish
from napari_resmed.io import write
from napari_resmed.io.datasets import read_dataset
from napari_resmed.labels import LabelMap
from napari_resmed.train.fingerprint import fingerprint, usable
from napari_resmed.train.make_plan import make_plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session
from napari_resmed.train.wishes import Wishes
from napari_resmed.volume import Volume

FEW, MANY = 10, 10_000
SIZE = 32
BUDGET_MB = 32.0


def make_cases(folder: Path, count: int) -> None:
    """``images/`` and ``labels/``: ten true files, the rest are other names of these."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    rng = np.random.default_rng(0)
    place = np.indices((SIZE,) * 3)
    for number in range(count):
        names = [folder / part / f"case{number:05d}.nii" for part in ("images", "labels")]
        if number >= FEW:
            for name in names:
                os.link(name.with_name(f"case{number % FEW:05d}.nii"), name)
            continue
        ball = ((place - rng.uniform(12, 20, (3, 1, 1, 1))) ** 2).sum(0) < 8**2
        image = 100 * ball + rng.normal(100, 10, ball.shape)
        write(Volume(image.astype(np.float32), np.diag([1, 1, 1, 1.0])), names[0])
        write(LabelMap(ball.astype(np.uint8), np.diag([1, 1, 1, 1.0])), names[1])


def used_mb() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


def watch(folder: Path) -> None:
    """Everything but the network, of one data set; prints what it takes."""
    begin, clean = time.perf_counter(), used_mb()
    dataset, _ = read_dataset(folder)
    facts = finish(fingerprint(dataset))
    looked = time.perf_counter() - begin
    dataset = usable(dataset, facts)
    plan = make_plan("many", dataset, facts, None, Wishes(device="cpu", memory_mb=BUDGET_MB))
    known, count = used_mb() - clean, len(dataset.cases)
    run = RunFolder(folder / "run")
    session = Session(plan, dataset, run)
    most_kept, most_used, seconds = 0, 0.0, []
    for step in range(-(-2 * len(plan.training) // plan.batch)):  # every case twice
        begin = time.perf_counter()
        session.batch(step)
        seconds.append(time.perf_counter() - begin)
        most_kept = max(most_kept, session.store.bytes_in_memory)
        most_used = max(most_used, used_mb())
    first, second = np.array_split(np.array(seconds), 2)
    print(
        f"{count:6d} cases: looked at in {1e3 * looked / count:.1f} ms each, a batch in {1e3 * first.mean():.1f} ms, "
        f"later in {1e3 * second.mean():.1f} ms; kept at most {most_kept / 2**20:.1f} MB, "
        f"{most_kept / 2**20 / BUDGET_MB:.2f} of the budget; the process grew by {known:.0f} MB looking and by "
        f"{most_used - clean - known:.0f} MB drawing",
        flush=True,
    )


def main() -> None:
    if sys.argv[1:2] == ["watch"]:
        watch(Path(sys.argv[2]))
        return
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with tempfile.TemporaryDirectory() as place:
        for count in (FEW, many):
            folder = Path(place) / str(count)
            make_cases(folder, count)
            subprocess.run([sys.executable, "-m", "benchmarks.many_cases", "watch", str(folder)], check=True)


if __name__ == "__main__":
    main()
