"""Segment an image, as it is, with a model."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch

import napari_resmed
from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.labels import LabelMap, count_values
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples, fits_one_size
from napari_resmed.predict.backends import choose_backend
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.certainty import Certainty
from napari_resmed.predict.cleanup import clean_up
from napari_resmed.predict.machine import choose_machine, is_out_of_memory
from napari_resmed.predict.memory_plan import free_bytes, plan_memory
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.uncertainty import KINDS, Doubt, entropy, with_uncertainty
from napari_resmed.predict.warm import warm_network
from napari_resmed.predict.windows import Windows, whole_window, window_places
from napari_resmed.prepare.grid import prepare
from napari_resmed.prepare.restore import LabelRestorer, restore_map
from napari_resmed.review.misfit import familiar_to, judge_answer, judge_image
from napari_resmed.volume import Volume

__all__ = ["Segmentation", "geometry_facts", "segment_image"]

# Where in the whole job each part begins, for the progress bar; measured on a 1 mm head.
_PREPARED, _PREDICTED = 0.08, 0.97


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


def segment_image(
    image: Volume,
    model: Model,
    *,
    device: str = "auto",
    precision: str = "auto",
    overlap: float | None = None,
    tta: bool = False,
    uncertainty: bool = False,
    uncertainty_kind: str = "entropy",
    backend: str = "auto",
    quick: bool = False,
) -> Generator[Event, None, Segmentation]:
    """Segment one image.

    Parameters
    ----------
    image:
        3D, one channel per channel of the model; not changed.
    model:
        One that was saved.
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    overlap:
        Share of a window that its neighbour repeats, 0 <= overlap < 1; None: the model's.
    tta:
        Also run every window mirrored, along the axes the model allows (nnU-Net's along all combinations of them).
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

    Raises
    ------
    InputError
        If the image or a parameter cannot be used.
    ModelError
        If the model is damaged, does not fit the image, or knows no quick look.
    WorkError
        If memory runs out.
    """
    begin = time.perf_counter()
    model.check_fits(image)
    chosen = model.quick_look() if quick else model
    machine = choose_machine(device, precision)
    if tta and not chosen.mirror_axes:
        raise ModelError(f"the model {chosen.name} tells left from right, so mirrored passes would mislead it")
    overlap = chosen.overlap if overlap is None else overlap
    wishes = Windows(
        chosen.patch,
        overlap,
        chosen.mirror_axes if tta else (),
        even=chosen.even_windows,
        mirrored_classes=chosen.mirrored_classes,
    )
    several = chosen.members * len(wishes.mirrors) > 1
    if uncertainty_kind not in KINDS:
        raise InputError(f"the uncertainty is {uncertainty_kind!r}, expected {' or '.join(KINDS)}")
    if uncertainty and uncertainty_kind == "variance" and not several:
        raise InputError(
            f"variance is between several passes, and {chosen.name} makes one: ask for mirrored passes, or the entropy"
        )
    yield Started(f"Segmenting with {chosen.name}")
    seconds: dict[str, float] = {}
    clock = _Clock()
    try:
        yield Progress("Loading the model", 0.0)
        for member in range(chosen.members):
            warm_network(chosen, machine, member)
        seconds["load"] = clock.lap()
        yield Progress("Preparing the image", 0.01)
        ready, grid = prepare(image, chosen.preparation)
        if quick and not fits_one_size(chosen.network, chosen.arguments):
            multiples = edge_multiples(chosen.network, chosen.arguments)
            chosen = replace(chosen, patch=whole_window(grid.shape, chosen.patch, multiples))
        misfits = list(judge_image(image, ready.numpy(), model))
        yield from map(Warning, misfits)
        seconds["prepare"] = clock.lap()
        free = free_bytes(machine)
        plan = plan_memory(chosen, grid.shape, grid.source_shape, machine, wishes, free, uncertainty)
        if quick and plan.windows.patch != chosen.patch:  # whole it does not fit: in the model's own windows, then
            chosen = replace(chosen, patch=model.patch)
            plan = plan_memory(chosen, grid.shape, grid.source_shape, machine, wishes, free, uncertainty)
        windows = plan.windows
        if windows.patch != chosen.patch:
            yield Warning(
                f"memory is short: windows of {_voxels(windows)} instead of the model's; expect less accuracy"
            )
        padded = tuple(map(max, grid.shape, windows.patch))
        count = len(window_places((padded[0], padded[1], padded[2]), windows.patch, overlap, windows.even))
        runners = [
            choose_backend(chosen, machine, windows.patch, count, backend, member, plan.in_parts)
            for member in range(chosen.members)
        ]
        for note in dict.fromkeys(runner.note for runner in runners if runner.note):
            yield Warning(note)
        seconds["load"] += clock.lap()
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
            doubt=Doubt(uncertainty_kind, overlapping) if uncertainty and several else None,
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
        seconds["network"] = clock.lap() - restoring
        yield Progress("Restoring the geometry", _PREDICTED)
        found = restorer.finish()
        removed, filled = clean_up(found, chosen.cleanup, image.voxel_ml * 1000)
        uncertain = None if doubt is None else restore_map(doubt, grid)
        seconds["restore"] = restoring + clock.lap()
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
            "overlap": overlap,
            "tta": tta,
            **({"uncertainty": uncertainty_kind} if uncertainty else {}),
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
    fit = judge_answer(volumes_ml, None if certainty is None else certainty.mean, chosen)
    if fit.reason:
        misfits.append(fit.reason)
        yield Warning(fit.reason)
    if misfits:
        made_by["warnings"] = misfits
    if fit.score is not None:
        made_by["misfit"] = fit.score
    labels = LabelMap(
        found,
        image.affine,
        "zyx",
        image.modality,
        f"{image.name} {chosen.name}{' quick look' if quick else ''}".strip(),
        {**geometry_facts(image), "made_by": made_by},
        chosen.labels,
    )
    seconds["total"] = time.perf_counter() - begin
    return Segmentation(
        labels=labels,
        table=labels.table() if uncertain is None else with_uncertainty(labels.table(), found, uncertain),
        model=chosen.name,
        device=str(machine.device),
        precision=machine.precision,
        tiles=tiles,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        peak_memory_mb=round(_peak_memory_mb(), 1),
        uncertainty=None
        if uncertain is None
        else Volume(uncertain, image.affine, "zyx", image.modality, f"{image.name} uncertainty".strip(), labels.meta),
        made_by=made_by,
    )


def _voxels(windows: Windows) -> str:
    return f"{'×'.join(map(str, windows.patch))} voxels"


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self._last

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def geometry_facts(image: Volume) -> dict[str, Any]:
    """What a NIfTI header says of its coordinate system; the result shares it."""
    return {name: image.meta[name] for name in ("qform_code", "sform_code") if name in image.meta}


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
