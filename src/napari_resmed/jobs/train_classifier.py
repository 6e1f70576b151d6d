"""Train a model that tells what an image as a whole is."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

import napari_resmed
from napari_resmed.case import Dataset
from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Preview, Progress, Started, Warning
from napari_resmed.io.datasets.classes import read_classes
from napari_resmed.jobs.follow import follow
from napari_resmed.jobs.training import PLANNED, TRAINED, Training, run_loop, told
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.nets.backbones import ENCODER
from napari_resmed.nets.encoders import ENCODERS
from napari_resmed.predict.machine import choose_machine, is_out_of_memory
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.card import LICENCE
from napari_resmed.train.classify.calibrate import fit_temperature
from napari_resmed.train.classify.card import class_card
from napari_resmed.train.classify.checkpoint import read_checkpoint, recognise_resnet, take_weights
from napari_resmed.train.classify.images import prepare_images
from napari_resmed.train.classify.make_plan import Start, Usable, make_class_plan
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.session import ClassSession, areas
from napari_resmed.train.classify.view import View, decide_view
from napari_resmed.train.from_viewer import join_classes
from napari_resmed.train.loop import AstrayError, Trainer
from napari_resmed.train.make_plan import Wishes
from napari_resmed.train.run_folder import RunFolder

__all__ = ["train_classifier"]

# Of the minutes allowed, at most this share goes into judging the result at the end.
JUDGING_SHARE = 0.1


@dataclass(frozen=True)
class _Base:
    """What training starts from."""

    name: str
    path: Path
    arguments: Mapping[str, Any]
    model: Model | None = None


def train_classifier(
    data: str | Path | Sequence[Mapping[str, Any]],
    folder: Path,
    name: str,
    base: str,
    wishes: Wishes,
    changes: Mapping[str, Any] | None,
    resume: bool,
    fold: tuple[int, int] | None = None,
) -> Generator[Event, str | None, Training]:
    """The part of :func:`napari_resmed.jobs.train.train` that is this task's.

    Parameters
    ----------
    data:
        What :func:`napari_resmed.io.datasets.classes.read_classes` reads; or what
        :func:`napari_resmed.train.from_viewer.join_classes` takes.
    folder, name:
        Of the model.
    base:
        A model's name or folder, or a checkpoint file; empty for none.
    wishes, changes, resume:
        As of the whole job.
    fold:
        As of :func:`napari_resmed.train.classify.make_plan.make_class_plan`.

    Raises
    ------
    ResMedError
        As of the whole job.
    """
    begin = time.perf_counter()
    if wishes.devices > 1:
        raise InputError(f"found {wishes.devices} devices; training a classifier takes one so far")
    run = RunFolder.beside(folder)
    yield Started(f"Training {folder.name}")
    if resume:
        if not run.is_unfinished:
            where = "is finished; start from it to train on" if folder.exists() else "has no unfinished training"
            raise InputError(f"there is nothing to resume: {folder.name} {where}")
        plan, dataset = ClassPlan.load(run.plan), run.read_dataset()
    else:
        known = _base(base) if base else None
        plan, dataset = yield from _decide(data, folder, name, run, known, wishes, changes or {}, fold)
    yield Preview("plan", plan.to_json())
    try:
        return (yield from _carry_out(plan, dataset, run, folder, begin))
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise WorkError(
            "out of memory; close other programs and resume, or train anew with a smaller batch in the plan"
        ) from problem


def _base(name: str) -> _Base:
    """A model, or a file of weights."""
    path = Path(name)
    if path.is_file():
        known = recognise_resnet(read_checkpoint(path))
        if known is None:
            raise ModelError(
                f"{path.name} holds weights of an unknown network; expected those of a ResNet, or a model folder"
            )
        return _Base(path.name, path, {key: known[key] for key in ("spatial_dims", "backbone", "backbone_arguments")})
    model = find_model(name)
    assert model.folder is not None
    if model.classifies:
        kept = {k: v for k, v in model.arguments.items() if k not in ("in_channels", "out_channels")}
        return _Base(model.name, model.folder, kept, model)
    if model.network not in ENCODERS:
        raise ModelError(f"{model.name} is a {model.network}, whose encoder cannot be taken; expected {ENCODERS[0]}")
    own = {"network": model.network, "arguments": dict(model.arguments)}
    return _Base(model.name, model.folder, {"spatial_dims": 3, "backbone": ENCODER, "backbone_arguments": own}, model)


def _decide(
    data: str | Path | Sequence[Mapping[str, Any]],
    folder: Path,
    name: str,
    run: RunFolder,
    base: _Base | None,
    wishes: Wishes,
    changes: Mapping[str, Any],
    fold: tuple[int, int] | None,
) -> Generator[Event, str | None, tuple[ClassPlan, Dataset]]:
    """Look at the data, prepare them, decide everything, write it down."""
    yield Progress("Finding the cases", 0.0)
    dataset, notes = read_classes(data) if isinstance(data, str | Path) else (join_classes(data), ())
    for note in notes:
        yield Warning(note)
    machine = choose_machine(wishes.device, wishes.precision)
    kind = "cpu" if machine.device.type == "cpu" else "gpu"
    view = _changed_view(_view_of(decide_view(dataset, kind), base, dataset), changes)
    set_aside = run.begin()
    try:
        dataset = run.keep_dataset(dataset)
        images = yield from follow(
            prepare_images(dataset, view.preparation, view.patch, view.fit, run.prepared),
            lambda share: Progress("Preparing the images", PLANNED * share),
        )
        for case, why in images.left_out:
            yield Warning(f"{case} is left out: {why}")
        start = None if base is None else Start(base.name, base.arguments)
        usable = Usable(images.names, images.left_out)
        plan = make_class_plan(name, dataset, usable, view, start, wishes, kind, fold)
        if changes:
            plan = ClassPlan.from_json({**plan.to_json(), **changes})
            _check_against(dataset, plan)
        taken: tuple[str, ...] = ()
        if base is not None:
            taken = _start_from(plan, base, run)
            plan = replace(plan, reasons={**plan.reasons, "start": "; ".join(taken)})
        plan.save(run.plan)
    except BaseException:
        run.give_up(set_aside)
        raise
    if set_aside:
        yield Warning(f"an unfinished training of {folder.name} was set aside; resume would have gone on with it")
    for note in taken:
        yield Started(note)
    return plan, dataset


def _view_of(view: View, base: _Base | None, dataset: Dataset) -> View:
    """As the model sees images that training starts from, where it does."""
    model = None if base is None else base.model
    if base is not None and (base.arguments["spatial_dims"] == 2) is not view.flat:
        takes, found = ("volumes", "single slices") if view.flat else ("single slices", "volumes")
        raise InputError(f"{base.name} takes {takes}, the images are {found}; start from another model")
    if model is None:
        return view
    windows = model.preparation.windows if len(model.channels) == len(dataset.channels) else ()
    reasons = {**view.reasons, "patch": f"as {model.name} sees images"}
    if model.classifies:
        return View(replace(model.preparation, windows=windows), model.patch, model.fit, view.flat, reasons)
    # Of a segmentation model the intensities count, and voxels no finer than it knows.
    spacing = tuple(max(pair) for pair in zip(view.preparation.spacing_mm, model.preparation.spacing_mm, strict=True))
    a, b, c = spacing
    preparation = replace(model.preparation, spacing_mm=(a, b, c), windows=windows)
    return View(preparation, view.patch, view.fit, view.flat, reasons)


def _changed_view(view: View, changes: Mapping[str, Any]) -> View:
    """What a person wants seen otherwise."""
    patch, fit = changes.get("patch", view.patch), str(changes.get("fit", view.fit))
    preparation = view.preparation
    if "preparation" in changes:
        preparation = Preparation.from_json(changes["preparation"])
    if len(patch) != 3 or not all(isinstance(edge, int) and edge > 0 for edge in patch):
        raise InputError(f"the plan's patch is {list(patch)}, expected three whole numbers of voxels (z, y, x)")
    return View(preparation, (patch[0], patch[1], patch[2]), fit, view.flat, view.reasons)


def _check_against(dataset: Dataset, plan: ClassPlan) -> None:
    """Refuse what a person changed in a plan so that it no longer speaks of these data."""
    if plan.classes != dataset.classes or plan.channels != dataset.channels:
        raise InputError(
            f"the plan has the classes {', '.join(plan.classes)} and the channels {', '.join(plan.channels)}, expected "
            f"those of the data, {', '.join(dataset.classes)} and {', '.join(dataset.channels)}"
        )
    if plan.flat is not (plan.patch[0] == 1):
        raise InputError(
            f"the plan's network has {plan.arguments.get('spatial_dims')} spatial dimensions, which does not go with a "
            f"patch of {'×'.join(map(str, plan.patch))}"
        )


def _start_from(plan: ClassPlan, base: _Base, run: RunFolder) -> tuple[str, ...]:
    """Write down the weights training begins with; what was taken, in sentences."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build_network(plan.network, plan.arguments)
    taken = take_weights(network, read_checkpoint(base.path), base.name)
    try:
        torch.save(network.state_dict(), run.base)
    except (OSError, RuntimeError) as problem:  # torch tells a full disk in its own words
        raise WorkError(f"could not write {run.base}: the disk may be full") from problem
    return taken.notes


