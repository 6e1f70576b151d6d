"""A training under way: plan, prepared cases, network and loop together."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from torch import nn

from napari_resmed.case import Dataset
from napari_resmed.predict.machine import Machine, choose_machine
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.review.appearance import appearance_of
from napari_resmed.review.familiar import Familiar
from napari_resmed.review.quality import Look as Seen
from napari_resmed.train.case_facts import CaseFacts
from napari_resmed.train.familiar import Answered, familiar_with
from napari_resmed.train.first_weights import first_network
from napari_resmed.train.held_out import WATCHED, Look, dice_per_case, look_at, mean_dice
from napari_resmed.train.little_held_out import Shown, shown_in, why_hardly
from napari_resmed.train.loop import Trainer
from napari_resmed.train.loss import segmentation_loss
from napari_resmed.train.patches import Batch, draw_batch
from napari_resmed.train.plan import Plan
from napari_resmed.train.rates import make_optimiser
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.store import Prepared, Store
from napari_resmed.train.together import Together

__all__ = ["Session"]

# Cases whose looks are kept as a mean and a covariance; more would hardly change these.
MOST_LOOKS = 100
# Held-out cases in which it is looked for too little before training; more are hardly ever too little.
FEW = 2


class Session:
    """Everything one process of a training needs, made from its run folder.

    Parameters
    ----------
    plan, dataset, run:
        As they stand in the run folder.
    rank, ranks:
        Which of how many processes that share each batch.
    """

    def __init__(self, plan: Plan, dataset: Dataset, run: RunFolder, rank: int = 0, ranks: int = 1) -> None:
        self.plan = plan
        self.run = run
        self.machine: Machine = choose_machine(plan.device, plan.precision)
        self.store = Store(dataset, plan.preparation, run.prepared, plan.memory_mb / ranks)
        self.look: Look | None = None
        self.answered: list[Answered] = []  # of the last time that all was judged
        self.shown: list[Shown] = []  # what there was to find then
        self._part = slice(rank, None, ranks)
        numbers = {name: number for number, name in enumerate(self.store.names)}
        self._learning = [numbers[name] for name in plan.training]
        self.held_out: list[tuple[str, Callable[[], Prepared]]]
        if plan.held_out:
            self.held_out = [(name, partial(self.store.__getitem__, numbers[name])) for name in plan.held_out]
        else:
            self.held_out = [(self.store.names[n], partial(self._half, n, 1)) for n in self._learning]
        self.watched = min(WATCHED, len(self.held_out))

    def network(self) -> nn.Module:
        """The network as training begins with it, on the machine's device."""
        return first_network(self.plan, self.run, self.machine.device)

    def some_cases(self, count: int) -> Iterator[Prepared]:
        """The first few that are learnt from, of those that have an image where some do."""
        cases = self.store.dataset.cases
        pictured = [number for number in self._learning if cases[number].has_image]
        return (self._case(number) for number in (pictured or self._learning)[:count])

    def _is_whole(self, name: str) -> bool:
        """Whether what was held out of a case is a whole image, but for structures that nobody looked for."""
        dataset = self.store.dataset
        case = dataset.cases[self.store.names.index(name)]
        return (
            bool(self.plan.held_out) and not case.only_painted and (dataset.ignored is None or case.annotated is None)
        )

    def partly_known(self) -> Iterator[tuple[int, Prepared]]:
        """Number and case of those in which some voxels are known and others are not."""
        for number, case in enumerate(self.store.dataset.cases):
            # Of many cases those that cannot be are not prepared for it.
            if case.only_painted or case.annotated is not None or self.store.dataset.ignored is not None:
                prepared = self.store[number]
                if (prepared.target == UNKNOWN).any():
                    yield number, prepared

    def batch(self, step: int) -> Batch:
        """The patches of a step that fall to this process."""
        plan = self.plan
        return draw_batch(self._case, self._learning, plan.sampling, plan.augmentation, plan.seed, step, self._part)

    def check(self, network: nn.Module) -> Generator[None, None, list[float | None]]:
        """Dice by structure on the watched part of what is held out; also takes the picture to show."""
        return mean_dice((yield from self._judge(network, self.held_out[: self.watched])))

    def judge(self, network: nn.Module) -> Generator[None, None, list[float | None]]:
        """Dice by structure on all that is held out."""
        return mean_dice((yield from self._judge(network, self.held_out)))

    def little(self) -> str:
        """Why the Dice is hardly a figure, as far as what was judged last tells; empty where it is one."""
        return why_hardly(self.shown, [label.name for label in self.plan.labels])

    def expects_little(self) -> str:
        """The same before anything is judged, where no more than a few cases are held out."""
        few = self.held_out if len(self.held_out) <= FEW else []
        return why_hardly((shown_in(load()) for _, load in few), [label.name for label in self.plan.labels])

    def familiar(self, facts: Sequence[CaseFacts]) -> Familiar:
        """What the model is familiar with, after all was judged; ``facts`` are the data set's."""
        plan = self.plan
        used = {*plan.training, *plan.held_out}
        known = [case for case in facts if case.name in used]
        seen = {case.name for case in self.store.dataset.cases if case.name in used}
        if plan.synthetic:  # in any contrast: how those look that have an image says little of what it knows
            known = [replace(case, has_image=False) for case in known]
            seen -= {case.name for case in self.store.dataset.cases if case.has_image}
        numbers = [number for number, name in enumerate(self.store.names) if name in seen][:MOST_LOOKS]
        looks = [
            Seen({}, tuple(appearance_of(channel.astype(np.float32)) for channel in self.store[number].image))
            for number in numbers
        ]
        return familiar_with(known, looks, self.answered, plan.labels)

    def trainer(self, seconds: float | None, together: Together | None = None) -> Trainer:
        """The loop, at its beginning."""
        on_cpu = self.machine.device.type == "cpu"
        network = self.network()
        return Trainer(
            network,
            self.batch,
            self.check,
            self.plan.schedule(seconds),
            self.machine,
            self.run.checkpoint,
            # On a CPU a thread beside the network's own would cost it more than it saves (measured: a third).
            workers=0 if on_cpu else 8,
            together=together,
            loss=segmentation_loss(self.plan.background_classes),
            optimiser=make_optimiser(network, self.plan.optimiser, self.plan.learning_rate, self.plan.weight_decay),
        )

    def _case(self, number: int) -> Prepared:
        return self.store[number] if self.plan.held_out else self._half(number, 0)

    def _half(self, number: int, which: int) -> Prepared:
        """What is learnt from (0) or held out (1) of a case that is split, as there is a single patient."""
        return self.store.halves(number)[which]

    def _judge(
        self, network: nn.Module, cases: Sequence[tuple[str, Callable[[], Prepared]]]
    ) -> Generator[None, None, list[list[float | None]]]:
        network.eval()
        self.answered, self.shown = [], []
        plan = self.plan
        steps = dice_per_case(
            network,
            [load for _, load in cases],
            self.machine,
            plan.patch,
            plan.background_classes,
            {number: wish for number, label in enumerate(plan.labels, 1) if (wish := plan.cleanup.get(label.value))},
            math.prod(plan.preparation.spacing_mm),
        )
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                rows: list[list[float | None]] = end.value
                return rows
            if step is not None:
                number, answer, case, certainty = step
                whole = self._is_whole(cases[number][0])
                answered = Answered.of(answer, case, certainty) if whole else None
                self.answered += [] if answered is None else [answered]
                self.shown.append(shown_in(case))
                if number == 0:
                    self.look = look_at(cases[number][0], answer, case, plan.preparation.spacing_mm)
            yield
