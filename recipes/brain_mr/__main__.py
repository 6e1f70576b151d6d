"""``python -m recipes.brain_mr``: from label maps to the built-in model ``brain-mr``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from napari_resmed.io.samples import mni152_template
from napari_resmed.models.catalogue import BUILT_IN
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.models.tensors_only import read_tensors
from recipes.brain_mr import measure
from recipes.brain_mr.anatomy import Head, read_head
from recipes.brain_mr.begin import begin_with, tells_the_same
from recipes.brain_mr.publish import Measured, keep, load, write_model
from recipes.brain_mr.train import STAGES, STAGES_ON, Trainer
from recipes.speed import speed

HELD_OUT = ("training_seg_15.nii.gz", "training_seg_16.nii.gz")


def main(words: Sequence[str] | None = None) -> None:
    """Train, write the model folder, measure it, and write the folder again with its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelmaps", type=Path, required=True, help="folder of SynthSeg's label maps")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and history")
    parser.add_argument("--out", type=Path, default=BUILT_IN / "brain-mr", help="the model folder")
    parser.add_argument("--minutes", type=float, default=300)
    parser.add_argument("--begin-with", type=Path, help="a model folder of this recipe, of any version, to go on from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda: where to train")
    parser.add_argument("--batch", type=int, default=1, help="times as many images a step; 8 on a large GPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-training", action="store_true", help="write and measure what the run has now")
    chosen = parser.parse_args(words)
    maps = sorted(path for path in chosen.labelmaps.glob("training_seg_*.nii.gz") if path.name not in HELD_OUT)
    # Of hours nothing is lost for something that measuring would miss.
    if trouble := _trouble(chosen, maps):
        parser.error(trouble)
    template = mni152_template()
    torch.set_num_threads(chosen.threads)
    heads = [read_head(path) for path in maps]
    if not chosen.no_training:
        begin, begun, stages = None, "", STAGES
        if chosen.begin_with is not None:
            former = load_model(chosen.begin_with)
            begun = former.version
            begin = begin_with(former, read_tensors(chosen.begin_with / WEIGHTS), chosen.seed)
            stages = STAGES_ON if tells_the_same(former) else STAGES[1:]  # the coarsest is behind them
        Trainer(
            heads,
            chosen.work,
            chosen.minutes,
            chosen.seed,
            stages,
            begin,
            begun,
            device=chosen.device,
            batch=chosen.batch,
        ).run()
    # Its figures need a folder; the one that ships is written once, with all that is known.
    draft = chosen.work / "draft" / "brain-mr"
    write_model(chosen.work, draft, maps, load(chosen.work))
    familiar = measure.familiar(heads, draft)
    held_out = [read_head(chosen.labelmaps / name) for name in HELD_OUT]
    figures = _figures(held_out, draft, template)
    worst = measure.failures(held_out, draft, figures["held_out_maps"]["images_dice"])
    measured = Measured(figures, familiar, worst)
    keep(chosen.work, measured)
    print(json.dumps(figures, indent=2))
    write_model(chosen.work, chosen.out, maps, measured)


def _trouble(chosen: argparse.Namespace, maps: Sequence[Path]) -> str:
    """What is not there, in a sentence; empty where all is."""
    if not maps:
        return f"--labelmaps {chosen.labelmaps} holds no training_seg_*.nii.gz to learn from, as SynthSeg's are called"
    if missing := [name for name in HELD_OUT if not (chosen.labelmaps / name).is_file()]:
        return f"--labelmaps {chosen.labelmaps} lacks {' and '.join(missing)}, with which the model is measured"
    if chosen.no_training and not (chosen.work / "checkpoint.pt").is_file():
        return f"--work {chosen.work} holds no run; train first, without --no-training"
    return ""


def _figures(held_out: Sequence[Head], folder: Path, template: Path) -> dict[str, Any]:
    return {
        "mni152": measure.on_mni152(template, folder),
        "mni152_quick": measure.on_mni152(template, folder, quick=True),
        "speed": speed(template, folder),
        "held_out_maps": measure.on_held_out_maps(held_out, folder),
        "sweeps": measure.sweeps(held_out[0], folder),
        "axis_orders": measure.axis_orders(held_out[0], folder),
        "check": measure.check(held_out[0], folder),
        "check_quick": measure.check(held_out[0], folder, quick=True),
    }


if __name__ == "__main__":
    main()
