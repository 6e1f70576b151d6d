"""Train a model that tells what an image as a whole is."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from torch import Tensor

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Event, Preview, Progress, Started, Warning
from napari_resmed.io.datasets.classes import read_classes
from napari_resmed.jobs.carry_out import Finish, best_network, run_to_the_best, take_up, until_it_fits
from napari_resmed.jobs.follow import follow
from napari_resmed.jobs.search_classifier import search_classifier
from napari_resmed.jobs.training import PLANNED, TRAINED, Training, told, told_left_out
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.nets.backbones import ENCODER
from napari_resmed.nets.encoders import ENCODERS
from napari_resmed.predict.machine import check_devices, choose_machine
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.review.quality import GOOD, judge_each
from napari_resmed.train.classify.calibrate import fit_temperature
from napari_resmed.train.classify.card import class_card
from napari_resmed.train.classify.checkpoint import read_checkpoint, take_weights
from napari_resmed.train.classify.images import Images, prepare_images
from napari_resmed.train.classify.make_plan import Start, Usable, make_class_plan, smaller_batch
from napari_resmed.train.classify.monais import DENSENETS, EFFICIENTNETS, PREFIX
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.pretrained import fetch_weights
from napari_resmed.train.classify.recognise import recognise
from napari_resmed.train.classify.session import ClassSession, areas
from napari_resmed.train.classify.view import View, decide_view
from napari_resmed.train.first_weights import fresh_network, keep_first_weights
from napari_resmed.train.from_viewer import join_classes
from napari_resmed.train.loop import Trainer
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.same_images import kept_for_test, notes_of_same, patients_of
from napari_resmed.train.wishes import Wishes

__all__ = ["train_classifier"]

# Unusual images that are told of one by one.
TOLD = 10
# Of the minutes allowed, at most this share goes into judging the result at the end.
JUDGING_SHARE = 0.1


@dataclass(frozen=True)
class _Base:
    """What training starts from; ``network`` is empty where any with its backbone will do."""

    name: str
    weights: Mapping[str, Tensor]
    arguments: Mapping[str, Any]
    network: str = ""
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
    download: bool = False,
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
        A model's name or folder, a checkpoint file, or one of MONAI's pretrained networks; empty for none.
    wishes, changes, resume, download:
        As of the whole job.
    fold:
        As of :func:`napari_resmed.train.classify.make_plan.make_class_plan`.

    Raises
    ------
    ResMedError
        As of the whole job.
    """
    begin = time.perf_counter()
    run = RunFolder.beside(folder)
    yield Started(f"Training {folder.name}")
    if resume:
        plan, dataset = take_up(run, folder, ClassPlan)
    else:
        known = _base(base, download) if base else None
        plan, dataset = yield from _decide(data, folder, name, run, known, wishes, changes or {}, fold)
    yield Preview("plan", plan.to_json())
    if plan.search is not None:
        searching = time.perf_counter()
        plan = yield from search_classifier(plan, dataset, run)
        yield Preview("plan", plan.to_json())
        # The minutes are those of the training; the search has its own.
        begin += time.perf_counter() - searching
    return (yield from until_it_fits(plan, run, partial(_carry_out, dataset, run, folder, begin), smaller_batch))


