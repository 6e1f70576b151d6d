"""Train a model on cases of which the answer is known: where something is, or what an image is."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError
from napari_resmed.events import Event, Preview, Progress, Started, Warning
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.carry_out import Finish, best_network, run_to_the_best, take_up, until_it_fits
from napari_resmed.jobs.follow import follow
from napari_resmed.jobs.train_classifier import train_classifier
from napari_resmed.jobs.training import (
    PLANNED,
    STOP,
    TRAINED,
    Training,
    hear_stop,
    target_folder,
    told,
    told_left_out,
)
from napari_resmed.models.as_base import why_no_base
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.models.save import check_model_place
from napari_resmed.predict.machine import Machine, choose_machine
from napari_resmed.predict.memory_plan import free_bytes
from napari_resmed.predict.warm import warm_network
from napari_resmed.prepare.expected_size import expected_size
from napari_resmed.review.misfit import AXES_BEYOND, axes_beyond
from napari_resmed.train.card import training_card
from napari_resmed.train.claim import claim
from napari_resmed.train.fingerprint import Fingerprint, fingerprint, usable
from napari_resmed.train.first_weights import fresh_network, keep_first_weights
from napari_resmed.train.from_viewer import join_cases
from napari_resmed.train.loop import Checked, Trainer
from napari_resmed.train.make_plan import changed, make_plan
from napari_resmed.train.memory import fit_memory
from napari_resmed.train.patch_size import smaller
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.seen_by_base import assumed_background, look_with_base
from napari_resmed.train.session import Session
from napari_resmed.train.transfer import Origin, Transfer, transfer_weights
from napari_resmed.train.wishes import Wishes

__all__ = ["STOP", "Training", "train"]

# Of the minutes allowed, at most this share goes into judging the result at the end.
JUDGING_SHARE = 0.15
# Cases in which a trained model looks for what the new structures are to it.
LOOKED_AT = 2
# Of the minutes allowed, at most this share goes into looking for unpainted places that are background.
ASSUMING_SHARE = 0.1


def train(
    data: str | Path | Sequence[Mapping[str, Any]],
    target: str | Path = "",
    *,
    name: str = "",
    base: str = "",
    minutes: float | None = None,
    epochs: int | None = None,
    care: str = "normal",
    device: str = "auto",
    precision: str = "auto",
    devices: int = 1,
    memory_mb: float | None = None,
    plan: Mapping[str, Any] | None = None,
    resume: bool = False,
    seed: int = 0,
    task: str = "segment",
    fold: tuple[int, int] | None = None,
    search: float | None = None,
    download: bool = False,
    synthetic: float | None = None,
) -> Generator[Event, str | None, Training]:
    """Train a model, or go on training it; ``send("stop")`` ends early and keeps the best.

    Parameters
    ----------
    data:
        A folder or CSV of :func:`napari_resmed.io.datasets.read_dataset`; or cases from a viewer, each with the
        fields of :class:`napari_resmed.case.Case` (``labels``, or ``class_name`` where they are classified).
    target:
        The model folder to write; one in the person's own models where only a name is given.
    name:
        Of the model; the folder's name where empty.
    base:
        A model to start from: name or folder. Empty: from scratch.
    minutes, epochs:
        How long; ten minutes where neither is said. An epoch is one pass over the cases, of at least 50 steps.
    care:
        ``"bold"``, ``"normal"`` or ``"careful"``: how far the weights may move from where they start.
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    devices:
        Processes that share each batch, one per GPU.
    memory_mb:
        How much prepared data may be in memory; a quarter of what the machine has free where it is not said.
    plan:
        Decisions that replace those made here, by name; as in :class:`napari_resmed.train.plan.Plan`.
    resume:
        Go on with the unfinished training of ``target``; ``data``, ``task`` and the rest are then as they were.
    seed:
        Of every random choice.
    task:
        ``"segment"``, or ``"classify"``: then ``data`` is what
        :func:`napari_resmed.io.datasets.classes.read_classes` reads, ``base`` may be a file of weights, and ``plan`` is
        a :class:`napari_resmed.train.classify.plan.ClassPlan`.
    fold:
        Of classification: hold out this part of so many, ``(0, 5)`` the first of five.
    search:
        Of classification: minutes that go into looking for better hyper-parameters, before those of the training.
    download:
        Of classification: whether weights that ``base`` names may be fetched; see
        :mod:`napari_resmed.train.classify.pretrained`.

    synthetic:
        Of segmentation: share 0..1 of the training images that are painted from the label maps, in any contrast; see
        :mod:`napari_resmed.train.painting`. Anything above 0 takes label maps without an image as cases, too; where
        there are no images at all, everything is painted, whatever is said here.

    Raises
    ------
    InputError
        If the data or a parameter cannot be used, or another program is at work on this training.
    ModelError
        If the base model is unknown or damaged.
    WorkError
        If memory or the disk runs out; what was reached is kept and can be gone on with.
    """
    begin = time.perf_counter()
    folder = target_folder(target, name)
    check_model_place(folder)
    wishes = Wishes(minutes, epochs, care, device, precision, devices, memory_mb, seed, search, synthetic)
    run = RunFolder.beside(folder)
    if resume and run.classifies:
        task = "classify"
    if task == "classify":
        if synthetic:
            raise InputError("images are painted from label maps where a model segments only; leave synthetic out")
        steps = train_classifier(data, folder, name or folder.name, base, wishes, plan, resume, fold, download)
    elif task == "segment":
        if search is not None:
            raise InputError("hyper-parameters are searched of classifiers only; leave the search out")
        steps = _whole(data, folder, name or folder.name, base, wishes, plan, resume, begin)
    else:
        raise InputError(f"found the task {task!r}, expected segment or classify")
    with claim(run):
        return (yield from hear_stop(steps))


def _whole(
    data: str | Path | Sequence[Mapping[str, Any]],
    folder: Path,
    name: str,
    base: str,
    wishes: Wishes,
    changes: Mapping[str, Any] | None,
    resume: bool,
    begin: float,
) -> Generator[Event, str | None, Training]:
    run = RunFolder.beside(folder)
    yield Started(f"Training {folder.name}")
    if resume:
        plan, dataset = take_up(run, folder, Plan)
    else:
        known = _base(base) if base else None
        plan, dataset = yield from _decide(data, folder, name, run, known, wishes, changes)
    yield Preview("plan", plan.to_json())
    return (yield from until_it_fits(plan, run, partial(_carry_out, dataset, run, folder, begin), smaller))


def _base(name: str) -> Model:
    base = find_model(name)
    if trouble := why_no_base(base):
        raise InputError(trouble)
    return base


def _decide(
    data: str | Path | Sequence[Mapping[str, Any]],
    folder: Path,
    name: str,
    run: RunFolder,
    base: Model | None,
    wishes: Wishes,
    changes: Mapping[str, Any] | None,
) -> Generator[Event, str | None, tuple[Plan, Dataset]]:
    """Look at the data, decide everything, write it down."""
    yield Progress("Finding the cases", 0.0)
    if isinstance(data, str | Path):
        dataset, notes = read_dataset(Path(data), lonely_labels=bool(wishes.synthetic))
    else:
        dataset, notes = join_cases(data, lonely_labels=bool(wishes.synthetic)), ()
    for note in notes:
        yield Warning(note)
    facts = yield from follow(
        fingerprint(dataset), lambda step: Progress("Looking at the data", PLANNED * step[0] / max(1, step[1]))
    )
    yield from told_left_out([(left.case, left.reason) for left in facts.left_out])
    for note in facts.notes:
        yield Warning(note)
    dataset = usable(dataset, facts)
    if base is not None and base.found_by is not None:
        yield from _told_of_parts(base, facts)
    plan = make_plan(name, dataset, facts, base, wishes)
    if changes:
        plan = changed(plan, changes, wishes.care)
        _check_against(dataset, plan)
    _check_painting(dataset, plan)
    machine = choose_machine(plan.device, plan.precision)
    fitting = fit_memory(plan, _largest(facts, plan), machine, free_bytes(machine))
    if fitting != plan:
        yield Warning(f"memory is short: training begins with {fitting.a_step} a step instead of {plan.a_step}")
        plan = fitting
    used = {*plan.training, *plan.held_out}
    dataset = replace(dataset, cases=tuple(case for case in dataset.cases if case.name in used))
    set_aside = run.begin()
    try:
        dataset = run.keep_dataset(dataset)
        run.keep_facts(facts.to_json())
        moved = None
        if base is not None:
            moved = yield from _start_from(plan, dataset, base, run)
        if moved is not None:
            plan = replace(plan, reasons={**plan.reasons, "start": "; ".join(moved.notes)})
        plan.save(run.plan)
    except BaseException:
        run.give_up(set_aside)
        raise
    if set_aside:
        yield Warning(f"an unfinished training of {folder.name} was set aside; resume would have gone on with it")
    for note in () if moved is None else moved.notes:
        yield Started(note)
    return plan, dataset


def _told_of_parts(base: Model, facts: Fingerprint) -> Iterator[Event]:
    """Training cuts nothing out, as *Segment* does for such a model."""
    large = []
    for case in facts.cases:
        extent = [size * mm for size, mm in zip(case.grid_shape, case.spacing_mm, strict=True)]
        if axes_beyond(extent, base) >= AXES_BEYOND:
            large.append(case.name)
    if large:
        more = f" and {len(large) - 1} more show" if len(large) > 1 else " shows"
        yield Warning(
            f"{large[0]}{more} much more than {base.name} was trained on: it answers its part cut out of such an "
            "image, and training cuts nothing out; cut the images to the part, or start from another model"
        )


def _largest(facts: Fingerprint, plan: Plan) -> tuple[int, ...]:
    """Size ``(z, y, x)`` of the largest case on the network's grid."""
    grids = (expected_size(case.grid_shape, case.spacing_mm, plan.preparation) for case in facts.cases)
    return max(grids, key=math.prod)


