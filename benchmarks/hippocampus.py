"""How good is a network from scratch after so many minutes? (hippocampus: 0.875 after 10, on all cases 0.89 after 30)

Trained by the Train job on the first 20 usable cases, judged by the Segment job on the 40 after them, which it never
saw; then on all cases but those 40. ``python -m benchmarks.hippocampus [few] [all] [MINUTES...]`` gives one of the two,
and other times than ten and thirty minutes.
Beside it nnU-Net on the same cases, minutes and machine, where RESMED_NNUNET names a Python that has nnunetv2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared import finish, shared_data
from napari_resmed.io import read, write
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import train
from napari_resmed.train.fingerprint import fingerprint

LEARNT, JUDGED = 20, 40
LIMITS = {(20, 10.0): 0.875, (0, 30.0): 0.89}


def main() -> None:
    minutes = [float(word) for word in sys.argv[1:] if word not in ("few", "all")]
    asked = [word == "few" for word in sys.argv[1:] if word in ("few", "all")] or [True, False]
    folder = shared_data() / "hippocampus"
    dataset, _ = read_dataset(folder)
    usable = [case.name for case in finish(fingerprint(dataset)).cases]
    judged = usable[LEARNT : LEARNT + JUDGED]
    for few in asked:
        learnt = usable[:LEARNT] if few else [name for name in usable if name not in judged]
        for time_allowed in minutes or [10.0 if few else 30.0]:
            with tempfile.TemporaryDirectory() as place:
                ours = our_dice(folder, learnt, judged, time_allowed, Path(place))
                report(f"{len(learnt)} cases", time_allowed, ours, LIMITS.get((LEARNT if few else 0, time_allowed)))
                python = os.environ.get("RESMED_NNUNET")
                if python:
                    theirs, spent = nnunet_dice(python, folder, learnt, judged, time_allowed, Path(place))
                    print(f"  nnU-Net            {theirs:.3f}   {spent:.1f} min    ours / nnU-Net {ours / theirs:.3f}")


def report(what: str, minutes: float, dice: float, limit: float | None) -> None:
    of_limit = "" if limit is None else f"   of the goal {dice / limit:.3f}"
    print(f"{what:12s} {minutes:4.0f} min   mean Dice {dice:.3f}{of_limit}", flush=True)


def our_dice(folder: Path, learnt: list[str], judged: list[str], minutes: float, place: Path) -> float:
    table = place / "learnt.csv"
    rows = [f"{folder}/images/{name}.nii.gz,{folder}/labels/{name}.nii.gz,{name}" for name in learnt]
    table.write_text("\n".join(["image,label,case", *rows]) + "\n")
    begin = time.perf_counter()
    done = finish(train(table, place / "model", minutes=minutes))
    spent = (time.perf_counter() - begin) / 60
    looks = done.history[:: max(1, len(done.history) // 10)]
    print("  held-out Dice by minutes: " + ", ".join(f"{e['seconds'] / 60:.1f}: {e['mean_dice']:.3f}" for e in looks))
    print(f"  trained in {spent:.1f} min, {done.history[-1]['step']} steps", flush=True)
    return mean_dice((done_by_us(folder, name, done.model), truth(folder, name)) for name in judged)


def done_by_us(folder: Path, name: str, model: str) -> np.ndarray:
    return finish(segment(read(folder / "images" / f"{name}.nii.gz"), model)).labels.data


def truth(folder: Path, name: str) -> np.ndarray:
    return read(folder / "labels" / f"{name}.nii.gz").data


def mean_dice(pairs: Iterator[tuple[np.ndarray, np.ndarray]]) -> float:
    figures = []
    for found, true in pairs:
        for value in (1, 2):
            both = int(((found == value) & (true == value)).sum())
            figures.append(2 * both / (int((found == value).sum()) + int((true == value).sum())))
    return float(np.mean(figures))


def nnunet_dice(
    python: str, folder: Path, learnt: list[str], judged: list[str], minutes: float, place: Path
) -> tuple[float, float]:
    """nnU-Net's own plan, preprocessing, training and prediction, with as many epochs as fit the minutes."""
    raw = place / "raw" / "Dataset001_Hippocampus"
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    (place / "unseen").mkdir()
    for name in learnt:
        write(read(folder / "images" / f"{name}.nii.gz"), raw / "imagesTr" / f"{name}_0000.nii.gz")
        write(read(folder / "labels" / f"{name}.nii.gz"), raw / "labelsTr" / f"{name}.nii.gz")
    for name in judged:
        write(read(folder / "images" / f"{name}.nii.gz"), place / "unseen" / f"{name}_0000.nii.gz")
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "anterior": 1, "posterior": 2},
        "numTraining": len(learnt),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(description))
    script = Path(__file__).with_name("nnunet_run.py")
    done = subprocess.run(
        [python, str(script), str(place), str(minutes)], stdout=subprocess.PIPE, text=True, check=True, timeout=7200
    )
    spent = float(done.stdout.strip().splitlines()[-1])
    return mean_dice((read(place / "out" / f"{name}.nii.gz").data, truth(folder, name)) for name in judged), spent


if __name__ == "__main__":
    main()
