"""Which optimiser learns most in the same minutes? (Muon over AdamW: more than 1)

Networks from scratch on hippocampus, trained by the Train job on the first 20 usable cases with each optimiser and
learning rate, on one core each and two side by side, judged by the Segment job on the 40 after them. Then the network
of brain-mr from scratch on images of its recipe at 3 mm, judged on images of two people it never saw. The best rate
of each optimiser is the best on what is judged, of as many rates for each; all are printed.
``python -m benchmarks.optimisers [hippocampus] [brain] [MINUTES] [adamw:0.003 muon:0.003 ...] [--seeds 2]``
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from benchmarks.hippocampus import JUDGED, LEARNT, done_by_us, mean_dice, truth
from benchmarks.shared import finish, shared_data
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.train import train
from napari_resmed.nets import build_network
from napari_resmed.train.fingerprint import fingerprint
from napari_resmed.train.rates import make_optimiser
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.anatomy import read_head
from recipes.brain_mr.contrasts import CONTRASTS
from recipes.brain_mr.train import ARGUMENTS, NETWORK, Look, example, loss_of

MINUTES, SEEDS = 4.0, 2
TRIED = ("adamw:0.001", "muon:0.003", "adamw:0.003", "muon:0.01", "adamw:0.01", "muon:0.03")
AT_ONCE = 2
# What is taught of the brain: patches, at a spacing in mm; how many are judged.
EDGE, SPACING_MM, IMAGES = 48, 3.0, 24


def main() -> None:
    words = sys.argv[1:]
    tried = [word for word in words if ":" in word] or list(TRIED)
    seeds = int(words.pop(words.index("--seeds") + 1)) if "--seeds" in words else SEEDS
    minutes = next((float(word) for word in words if word.replace(".", "").isdigit()), MINUTES)
    for task in [word for word in words if word in TASKS] or list(TASKS):
        print(f"{task}, {minutes:g} minutes on one core each, {seeds} seeds", flush=True)
        means: dict[str, list[float]] = {"adamw": [], "muon": []}
        runs = [(word, minutes, seed) for seed in range(seeds) for word in tried]
        with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn"), _one_thread) as pool:
            done = dict(zip(runs, pool.map(TASKS[task], *zip(*runs, strict=True)), strict=True))
        for word in tried:
            figures, steps = zip(*(done[word, minutes, seed] for seed in range(seeds)), strict=True)
            means[word.partition(":")[0]].append(float(np.mean(figures)))
            each = " ".join(f"{figure:.4f}" for figure in figures)
            print(f"  {word:12s} mean Dice {np.mean(figures):.4f} ({each})   {np.mean(steps):.0f} steps", flush=True)
        if len(means["muon"]) == len(means["adamw"]):
            print(f"  muon / adamw, the best of each {max(means['muon']) / max(means['adamw']):.3f}   (more than 1)")


def hippocampus(word: str, minutes: float, seed: int) -> tuple[float, int]:
    """Mean Dice of the judged cases, and how many steps were made."""
    kind, rate = word.split(":")
    folder = shared_data() / "hippocampus"
    usable = [case.name for case in finish(fingerprint(read_dataset(folder)[0])).cases]
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "learnt.csv"
        rows = [f"{folder}/images/{name}.nii.gz,{folder}/labels/{name}.nii.gz,{name}" for name in usable[:LEARNT]]
        table.write_text("\n".join(["image,label,case", *rows]) + "\n")
        plan = {"optimiser": kind, "learning_rate": float(rate)}
        done = finish(train(table, Path(place) / "model", minutes=minutes, plan=plan, device="cpu", seed=seed))
        judged = usable[LEARNT : LEARNT + JUDGED]
        figure = mean_dice((done_by_us(folder, name, done.model), truth(folder, name)) for name in judged)
    return figure, done.history[-1]["step"]


def brain(word: str, minutes: float, seed: int) -> tuple[float, int]:
    """Mean soft Dice of fresh images, and how many steps were made."""
    kind, rate = word.split(":")
    paths = sorted((shared_data() / "brain_labelmaps").glob("training_seg_*.nii.gz"))
    learnt = [read_head(path) for path in paths if path.name not in HELD_OUT]
    learnt += [head.mirrored() for head in learnt]
    unseen = [read_head(path) for path in paths if path.name in HELD_OUT]
    generator, look = torch.Generator().manual_seed(1_000), Look((EDGE,) * 3, SPACING_MM, 20.0)
    judged = [example(unseen[number % len(unseen)], look, generator, CONTRASTS) for number in range(IMAGES)]
    torch.manual_seed(seed)
    network = build_network(NETWORK, ARGUMENTS)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimiser = make_optimiser(network, kind, float(rate), 1e-2)
    generator.manual_seed(seed)
    begin, steps = time.monotonic(), 0
    while (share := (time.monotonic() - begin) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = float(rate) * (1 - share) * min(1.0, (steps + 1) / 50)
        head = learnt[int(torch.randint(0, len(learnt), (), generator=generator))]
        image, target = example(head, look, generator, CONTRASTS)
        optimiser.zero_grad()
        loss_of(network(image), target)[0].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        average.update_parameters(network)
        steps += 1
    with torch.inference_mode():
        found = torch.stack([loss_of(average(image), target)[1] for image, target in judged])
    return float(found.nanmean(0).nanmean()), steps


TASKS = {"hippocampus": hippocampus, "brain": brain}


def _one_thread() -> None:
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
