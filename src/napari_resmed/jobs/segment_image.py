"""Segment an image, as it is, with a model."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

import napari_resmed
from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs.follow import follow
from napari_resmed.labels import LabelMap, LabelSet, count_values
from napari_resmed.models.model import Model
from napari_resmed.nets.size import continues_borders, edge_multiples, fits_one_size
from napari_resmed.predict.backends import choose_backend
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.certainty import Certainty
from napari_resmed.predict.cleanup import clean_up
from napari_resmed.predict.first_look import cut_through, where_to_answer
from napari_resmed.predict.machine import Machine, choose_machine, is_out_of_memory
from napari_resmed.predict.memory_plan import free_bytes, plan_memory
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.uncertainty import KINDS, Doubt, entropy
from napari_resmed.predict.unsure_table import with_uncertainty
from napari_resmed.predict.warm import warm_network
from napari_resmed.predict.windows import Windows, whole_window, window_places
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.restore import LabelRestorer, restore_map
from napari_resmed.review.misfit import familiar_to, judge_answer, judge_image
from napari_resmed.volume import Volume

__all__ = ["Options", "Segmentation", "check_options", "segment_image", "segmentation"]

# Where in the whole job each part begins, for the progress bar; measured on a 1 mm head.
_LOADED, _PREPARED, _PREDICTED = 0.01, 0.08, 0.97


@dataclass(frozen=True)
class Segmentation:
    """What a segmentation gives.

    Parameters
    ----------
    labels:
        On the image's own grid; ``meta["made_by"]`` says how.
    table:
        ``value, name, voxels, volume_ml`` per structure, and ``uncertainty``, the mean over its voxels, if asked for.
    uncertainty:
        0 (sure) to 1, on the image's grid; None unless asked for.
    seconds:
        ``load, prepare, network, restore, total``.
    """

    labels: LabelMap
    table: list[dict[str, Any]]
    model: str
    device: str
    precision: str
    tiles: int
    seconds: dict[str, float]
    peak_memory_mb: float
    uncertainty: Volume | None = None
    made_by: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How an image is to be segmented.

    Parameters
    ----------
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    overlap:
        Share of a window that its neighbour repeats, 0 <= overlap < 1; None: the model's.
    tta:
        Also run every window mirrored, along the axes the model allows (nnU-Net's along all combinations of them). A
        model that answers in one window may do so without being asked.
    uncertainty:
        Also tell how sure the model is, as an image and for every structure.
    uncertainty_kind:
        ``"entropy"`` of the class probabilities, over mirrored passes and networks together where there are several;
        ``"variance"`` between these. See :mod:`napari_resmed.predict.uncertainty`.
    backend:
        What runs the network: see :func:`napari_resmed.predict.backends.choose_backend`.
    quick:
        A quick look at the coarser spacing that the model knows; see ``quick_spacing_mm`` of
        :class:`napari_resmed.models.model.Model`.
    """

    device: str = "auto"
    precision: str = "auto"
    overlap: float | None = None
    tta: bool = False
    uncertainty: bool = False
    uncertainty_kind: str = "entropy"
    backend: str = "auto"
    quick: bool = False


def check_options(model: Model, options: Options) -> tuple[Model, Windows]:
    """Refuse what a model cannot grant.

    Returns
    -------
    Model, Windows
        What will be asked, the model or its quick look; and how it goes through an image.

    Raises
    ------
    InputError
        If an option cannot be used.
    ModelError
        If the model cannot be mirrored, or knows no quick look.
    """
    chosen = model.quick_look() if options.quick else model
    if options.tta and not chosen.mirror_axes:
        raise ModelError(
            f"the model {chosen.name} says nothing of mirrored images, so mirrored passes could mislead it; "
            "segment without"
        )
    unasked = None if options.quick else chosen.one_window
    windows = Windows(
        chosen.patch,
        chosen.overlap if options.overlap is None else options.overlap,
        chosen.mirror_axes if options.tta or (unasked and unasked.mirrored) else (),
        even=chosen.even_windows,
        mirrored_classes=chosen.mirrored_classes,
    )
    if options.uncertainty_kind not in KINDS:
        raise InputError(f"the uncertainty is {options.uncertainty_kind!r}, expected {' or '.join(KINDS)}")
    if options.uncertainty and options.uncertainty_kind == "variance" and not _passes(chosen, windows) > 1:
        raise InputError(
            f"variance is between several passes, and {chosen.name} makes one: ask for mirrored passes, or the entropy"
        )
    return chosen, windows


