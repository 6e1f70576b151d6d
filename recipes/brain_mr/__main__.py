"""``python -m recipes.brain_mr``: from label maps to the built-in model ``brain-mr``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from napari_resmed.io.samples import mni152_template
from napari_resmed.models.catalogue import BUILT_IN
from recipes.brain_mr import measure
from recipes.brain_mr.anatomy import Head, read_head
from recipes.brain_mr.publish import load_measured, write_model
from recipes.brain_mr.train import Trainer

HELD_OUT = ("training_seg_15.nii.gz", "training_seg_16.nii.gz")


def main() -> None:
    """Train, write the model folder, measure it, and write the folder again with its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelmaps", type=Path, required=True, help="folder of SynthSeg's label maps")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and history")
    parser.add_argument("--out", type=Path, default=BUILT_IN / "brain-mr", help="the model folder")
    parser.add_argument("--minutes", type=float, default=135)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-training", action="store_true", help="write and measure what the run has now")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    maps = sorted(path for path in options.labelmaps.glob("training_seg_*.nii.gz") if path.name not in HELD_OUT)
    if not options.no_training:
        heads = [read_head(path) for path in maps]
        Trainer(heads, options.work, options.minutes, options.seed).run()
    write_model(options.work, options.out, maps, load_measured(options.work), options.minutes, options.seed)
    known = measure.familiar([read_head(path) for path in maps], options.out)
    (options.work / "familiar.json").write_text(json.dumps(known, indent=2))
    held_out = [read_head(options.labelmaps / name) for name in HELD_OUT]
    measured = _measure(held_out, options.out)
    (options.work / "measured.json").write_text(json.dumps(measured, indent=2))
    print(json.dumps(measured, indent=2))
    write_model(options.work, options.out, maps, measured, options.minutes, options.seed)


def _measure(held_out: list[Head], folder: Path) -> dict[str, Any]:
    template = mni152_template()
    return {
        "mni152": measure.on_mni152(template, folder),
        "speed": measure.speed(template, folder, clock=time.perf_counter),
        "held_out_maps": measure.on_held_out_maps(held_out, folder),
    }


if __name__ == "__main__":
    main()