def _check_against(dataset: Dataset, plan: Plan) -> None:
    """Refuse what a person changed in a plan so that it no longer speaks of these data."""
    strangers = sorted({*plan.training, *plan.held_out} - {case.name for case in dataset.cases})
    if strangers:
        raise InputError(f"the plan has a case {strangers[0]}, which is not there or was left out")
    if plan.labels.values != dataset.labels.values:
        found, expected = (", ".join(map(str, labels.values)) for labels in (plan.labels, dataset.labels))
        raise InputError(f"the plan's labels are the values {found}, expected those of the data, {expected}")
    if len(plan.channels) != len(dataset.channels):
        raise InputError(
            f"the plan has the channels {', '.join(plan.channels)}, the data have {', '.join(dataset.channels)}"
        )


def _check_painting(dataset: Dataset, plan: Plan) -> None:
    """Refuse painted images, which lie in 0 to 1, beside others that do not."""
    learnt = {*plan.training, *plan.held_out}
    painted = plan.synthetic > 0 or any(case.name in learnt and not case.has_image for case in dataset.cases)
    if painted and not plan.preparation.ends_in_unit_range:
        raise InputError(
            f"{plan.base or plan.name} sees images on a scale of its own, and those that training paints from labels "
            "lie in 0 to 1; start from another model or from none, or let nothing be painted and leave out label maps "
            "without an image"
        )


