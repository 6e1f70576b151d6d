"""The training of a classifier under way: plan, prepared cases, network and loop together."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError
from napari_resmed.predict.machine import Machine, choose_machine
from napari_resmed.review.quality import Usual
from napari_resmed.review.ranking import area_under_roc
from napari_resmed.train.classify.batches import Drawing, draw_classes
from napari_resmed.train.classify.images import Images, batch_of, classes_of
from napari_resmed.train.classify.loss import ClassBatch, class_loss
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.first_weights import first_network
from napari_resmed.train.loop import Trainer
from napari_resmed.train.rates import make_optimiser
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.together import Together

__all__ = ["ClassSession", "areas"]

Scores = NDArray[np.float64]


class ClassSession:
    """Everything a training needs, made from its run folder.

    Parameters
    ----------
    plan, dataset, run:
        As they stand in the run folder, where the images are prepared already.
    rank, ranks:
        Which of how many processes that share each batch.
    """

    def __init__(self, plan: ClassPlan, dataset: Dataset, run: RunFolder, rank: int = 0, ranks: int = 1) -> None:
        self.plan = plan
        self.run = run
        self.machine: Machine = choose_machine(plan.device, plan.precision)
        self.images = Images.load(run.prepared)
        self._part = slice(rank, None, ranks)
        self.classes = classes_of(self.images, dataset)
        rows = dict(zip(self.images.names, self.images.rows, strict=True))
        strangers = sorted({*plan.training, *plan.held_out} - set(rows))
        if strangers:
            raise InputError(f"the plan has a case {strangers[0]}, which is not there or was left out")
        self.learning = [rows[name] for name in plan.training]
        self.held_out = [rows[name] for name in plan.held_out]
        self._drawing = Drawing(
            self.images,
            self.classes,
            self.learning,
            plan.batch,
            plan.balance == "sampling",
            plan.augmentation,
            plan.mirror_axes,
            plan.flat,
            plan.seed,
            plan.crop,
        )

    def network(self) -> nn.Module:
        """The network as training begins with it, on the machine's device."""
        return first_network(self.plan, self.run, self.machine.device)

    def batch(self, step: int) -> ClassBatch:
        """The images of a step that fall to this process."""
        return draw_classes(self._drawing, step, self._part)

    def check(self, network: nn.Module) -> Generator[None, None, list[float | None]]:
        """Area under the ROC curve of every class against the others, on what is held out."""
        scores = yield from self.scores(network)
        return areas(scores, self.classes[self.held_out])

    def scores(self, network: nn.Module) -> Generator[None, None, Scores]:
        """Scores ``(held-out case, class)`` of a network, before any softmax."""
        network.eval()
        found = []
        step = 4 * self.plan.batch
        for start in range(0, len(self.held_out), step):
            image = batch_of(self.images, self.held_out[start : start + step])
            half = self.machine.precision != "fp32"
            with torch.inference_mode(), torch.autocast(self.machine.device.type, self.machine.dtype, enabled=half):
                answer = network(image.to(self.machine.device))
            found.append(answer.float().cpu().numpy().astype(np.float64))
            yield
        return np.concatenate(found)

    def usual(self) -> Usual:
        """How the images that are learnt from look."""
        looks = dict(zip(self.images.names, self.images.looks, strict=True))
        return Usual.of([looks[name] for name in self.plan.training])

    def trainer(self, seconds: float | None, together: Together | None = None) -> Trainer:
        """The loop, at its beginning."""
        plan = self.plan
        network = self.network()
        counts = np.bincount(self.classes[self.learning], minlength=len(plan.classes))
        weights = (counts.mean() / np.maximum(counts, 1)).tolist() if plan.balance == "weights" else ()
        return Trainer(
            network,
            self.batch,
            self.check,
            plan.schedule(seconds),
            self.machine,
            self.run.checkpoint,
            # On a CPU a thread beside the network's own would cost it more than it saves.
            workers=0 if self.machine.device.type == "cpu" else 8,
            together=together,
            loss=class_loss(weights, plan.label_smoothing, plan.focus if plan.balance == "focal" else 0.0),
            optimiser=make_optimiser(
                network, plan.optimiser, plan.learning_rate, plan.weight_decay, plan.layer_decay, plan.frozen_share
            ),
            figure="auc",
            seed=plan.seed,
        )


def areas(scores: Scores, classes: NDArray[np.int64]) -> list[float | None]:
    """Area under the ROC curve of every class against the others; None for a class that is not there."""
    top = scores.max(1, keepdims=True)
    shares = np.exp(scores - top)
    shares /= shares.sum(1, keepdims=True)
    return [area_under_roc(classes == number, shares[:, number]) for number in range(scores.shape[1])]
