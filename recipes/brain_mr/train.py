"""Train the network of ``brain-mr`` on synthesised images, coarse to fine, resumable."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.nets import build_network
from napari_resmed.predict.kept_memory import kept_memory
from napari_resmed.predict.machine import Machine, choose_machine
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.mixed import mixed
from napari_resmed.train.muon import Muon
from napari_resmed.train.synthesis import Degradation, deform, degrade, paint
from recipes.brain_mr.anatomy import CORTEX, CSF, FIRST_OUTSIDE_ROW, STRUCTURES, Head, target_of_row
from recipes.brain_mr.contrasts import CONTRASTS, MOSTLY_T1, draw_contrast, draw_intensities
from recipes.machine import device_name

NETWORK = "UNetWithHead"
ARGUMENTS = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": len(STRUCTURES) + 1,
    "features": 24,
    "channels": [32, 64, 96, 128, 256],
    "strides": [2, 2, 2, 2],
    "num_res_units": 2,
    "norm": "instance",
    "act": "relu",  # prelu, MONAI's default, costs a seventh of the step on a CPU
}
TARGET = target_of_row()
# Tools that take the skull off differ in how much of the fluid they leave, so both must be common; and in young
# brains and averaged templates narrow sulci hold no visible fluid at all.
STRIPPED, STRIPPED_WITHOUT_CSF, TIGHT_SULCI = 0.5, 0.6, 0.25
# Slices that are judged: neighbours say nearly the same, and scores of so many classes cost as much as the network.
JUDGED_EVERY = 2
SPOILT = Degradation(thick_slice_probability=0.25, thick_slice_mm=(2.0, 6.0))
SAVE_EVERY_SECONDS = 120.0


@dataclass(frozen=True)
class Stage:
    """One part of the schedule: what a step sees, and how fast it learns from it."""

    spacing_mm: float
    patch: int
    share: float  # of the whole time
    learning_rate: float
    shift_mm: float = 20.0  # how far the patch's middle may lie from the brain's
    batch: int = 1
    mostly_t1: bool = False
    whole: float = 0.0  # share of the steps that see a whole head instead, as a quick look does


# Coarse first with the whole head in view, then finer with the weights carried over: learning anatomy costs a tenth at
# 3 mm of what it costs at 1 mm. The last patches are nearly as large as the window that answers, in which an image is
# normed: a network trained on patches alone lost 0.1 in Dice where a window held the whole head, as that of a quick
# look does. The rates are Muon's best of four minutes at 3 mm (docs/decisions/0010); the whole schedule was not run
# with them.
STAGES = (
    Stage(3.0, 64, 0.10, 1e-2, batch=2),
    Stage(2.0, 64, 0.30, 1e-2, shift_mm=30.0, batch=2),
    Stage(1.5, 80, 0.20, 1e-2, shift_mm=35.0, whole=0.25),
    Stage(1.3, 96, 0.24, 3.5e-3, shift_mm=30.0, whole=0.3),
    Stage(1.3, 112, 0.16, 1.2e-3, shift_mm=25.0, mostly_t1=True, whole=0.3),
)
# For weights that answer these structures already: such rates brought 0.8.0 and 0.9.0. Higher ones (0.005 at 1.3 mm)
# made a widened network forget for half an hour.
STAGES_ON = (
    Stage(1.3, 96, 0.6, 3.5e-3, shift_mm=30.0, whole=0.3),
    Stage(1.3, 112, 0.4, 1.2e-3, shift_mm=25.0, mostly_t1=True, whole=0.3),
)
# A quick look: the head whole in one window, whose edges differ as images do.
QUICK_MM = 2.0
QUICK_SHAPES = ((80, 96, 112), (96, 112, 128), (80, 96, 112))
QUICK_SHIFT_MM = 15.0


@dataclass(frozen=True)
class Look:
    """What one image shows: its shape ``(z, y, x)``, its spacing, and how far from the middle it may lie."""

    shape: tuple[int, int, int]
    spacing_mm: float
    shift_mm: float


def look_of(stage: Stage, generator: torch.Generator) -> Look:
    """What the next step of a stage sees: a patch, or now and then a whole head."""
    if stage.whole and torch.rand((), generator=generator) < stage.whole:
        z, y, x = (edges[int(torch.randint(0, len(edges), (), generator=generator))] for edges in QUICK_SHAPES)
        return Look((z, y, x), QUICK_MM, QUICK_SHIFT_MM)
    return Look((stage.patch,) * 3, stage.spacing_mm, stage.shift_mm)


def example(
    head: Head, look: Look, generator: torch.Generator, contrasts: Mapping[str, float] = CONTRASTS
) -> tuple[Tensor, Tensor]:
    """One synthesised image ``(1, 1, z, y, x)`` in 0..1 and its structures ``(1, z, y, x)``."""
    # The heads are mirrored already, with their sides exchanged.
    ranges = Deformation(shift_mm=look.shift_mm, mirror=False)
    rows = deform(head.anatomy, look.shape, look.spacing_mm, ranges, generator)
    chance = torch.rand(5, generator=generator).tolist()
    brain = (rows > 0) & (rows < FIRST_OUTSIDE_ROW)
    if chance[0] < TIGHT_SULCI:
        left, right = (_near(rows == cortex, 1) for cortex in CORTEX)
        fluid = rows == CSF
        # Between the halves of the brain fluid stays.
        rows = torch.where(fluid & left & ~right, CORTEX[0], rows)
        rows = torch.where(fluid & right & ~left, CORTEX[1], rows)
    if chance[1] < STRIPPED:
        rows = rows * brain
        if chance[2] < STRIPPED_WITHOUT_CSF:
            rows = rows * (rows != CSF)
    elif chance[3] < 0.3:  # loosely stripped, or the field of view ends: only what lies near the brain stays
        rows = rows * _near(brain, round(chance[4] * 10 / look.spacing_mm))
    image = paint(rows, draw_intensities(draw_contrast(contrasts, generator), generator), generator)
    image = degrade(image, look.spacing_mm, SPOILT, generator)
    return image[None, None], TARGET.to(rows.device)[rows.to(torch.int32)].long()[None]


def _near(mask: Tensor, reach: int) -> Tensor:
    """The mask ``(z, y, x)`` grown by a number of voxels: axis by axis, which is the same and costs less."""
    grown = mask.float()[None, None]
    for axis in range(3):
        size, padding = [1, 1, 1], [0, 0, 0]
        size[axis], padding[axis] = 1 + 2 * reach, reach
        grown = F.max_pool3d(grown, size, 1, padding)
    return grown[0, 0] > 0


def loss_of(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Dice + cross-entropy from one softmax, and the soft Dice per structure (NaN where absent)."""
    classes = logits.shape[1]
    likelihood = F.log_softmax(logits.float(), 1).movedim(1, -1).reshape(-1, classes)
    truth = target.reshape(-1)
    right = likelihood.gather(1, truth[:, None])[:, 0]
    share = likelihood.exp()
    overlap = torch.zeros(classes, device=target.device).index_add(0, truth, right.exp())
    sizes = torch.bincount(truth, minlength=classes).float()
    dice = (2 * overlap + 1) / (sizes + share.sum(0) + 1)
    present = sizes > 0
    present[0] = False
    return 1 - dice[present].mean() - right.mean(), torch.where(present, dice.detach(), torch.nan)


