"""Train the network of ``brain-mr`` on synthesised images, coarse to fine, resumable."""

from __future__ import annotations

import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.networks.nets import UNet
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.train.deformation import Deformation
from napari_resmed.train.synthesis import Degradation, deform, degrade, paint
from recipes.brain_mr.anatomy import CSF, FIRST_OUTSIDE_ROW, STRUCTURES, Head, draw_t1, target_of_row

NETWORK = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": len(STRUCTURES) + 1,
    "channels": [16, 32, 64, 128, 256],
    "strides": [2, 2, 2, 2],
    "num_res_units": 2,
    "norm": "instance",
    "act": "relu",  # prelu, MONAI's default, costs a seventh of the step on a CPU
}
TARGET = target_of_row()
CORTEX = 1 + list(STRUCTURES).index("cerebral cortex")
# Tools that take the skull off differ in how much of the fluid they leave, so both must be common; and in young
# brains and averaged templates narrow sulci hold no visible fluid at all.
STRIPPED, STRIPPED_WITHOUT_CSF, TIGHT_SULCI = 0.55, 0.6, 0.25
SAVE_EVERY_SECONDS = 120.0


@dataclass(frozen=True)
class Stage:
    """One resolution of the coarse-to-fine schedule."""

    spacing_mm: float
    patch: int
    share: float  # of the whole time
    learning_rate: float
    shift_mm: float = 20.0  # how far the patch's middle may lie from the brain's


# Coarse first with the whole head in view, then finer with the weights carried over: learning anatomy
# costs a tenth at 3 mm of what it costs at 1 mm.
STAGES = (
    Stage(3.0, 80, 0.11, 3e-3),
    Stage(2.0, 96, 0.28, 2e-3),
    Stage(1.5, 96, 0.54, 1.5e-3),
    # Windows over a whole head also lie at its rim, where a patch shows half a brain.
    Stage(1.5, 96, 0.07, 4e-4, shift_mm=45.0),
)


def example(head: Head, stage: Stage, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One synthesised image ``(1, 1, z, y, x)`` in 0..1 and its structures ``(1, z, y, x)``."""
    shape = (stage.patch,) * 3
    rows = deform(head.anatomy, shape, stage.spacing_mm, Deformation(shift_mm=stage.shift_mm), generator)
    chance = torch.rand(5, generator=generator).tolist()
    brain = (rows > 0) & (rows < FIRST_OUTSIDE_ROW)
    if chance[0] < TIGHT_SULCI:
        rows = torch.where((rows == CSF) & _near(rows == CORTEX, 1), CORTEX, rows)
    if chance[1] < STRIPPED:
        rows = rows * brain
        if chance[2] < STRIPPED_WITHOUT_CSF:
            rows = rows * (rows != CSF)
    elif chance[3] < 0.3:  # loosely stripped, or the field of view ends: only what lies near the brain stays
        rows = rows * _near(brain, round(chance[4] * 10 / stage.spacing_mm))
    image = paint(rows, draw_t1(generator), generator)
    image = degrade(image, stage.spacing_mm, Degradation(), generator)
    return image[None, None], TARGET[rows.to(torch.int32)].long()[None]


def _near(mask: Tensor, reach: int) -> Tensor:
    """The mask ``(z, y, x)`` grown by a number of voxels."""
    size = 1 + 2 * reach
    return F.max_pool3d(mask.float()[None, None], size, 1, reach)[0, 0] > 0


def loss_of(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Dice + cross-entropy from one softmax, and the soft Dice per structure (NaN where absent)."""
    classes = logits.shape[1]
    likelihood = F.log_softmax(logits.float(), 1).movedim(1, -1).reshape(-1, classes)
    truth = target.reshape(-1)
    right = likelihood.gather(1, truth[:, None])[:, 0]
    share = likelihood.exp()
    overlap = torch.zeros(classes).index_add(0, truth, right.exp())
    sizes = torch.bincount(truth, minlength=classes).float()
    dice = (2 * overlap + 1) / (sizes + share.sum(0) + 1)
    present = sizes > 0
    present[0] = False
    return 1 - dice[present].mean() - right.mean(), torch.where(present, dice.detach(), torch.nan)


class Trainer:
    """The run: network, optimizer, averaged weights, place in the schedule."""

    def __init__(self, heads: list[Head], folder: Path, minutes: float, seed: int) -> None:
        self.heads, self.folder, self.seconds = heads, folder, minutes * 60
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.network = UNet(**NETWORK).to(memory_format=torch.channels_last_3d)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=1e-2)
        self.step, self.spent = 0, 0.0
        if (folder / "checkpoint.pt").exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.spent = state["step"], state["spent"]

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(state, self.folder / "checkpoint.part")
        (self.folder / "checkpoint.part").replace(self.folder / "checkpoint.pt")

    def _place(self) -> tuple[Stage, float]:
        """Where in the schedule the spent time falls: the stage and how far through it, 0..1."""
        begin = 0.0
        for stage in STAGES:
            length = stage.share * self.seconds
            if self.spent < begin + length:
                return stage, (self.spent - begin) / length
            begin += length
        return STAGES[-1], 1.0

    def run(self) -> None:
        """Train until the minutes are used up."""
        bf16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        saved = shown = time.monotonic()
        sums = torch.zeros(len(STRUCTURES) + 1)
        counts = torch.zeros(len(STRUCTURES) + 1)
        total, number = 0.0, 0
        while self.spent < self.seconds:
            begin = time.monotonic()
            stage, progress = self._place()
            last = stage is STAGES[-1]
            floor = 0.01 if last else 0.3
            rate = stage.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
            rate *= min(1.0, (self.step + 1) / 50)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            chosen = int(torch.randint(0, len(self.heads), (), generator=self.generator))
            image, target = example(self.heads[chosen], stage, self.generator)
            image = image.to(memory_format=torch.channels_last_3d)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = self.network(image)
            loss, dice = loss_of(logits, target)
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
        self._save()

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