def _carry_out(
    plan: ClassPlan, dataset: Dataset, run: RunFolder, folder: Path, begin: float
) -> Generator[Event, str | None, Training]:
    """From the plan to the model folder."""
    session = ClassSession(plan, dataset, run)
    trainer = session.trainer(None)
    if not trainer.load():
        lap = time.perf_counter()
        figures = yield from follow(session.check(trainer.average), lambda _: Progress("Preparing the images", PLANNED))
        if plan.base:
            trainer.state.before = figures
        if plan.minutes is not None:
            judging = min(JUDGING_SHARE * plan.minutes * 60, 1.2 * (time.perf_counter() - lap))
            spent = time.perf_counter() - begin
            trainer.state.allowed_seconds = max(1.0, plan.minutes * 60 - spent - judging)
    trainer.schedule = plan.schedule(trainer.state.allowed_seconds)
    try:
        stopped = yield from run_loop(trainer.run(), lambda look: told(look, plan.classes, "AUC"))
    except AstrayError as problem:
        if not trainer.best_weights:
            raise
        yield Warning(f"{problem}; the best that was reached is kept")
        stopped = True
    return (yield from _finish(session, trainer, folder, begin, stopped))


def _finish(
    session: ClassSession, trainer: Trainer, folder: Path, begin: float, stopped: bool
) -> Generator[Event, str | None, Training]:
    """Judge the best weights, calibrate them, write the model, clear up."""
    plan, state = session.plan, trainer.state
    if not trainer.best_weights:  # stopped before the first look
        trainer.keep_as_best()
    best = session.network()
    best.load_state_dict(trainer.best_weights)
    scores = yield from follow(session.scores(best), lambda _: Progress("Judging the result", TRAINED))
    truth = session.classes[session.held_out]
    found = areas(scores, truth)
    after = dict(zip(plan.classes, found, strict=True))
    before = dict(zip(plan.classes, state.before or [None] * len(plan.classes), strict=True))
    known = [value for value in found if value is not None]
    mean = sum(known) / len(known) if known else None
    temperature = fit_temperature(scores, truth)
    shares = softmax(scores / temperature, axis=1)
    right = shares.argmax(1) == truth
    recalls = [right[truth == number].mean() for number in np.unique(truth)]
    figures = {"accuracy": float(right.mean()), "balanced accuracy": float(np.mean(recalls))}
    seconds = time.perf_counter() - begin
    model = plan.model(
        description=f"{', '.join(plan.classes)}; trained by its user.",
        measured={"held-out AUC": {"mean": mean, **after}, **{f"held-out {key}": v for key, v in figures.items()}},
        training={
            "program": f"napari-resmed {napari_resmed.__version__}",
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "plan": plan.without_names(),
            "history": state.history,
            "quality": session.usual_ranges(),
        },
        temperature=temperature,
    )
    yield Progress("Writing the model", 0.99)
    card = class_card(plan, before, after, figures, state.history, seconds)
    save_model(model, trainer.best_weights, folder, card=card, licence=LICENCE)
    if not stopped:
        session.run.remove()
    return Training(
        name=plan.name,
        model=str(folder),
        best_metric=mean,
        before=before,
        after=after,
        history=state.history,
        seconds={"loop": round(state.seconds, 1), "total": round(seconds, 1)},
        plan=plan.to_json(),
        stopped=stopped,
    )