class Trainer:
    """The run: network, optimizer, averaged weights, place in the schedule.

    Parameters
    ----------
    heads:
        What images are made of; each is shown mirrored as well.
    folder:
        For the checkpoint and the history; a run that it holds goes on.
    minutes:
        How long to train in all.
    seed:
        Of every random choice.
    stages:
        The schedule.
    begin, begun_with:
        Weights to begin with instead of fresh ones, and their model's version.
    device:
        As of :func:`napari_resmed.predict.machine.choose_machine`. Images are made where the network learns.
    batch:
        How many times as many images a step as the schedule says.

    Raises
    ------
    ValueError
        If the run in the folder is another: of other minutes, another seed or schedule, begun with something else.
    """

    def __init__(
        self,
        heads: list[Head],
        folder: Path,
        minutes: float,
        seed: int,
        stages: Sequence[Stage] = STAGES,
        begin: dict[str, Tensor] | None = None,
        begun_with: str = "",
        device: str = "auto",
        batch: int = 1,
    ) -> None:
        self.machine = _machine(device)
        self.batch = batch
        self.heads = [head.to(self.machine.device) for head in (*heads, *(head.mirrored() for head in heads))]
        self.folder, self.seconds = folder, minutes * 60
        self.stages = tuple(stages)
        self.asked = {
            "seed": seed,
            "minutes": minutes,
            "begun_with": begun_with,
            "batch": batch,
            "optimiser": "muon",
            "stages": [asdict(stage) for stage in self.stages],
            "contrasts": {"usual": dict(CONTRASTS), "mostly_t1": dict(MOSTLY_T1)},
        }
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.network = build_network(NETWORK, ARGUMENTS)
        if begin is not None:
            self.network.load_state_dict(begin)
        self.network.to(self.machine.device)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        )
        # Learns as much in fewer steps than AdamW: see docs/decisions/0010-muon.md.
        self.optimizer = Muon(self.network.parameters(), weight_decay=1e-2)
        self.step, self.spent = 0, 0.0
        if (folder / "checkpoint.pt").exists():
            self._resume()
        self._cut_history()

    def _resume(self) -> None:
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True, map_location="cpu")
        asked = {"batch": 1, "optimiser": "adamw", **state["asked"]}  # runs of before there was a choice
        for name, value in self.asked.items():
            if (found := asked.get(name)) != value:
                raise ValueError(
                    f"{self.folder} holds a run whose {name} is {found}, and {value} was asked for; ask for the same, "
                    "or name another folder"
                )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.spent = state["step"], state["spent"]

    def _save(self) -> None:
        state: dict[str, Any] = {
            "asked": self.asked,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "spent": self.spent,
            "device": device_name(self.machine.device),
        }
        torch.save(state, self.folder / "checkpoint.part")
        (self.folder / "checkpoint.part").replace(self.folder / "checkpoint.pt")

    def _place(self) -> tuple[Stage, float]:
        """Where in the schedule the spent time falls: the stage and how far through it, 0..1."""
        begin, whole = 0.0, sum(stage.share for stage in self.stages)
        for stage in self.stages:
            length = stage.share / whole * self.seconds
            if self.spent < begin + length:
                return stage, (self.spent - begin) / length
            begin += length
        return self.stages[-1], 1.0

    def _batch(self, stage: Stage) -> tuple[Tensor, Tensor]:
        """Images ``(batch, 1, z, y, x)`` of heads drawn by lot, and their structures ``(batch, z, y, x)``."""
        images = stage.batch * self.batch
        chosen = torch.randint(0, len(self.heads), (images,), generator=self.generator).tolist()
        look = look_of(stage, self.generator)
        contrasts = MOSTLY_T1 if stage.mostly_t1 else CONTRASTS
        made = (example(self.heads[k], look, self.generator, contrasts) for k in chosen)
        painted, targets = zip(*made, strict=True)
        return torch.cat(painted), torch.cat(targets)

    def run(self) -> None:
        """Train until the minutes are used up."""
        with kept_memory(self.machine):
            self._run()

    def _run(self) -> None:
        saved = shown = time.monotonic()
        sums, counts = torch.zeros((2, len(STRUCTURES) + 1), device=self.machine.device)
        total, number = 0.0, 0
        while self.spent < self.seconds:
            begin = time.monotonic()
            stage, progress = self._place()
            last = stage is self.stages[-1]
            floor = 0.01 if last else 0.3
            rate = stage.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
            rate *= min(1.0, (self.step + 1) / 50)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            image, target = self._batch(stage)
            first = int(torch.randint(0, JUDGED_EVERY, (), generator=self.generator))
            with mixed(self.machine):
                logits = self.network(image)
            loss, dice = loss_of(logits[:, :, first::JUDGED_EVERY], target[:, first::JUDGED_EVERY])
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            self.optimizer.step()
            self.average.update_parameters(self.network)
            self.step += 1
            sums += dice.nan_to_num(0)
            counts += ~dice.isnan()
            total, number = total + loss.item(), number + 1
            now = time.monotonic()
            self.spent += now - begin
            if now - shown > 60:
                mean = (sums / counts.clamp_min(1))[1:]
                self._log(stage, total / number, mean)
                sums.zero_(), counts.zero_()
                total, number, shown = 0.0, 0, now
            if now - saved > SAVE_EVERY_SECONDS:
                self._save()
                saved = now
        if number:
            self._log(stage, total / number, (sums / counts.clamp_min(1))[1:])
        self._save()

    def _cut_history(self) -> None:
        """Leave out what was logged after the checkpoint: it is done once more."""
        path = self.folder / "history.csv"
        if not path.exists():
            return
        with path.open(newline="") as file:
            head, *rows = list(csv.reader(file))
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *(row for row in rows if int(row[0]) <= self.step)])

    def _log(self, stage: Stage, loss: float, dice: Tensor) -> None:
        path = self.folder / "history.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "minutes", "spacing_mm", "loss", "soft_dice", *STRUCTURES])
            row = [self.step, f"{self.spent / 60:.1f}", stage.spacing_mm, f"{loss:.4f}"]
            writer.writerow([*row, f"{dice.mean():.4f}", *(f"{d:.3f}" for d in dice)])
        print(
            f"step {self.step}  {self.spent / 60:.1f} min  {stage.spacing_mm} mm  "
            f"loss {loss:.3f}  dice {dice.mean():.3f}",
            flush=True,
        )


def _machine(device: str) -> Machine:
    """Where to train; in float32 where a GPU knows no bf16, as fp16 would need its gradients scaled."""
    machine = choose_machine(device, "auto")
    return machine if machine.precision != "fp16" else Machine(machine.device, "fp32")