def segment_image(
    image: Volume, model: Model, options: Options, sought: Sequence[str] = ()
) -> Generator[Event, None, Segmentation]:
    """Segment one image as it is.

    Parameters
    ----------
    image:
        3D, one channel per channel of the model; not changed.
    model:
        One that was saved.
    options:
        How.
    sought:
        Names of the structures that matter, of which alone it is said whether they are unusual, and not whether the
        rest is in the image; all where empty.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    ModelError
        If the model is damaged, does not fit the image, or knows no quick look.
    WorkError
        If memory runs out.
    """
    clock, teller = _Clock(), _Teller()
    model.check_fits(image)
    chosen, asked = check_options(model, options)
    machine = choose_machine(options.device, options.precision)
    yield Started(f"Segmenting with {chosen.name}")
    # What a model mirrors without being asked for, it mirrors as long as it tries.
    options = replace(options, tta=bool(asked.mirror_axes))
    done: Segmentation | None = None
    while done is None:
        done = yield from follow(_answer(image, model, options, sought, machine, clock), teller.tell)
        model = replace(model, one_window=model.one_window.wider() if model.one_window else None)
        teller.begin_again()
    return done


def _answer(
    image: Volume, model: Model, options: Options, sought: Sequence[str], machine: Machine, clock: _Clock
) -> Generator[Event, None, Segmentation | None]:
    """Segment it as the model says; None where structures go on beyond the part of the image that was answered."""
    chosen, asked = check_options(model, options)
    quick, uncertainty = options.quick, options.uncertainty
    several = _passes(chosen, asked) > 1
    try:
        yield Progress("Loading the model", 0.0)
        for member in range(chosen.members):
            warm_network(chosen, machine, member)
        clock.lap("load")
        yield Progress("Preparing the image", _LOADED)
        # Before anything large is made: what does not fit is refused at once, and what is free is not counted twice.
        free = free_bytes(machine)
        grid = whole = Grid.of(image, chosen.preparation)
        if one_window := None if quick else chosen.one_window:
            looking = where_to_answer(image, grid, chosen, one_window, machine, free)
            grid, chosen = yield from follow(looking, _looked)
        if quick and not fits_one_size(chosen.network, chosen.arguments):
            multiples = edge_multiples(chosen.network, chosen.arguments)
            chosen = replace(chosen, patch=whole_window(grid.shape, chosen.patch, multiples))
        if continues_borders(chosen.network):
            z, y, x = map(min, chosen.patch, grid.shape)
            chosen = replace(chosen, patch=(z, y, x))
        sizes = grid.shape, whole.source_shape
        plan = plan_memory(chosen, *sizes, machine, asked, free, uncertainty, whole.shape)
        if (quick or one_window) and plan.windows.patch != chosen.patch:  # in the model's own windows, then
            chosen = replace(chosen, patch=model.patch)
            plan = plan_memory(chosen, *sizes, machine, asked, free, uncertainty, whole.shape)
        ready, _ = prepare(image, chosen.preparation, whole)
        misfits = list(judge_image(image, ready.numpy(), model, whole=not sought))
        yield from map(Warning, misfits)
        if grid is not whole:
            ready, _ = prepare(image, chosen.preparation, grid)
        clock.lap("prepare")
        windows = plan.windows
        if windows.patch != chosen.patch:
            yield Warning(
                f"memory is short: windows of {_voxels(windows)} instead of the model's; expect less accuracy"
            )
        padded = tuple(map(max, grid.shape, windows.patch))
        count = len(window_places((padded[0], padded[1], padded[2]), windows.patch, asked.overlap, windows.even))
        runners = [
            choose_backend(chosen, machine, windows.patch, count, options.backend, member, plan.in_parts)
            for member in range(chosen.members)
        ]
        for note in dict.fromkeys(runner.note for runner in runners if runner.note):
            yield Warning(note)
        clock.lap("load")
        overlapping = bool(chosen.regions)
        values = (0, *chosen.regions) if overlapping else chosen.values
        restorer = LabelRestorer(grid, values, overlapping, chosen.region_order)
        doubt = torch.zeros(grid.shape) if uncertainty else None
        certainty = Certainty() if familiar_to(chosen).certainty and not (overlapping or quick) else None
        steps = slide(
            ready,
            [runner.network for runner in runners],
            machine,
            windows,
            classes=len(chosen.regions or chosen.values),
            background_classes=chosen.background_classes,
            doubt=Doubt(options.uncertainty_kind, overlapping) if uncertainty and several else None,
            belt_on_device=plan.belt_on_device,
        )
        tiles, restoring = 0, 0.0
        for step in steps:
            if isinstance(step, Rows):
                lap = time.perf_counter()
                restorer.add(step.means, step.head)
                if certainty is not None:
                    certainty.add(step.means, step.head)
                if doubt is not None:
                    unsure = entropy(step.scores, overlapping) if step.doubt is None else step.doubt
                    doubt[step.start : step.start + step.scores.shape[1]] = unsure
                restoring += time.perf_counter() - lap
                continue
            if isinstance(step, Windows):
                yield Warning(f"memory ran out; it goes on with {step.batch} of {_voxels(step)} at a time")
                continue
            done, tiles = step
            share = _PREPARED + (_PREDICTED - _PREPARED) * done / tiles
            left = clock.elapsed() * (tiles - done) / done / (_PREDICTED - _PREPARED) if done else None
            yield Progress("Segmenting", share, left)
        clock.lap("network")
        clock.spent["network"] -= restoring
        clock.spent["restore"] += restoring
        yield Progress("Restoring the geometry", _PREDICTED)
        found = restorer.finish()
        if one_window and cut_through(found, grid, whole, one_window):
            clock.lap("restore")
            return None
        removed, filled = clean_up(found, chosen.cleanup, image.voxel_ml * 1000)
        uncertain = None if doubt is None else restore_map(doubt, grid)
        clock.lap("restore")
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        wayout = "choose a smaller region" + ("" if machine.device.type == "cpu" else ", or the device cpu")
        raise WorkError(f"out of memory on {machine.device}; close other programs or {wayout}") from problem
    made_by: dict[str, Any] = {
        "program": f"napari-resmed {napari_resmed.__version__}",
        "model": chosen.name,
        "model_version": chosen.version,
        "parameters": {
            "device": str(machine.device),
            "precision": machine.precision,
            "backend": " and ".join(dict.fromkeys(runner.name for runner in runners)),
            "overlap": asked.overlap,
            "tta": bool(asked.mirror_axes),
            **({"uncertainty": options.uncertainty_kind} if uncertainty else {}),
            **({"quick_look_mm": chosen.preparation.spacing_mm[0]} if quick else {}),
        },
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if chosen.cleanup:
        made_by["cleanup"] = {
            "labels": {str(value): wish.to_json() for value, wish in chosen.cleanup.items()},
            "removed_voxels": removed,
            "filled_voxels": filled,
        }
    counted = zip(*count_values(found), strict=True)
    volumes_ml = {int(value): int(count) * image.voxel_ml for value, count in counted}
    fit = judge_answer(volumes_ml, None if certainty is None else certainty.mean, chosen, sought)
    if fit.reason:
        misfits.append(fit.reason)
        yield Warning(fit.reason)
    if misfits:
        made_by["warnings"] = misfits
    if fit.score is not None:
        made_by["misfit"] = fit.score
    return segmentation(
        image,
        chosen,
        chosen.labels,
        found,
        uncertain,
        made_by,
        tiles=tiles,
        seconds={**clock.spent, "total": clock.total()},
        peak_memory_mb=_peak_memory_mb(),
    )


def segmentation(
    image: Volume,
    model: Model,
    labels: LabelSet,
    found: NDArray[Any],
    doubt: NDArray[np.float32] | None,
    made_by: Mapping[str, Any],
    *,
    tiles: int,
    seconds: Mapping[str, float],
    peak_memory_mb: float,
) -> Segmentation:
    """What is given, of what was found.

    Parameters
    ----------
    image, model, labels:
        What was segmented, by what, into which structures.
    found, doubt:
        ``(z, y, x)`` on the image's grid.
    made_by:
        How, with ``parameters``.
    tiles, seconds, peak_memory_mb:
        As in :class:`Segmentation`.
    """
    parameters = made_by["parameters"]
    look = " quick look" if "quick_look_mm" in parameters else ""
    # What a NIfTI header says of its coordinate system; the result shares it.
    shared = {name: image.meta[name] for name in ("qform_code", "sform_code") if name in image.meta}
    meta = {**shared, "made_by": dict(made_by)}
    name = f"{image.name} {model.name}{look}".strip()
    whole = LabelMap(found, image.affine, "zyx", image.modality, name, meta, labels)
    return Segmentation(
        labels=whole,
        table=whole.table() if doubt is None else with_uncertainty(whole.table(), found, doubt),
        model=model.name,
        device=parameters["device"],
        precision=parameters["precision"],
        tiles=tiles,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        peak_memory_mb=round(peak_memory_mb, 1),
        uncertainty=None
        if doubt is None
        else Volume(doubt, image.affine, "zyx", image.modality, f"{image.name} uncertainty".strip(), meta),
        made_by=dict(made_by),
    )


def _looked(windows: tuple[int, int]) -> Progress:
    done, count = windows
    return Progress("Looking where the structures are", _LOADED + (_PREPARED - _LOADED) * done / count)


def _passes(model: Model, windows: Windows) -> int:
    return model.members * len(windows.mirrors)


def _voxels(windows: Windows) -> str:
    return f"{'×'.join(map(str, windows.patch))} voxels"


class _Teller:
    """What is told of a job that may begin anew: each warning once, and progress that never goes back."""

    def __init__(self) -> None:
        self._warned: set[str] = set()
        self._begin = self._done = 0.0

    def begin_again(self) -> None:
        """From now on progress is a share of what is left."""
        self._begin = self._done

    def tell(self, event: Event) -> Event | None:
        """The event as it is told; None where it is not."""
        if isinstance(event, Warning):
            known = event.message in self._warned
            self._warned.add(event.message)
            return None if known else event
        if isinstance(event, Progress):
            self._done = self._begin + (1 - self._begin) * event.done
            what = f"With more around it: {event.what}" if self._begin else event.what
            return Progress(what, self._done, event.seconds_left)
        return event


class _Clock:
    """Seconds between laps, and what they were spent on."""

    def __init__(self) -> None:
        self._begin = self._last = time.perf_counter()
        self.spent = dict.fromkeys(("load", "prepare", "network", "restore"), 0.0)

    def elapsed(self) -> float:
        return time.perf_counter() - self._last

    def total(self) -> float:
        return time.perf_counter() - self._begin

    def lap(self, what: str) -> None:
        """What goes on since the last lap ends."""
        now = time.perf_counter()
        self.spent[what] += now - self._last
        self._last = now


def _peak_memory_mb() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return float(psutil.Process().memory_info().peak_wset / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if not psutil.LINUX:
        return float(peak / 2**20)
    # Linux counts in KiB, and begins with the peak of the process that started this one; here with its own.
    own = Path("/proc/self/status").read_text(errors="replace").partition("VmHWM:")[2].split()
    return float(own[0] if own else peak) / 1024