def _start_from(plan: Plan, dataset: Dataset, base: Model, run: RunFolder) -> Generator[Event, str | None, Transfer]:
    """Write down the weights training begins with, and what the base tells of places that nobody painted."""
    machine = choose_machine(plan.device, plan.precision)
    names = [label.name for label in plan.labels]
    origins: dict[str, Origin] = {}
    notes: tuple[str, ...] = ()
    if len(plan.channels) == len(base.channels):
        session, known = Session(plan, dataset, run), warm_network(base, machine)
        seen = yield from follow(
            look_with_base(base, known, machine, session.some_cases(LOOKED_AT), len(names)),
            lambda _: Progress(f"Looking with {base.name}", PLANNED),
        )
        origins = seen.origins(names)
        if (yield from _assume(session, base, known, seen.empty_classes)):
            notes = (f"unpainted places that {base.name} takes for something else for certain count as background",)
    network = fresh_network(plan)
    weights = warm_network(base, Machine(torch.device("cpu"), "fp32")).state_dict()
    moved = transfer_weights(network, base, weights, names, plan.channels, origins)
    keep_first_weights(network, run)
    return replace(moved, notes=(*moved.notes, *notes))


def _assume(
    session: Session, base: Model, network: torch.nn.Module, empty: Sequence[int]
) -> Generator[Event, str | None, bool]:
    """Take unpainted places for background where the base has no doubt that they are something else; whether any are.

    Not every place of many cases: as far as a part of the time goes.
    """
    minutes = session.plan.minutes
    end = math.inf if minutes is None else time.perf_counter() + ASSUMING_SHARE * minutes * 60
    some = False
    for number, case in session.partly_known():
        if time.perf_counter() > end or not empty:
            break
        where = yield from follow(
            assumed_background(base, network, session.machine, case, empty),
            lambda _: Progress(f"Looking with {base.name}", PLANNED),
        )
        session.store.assume_background(number, where)
        some = some or bool(where.any())
    return some