def _base(name: str, download: bool) -> _Base:
    """A model, a file of weights, or one of MONAI's networks."""
    if name.startswith(PREFIX):
        return _Base(name, *fetch_weights(name, download))
    path = Path(name)
    if path.is_file():
        weights = read_checkpoint(path)
        known = recognise(weights)
        if known is None:
            raise ModelError(
                f"{path.name} holds weights of an unknown network; expected those of a ResNet, of one of MONAI's "
                f"networks ({', '.join((*DENSENETS, *EFFICIENTNETS))}), or a model folder"
            )
        arguments = {key: known[key] for key in ("spatial_dims", "backbone", "backbone_arguments")}
        return _Base(path.name, weights, arguments)
    model = find_model(name)
    assert model.folder is not None
    if not model.classifies and model.network not in ENCODERS:
        raise ModelError(f"{model.name} is a {model.network}, whose encoder cannot be taken; expected {ENCODERS[0]}")
    weights = read_checkpoint(model.folder)
    if model.classifies:
        kept = {k: v for k, v in model.arguments.items() if k not in ("in_channels", "out_channels")}
        return _Base(model.name, weights, kept, model.network, model)
    own = {"network": model.network, "arguments": dict(model.arguments)}
    arguments = {"spatial_dims": 3, "backbone": ENCODER, "backbone_arguments": own}
    return _Base(model.name, weights, arguments, "ImageClassifier", model)


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
    check_devices(machine, wishes.devices)
    kind = "cpu" if machine.device.type == "cpu" else "gpu"
    view = _changed_view(_view_of(decide_view(dataset, kind), base, dataset), changes)
    set_aside = run.begin()
    try:
        dataset = run.keep_dataset(dataset)
        images = yield from follow(
            prepare_images(dataset, view.preparation, view.patch, view.fit, run.prepared, view.frames),
            lambda share: Progress("Preparing the images", PLANNED * share),
        )
        usable, dataset, of_same = _on_one_side(dataset, images)
        if images.same:
            run.keep_dataset(dataset)
        yield from told_left_out(usable.left_out)
        for note in of_same:
            yield Warning(note)
        start = None if base is None else Start(base.name, base.arguments, base.network)
        plan = make_class_plan(name, dataset, usable, view, start, wishes, kind, fold)
        if changes:
            plan = ClassPlan.from_json({**plan.to_json(), **changes})
            _check_against(dataset, plan)
        said = zip(images.names, judge_each(images.looks), strict=True)
        used = {*plan.training, *plan.held_out}
        plan = replace(plan, unusual=tuple((case, words) for case, words in said if case in used and words != GOOD))
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
    for case, words in plan.unusual[:TOLD]:
        yield Warning(f"{case} looks unusual and is used all the same: {words}")
    if len(plan.unusual) > TOLD:
        yield Warning(f"{len(plan.unusual) - TOLD} more images look unusual; the plan lists them under 'unusual'")
    for note in taken:
        yield Started(note)
    return plan, dataset


def _on_one_side(dataset: Dataset, images: Images) -> tuple[Usable, Dataset, list[str]]:
    """What can be used, the data set with cases of one image as one patient's, and what is to be said of those."""
    of = {case.name: case for case in dataset.cases}
    tested = kept_for_test([of[name] for name in images.names], images.same)
    names = tuple(name for name in images.names if name not in tested)
    same = tuple(left for members in images.same if len(left := tuple(n for n in members if n not in tested)) > 1)
    kept = [of[name] for name in names]
    patients = patients_of(kept, same)
    joined = tuple(replace(case, group=patients.get(case.name, case.group)) for case in dataset.cases)
    usable = Usable(names, (*images.left_out, *tested.items()))
    return usable, replace(dataset, cases=joined), notes_of_same(kept, same)


def _view_of(view: View, base: _Base | None, dataset: Dataset) -> View:
    """As the model sees images that training starts from, where it does."""
    if base is None:
        return view
    model = base.model
    if model is not None and model.classifies:
        _check_sight(model, view)
    # Weights of slices alone are made those of volumes, and those of volumes see a loop of slices as one.
    elif base.arguments["spatial_dims"] == 3 and view.flat and not view.series:
        raise InputError(f"{base.name} takes volumes, the images are single slices; start from another model")
    if model is None:
        return view
    reasons = {**view.reasons, "patch": f"as {model.name} sees images"}
    preparation = replace(
        model.preparation, windows=model.preparation.windows if len(model.channels) == len(dataset.channels) else ()
    )
    if view.series and (preparation.normalization or preparation.intensity):
        # Done frame by frame, it would undo what a series shows: how intensities change.
        preparation = replace(preparation, normalization=(), intensity=(), intensity_first=False)
        reasons["intensities"] = f"alike in all frames, and so not those of {model.name}"
    if model.classifies:
        return View(preparation, model.patch, model.fit, view.flat, reasons, model.frames or view.frames)
    # Of a segmentation model the intensities count, and voxels no finer than it knows.
    spacing = tuple(max(pair) for pair in zip(view.preparation.spacing_mm, preparation.spacing_mm, strict=True))
    a, b, c = spacing
    preparation = replace(
        preparation,
        spacing_mm=(a, b, c),
        # Single slices are not turned, wherever they lie.
        orientation=view.preparation.orientation if view.flat else preparation.orientation,
        crop_nonzero=view.preparation.crop_nonzero,
    )
    return View(preparation, view.patch, view.fit, view.flat, reasons, view.frames)


def _check_sight(model: Model, view: View) -> None:
    """Refuse to start from a classifier of other images."""
    kinds = {True: "single slices", False: "volumes"}
    takes, found = kinds[model.patch[0] == 1], kinds[view.flat]
    if takes == found and bool(model.frames) is view.series:
        return
    # One that sees an image as a whole can see frame by frame.
    if takes == found and view.series and model.network == "ImageClassifier":
        return
    takes, found = f"series of {takes}" if model.frames else takes, f"series of {found}" if view.series else found
    raise InputError(f"{model.name} takes {takes}, the images are {found}; start from another model")


def _changed_view(view: View, changes: Mapping[str, Any]) -> View:
    """What a person wants seen otherwise."""
    patch, fit = changes.get("patch", view.patch), str(changes.get("fit", view.fit))
    preparation = view.preparation
    if "preparation" in changes:
        preparation = Preparation.from_json(changes["preparation"])
    if len(patch) != 3 or not all(isinstance(edge, int) and edge > 0 for edge in patch):
        raise InputError(f"the plan's patch is {list(patch)}, expected three whole numbers of voxels (z, y, x)")
    frames = changes.get("frames", view.frames)
    if not isinstance(frames, int) or (frames > 1) is not view.series:
        expected = "2 or more" if view.series else "0: the images have no time"
        raise InputError(f"the plan's frames are {frames!r}, expected {expected}")
    return View(preparation, (patch[0], patch[1], patch[2]), fit, view.flat, view.reasons, frames)


def _check_against(dataset: Dataset, plan: ClassPlan) -> None:
    """Refuse what a person changed in a plan so that it no longer speaks of these data."""
    if plan.classes != dataset.classes or plan.channels != dataset.channels:
        raise InputError(
            f"the plan has the classes {', '.join(plan.classes)} and the channels {', '.join(plan.channels)}, expected "
            f"those of the data, {', '.join(dataset.classes)} and {', '.join(dataset.channels)}"
        )
    if plan.arguments.get("spatial_dims") != (2 if plan.flat else 3) + (plan.frames > 0):
        frames = f" and {plan.frames} frames" if plan.frames else ""
        raise InputError(
            f"the plan's network has {plan.arguments.get('spatial_dims')} dimensions, which does not go with a "
            f"patch of {'×'.join(map(str, plan.patch))}{frames}"
        )


def _start_from(plan: ClassPlan, base: _Base, run: RunFolder) -> tuple[str, ...]:
    """Write down the weights training begins with; what was taken, in sentences."""
    network = fresh_network(plan)
    taken = take_weights(network, base.weights, base.name)
    keep_first_weights(network, run)
    return taken.notes


def _carry_out(
    dataset: Dataset, run: RunFolder, folder: Path, begin: float, plan: ClassPlan
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
    stopped = yield from run_to_the_best(session, trainer, lambda look: told(look, plan.classes, "AUC"))
    finish = Finish(session, trainer, plan.classes, "AUC", begin, stopped)
    return (yield from _judge(session, trainer, finish, folder))


def _judge(
    session: ClassSession, trainer: Trainer, finish: Finish, folder: Path
) -> Generator[Event, str | None, Training]:
    """Judge the best weights, calibrate them, and write them down."""
    best = best_network(session, trainer)
    scores = yield from follow(session.scores(best), lambda _: Progress("Judging the result", TRAINED))
    truth = session.classes[session.held_out]
    temperature = fit_temperature(scores, truth)
    right = softmax(scores / temperature, axis=1).argmax(1) == truth
    recalls = [right[truth == number].mean() for number in np.unique(truth)]
    figures = {"accuracy": float(right.mean()), "balanced accuracy": float(np.mean(recalls))}
    written = finish.write(
        folder,
        areas(scores, truth),
        partial(class_card, figures=figures),
        {"quality": session.usual().to_json()},
        {f"held-out {key}": value for key, value in figures.items()},
        temperature=temperature,
    )
    return (yield from written)