def _carry_out(
    dataset: Dataset, run: RunFolder, folder: Path, begin: float, plan: Plan
) -> Generator[Event, str | None, Training]:
    """From the plan to the model folder."""
    names = [label.name for label in plan.labels]
    yield Progress("Preparing the cases", PLANNED)
    session = Session(plan, dataset, run)
    trainer = session.trainer(None)
    expected = ""
    if not trainer.load():
        yield from _get_ready(session, trainer, begin)
        expected = session.expects_little()
        if expected:
            yield Warning(expected)
    trainer.schedule = plan.schedule(trainer.state.allowed_seconds)
    stopped = yield from run_to_the_best(session, trainer, partial(_told, session, names))
    best = best_network(session, trainer)
    dice = yield from follow(session.judge(best), lambda _: Progress("Judging the result", TRAINED))
    little = session.little()
    if little and little != expected:
        yield Warning(little)
    facts = {
        "fingerprint": run.facts_without_names(),
        "familiar": session.familiar(run.read_facts()).to_json(),
    }
    return (
        yield from Finish(session, trainer, names, "Dice", begin, stopped, little).write(
            folder, dice, partial(training_card, little=little), facts
        )
    )


def _get_ready(session: Session, trainer: Trainer, begin: float) -> Generator[Event, str | None, None]:
    """Judge what it starts from, and share out the time."""
    lap = time.perf_counter()
    watched, session.watched = session.watched, 1
    yield from follow(session.check(trainer.average), lambda _: Progress("Preparing the cases", PLANNED))
    a_case = time.perf_counter() - lap
    session.watched = watched
    if session.plan.base:
        trainer.state.before = yield from follow(
            session.judge(trainer.average), lambda _: Progress("Judging what it starts from", PLANNED)
        )
    minutes = session.plan.minutes
    if minutes is not None:
        judging = min(JUDGING_SHARE * minutes * 60, 1.2 * a_case * len(session.held_out))
        trainer.state.allowed_seconds = max(1.0, minutes * 60 - (time.perf_counter() - begin) - judging)


def _told(session: Session, names: Sequence[str], look: Checked) -> Iterator[Event]:
    yield from told(look, names, "Dice")
    if session.look is not None:
        yield Preview("held-out slice", vars(session.look))
