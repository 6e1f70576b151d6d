"""A few strokes in, the whole volume out; sent anew after every stroke.

The job remembers nothing a face has to know of: image and strokes come with every call, and undo is the strokes as they
were before. What was computed of the image is kept in the worker and on disk, so a later call costs what the stroke
costs. The order of what comes back:

``Preview("slice", {"axis", "index", "labels"})``
    where ``view`` was given and there is something to begin from: the slice that is looked at, ``labels`` 2D, within
    0.3 s.
``Preview("volume", {"labels"})``
    the whole volume, ``labels`` ``(z, y, x)`` on the image's grid; of an image too large to be worked on voxel by voxel
    a second time, when the painted neighbourhood was answered at its own resolution.
the result
    :class:`Scribbled`: the labels with their table, what is in doubt, where to paint next, how good it is.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import napari_resmed
from napari_resmed.errors import InputError, WorkError
from napari_resmed.events import Event, Preview, Progress, Started
from napari_resmed.jobs.follow import follow
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.predict.machine import is_out_of_memory
from napari_resmed.prepare.restore import restore_labels, restore_map
from napari_resmed.review.same_grid import difference, turn_onto
from napari_resmed.scribble.answer import answer, guess_background
from napari_resmed.scribble.before import answer_slice, remember
from napari_resmed.scribble.cache import are_at_hand, features_of, key_of
from napari_resmed.scribble.features import Features, check_image
from napari_resmed.scribble.fine import answer_around
from napari_resmed.scribble.strokes import Strokes, find_strokes
from napari_resmed.scribble.suggest import HeldOut, doubt, held_out, next_place, sureness
from napari_resmed.volume import Volume

__all__ = ["Scribbled", "check_scribbles", "choose_background", "look_at", "scribble"]

# Names that say that a class is what is left of the image.
BACKGROUND_NAMES = frozenset({"background", "rest", "other", "outside", "nothing", "bg"})
CHECKING = "Checking the answer"


@dataclass(frozen=True)
class Scribbled:
    """What strokes gave.

    Parameters
    ----------
    labels:
        On the image's own grid, with the strokes' values and names; painted voxels keep their class.
    table:
        ``value, name, voxels, volume_ml`` per class.
    background:
        The value that was taken for background; 0 where none was.
    sure:
        0..1: the mean Dice that the answer expects of itself; None where everything was painted.
    held_out:
        ``right, strokes, by_class`` of strokes that were not learnt from: see
        :class:`napari_resmed.scribble.suggest.HeldOut`; None where it was not asked for.
    suggestion:
        Where a stroke would teach most: ``index`` ``(z, y, x)`` of the image, ``position_mm`` ``(x, y, z)`` in the
        patient, ``between`` the two values it is torn between. None where everything was painted.
    unsure:
        0 sure .. 1, on the image's grid; None unless asked for.
    strokes:
        How many there are, by value.
    seconds:
        ``look`` (features, or getting them), ``slice``, ``volume``, ``fine`` (of large images), ``check``, ``total``;
        from the job's start but for ``check``.
    """

    labels: LabelMap
    table: list[dict[str, Any]]
    background: int
    sure: float | None
    held_out: dict[str, Any] | None
    suggestion: dict[str, Any] | None
    strokes: dict[int, int]
    seconds: dict[str, float]
    unsure: Volume | None = None
    made_by: dict[str, Any] = field(default_factory=dict)


def look_at(image: Volume) -> Generator[Event, None, None]:
    """Compute an image's features ahead of the first stroke.

    Raises
    ------
    InputError
        If the image cannot be looked at.
    """
    check_image(image)
    yield Started("Looking at the image")
    features_of(image, key_of(image))
    yield Progress("Ready to paint", 1.0)


def scribble(
    image: Volume,
    scribbles: Volume,
    *,
    background: int | None = None,
    view: Sequence[int] | None = None,
    smooth: bool = True,
    unsure: bool = True,
    check: bool = True,
) -> Generator[Event, None, Scribbled]:
    """Give every voxel one of the painted classes.

    Parameters
    ----------
    image:
        2D or 3D, any number of channels; not changed.
    scribbles:
        Whole numbers on the image's grid: 0 unpainted, 1.. classes, at least two of them.
    background:
        The class that most of the image belongs to; 0 for none. None: by its name, or else guessed.
    view:
        Axis of the image ``(0 z, 1 y, 2 x)`` and index of the slice that is looked at, which is answered first.
    smooth:
        Whether strokes spread along tissue; without it the looks of a voxel alone decide.
    unsure:
        Whether the map of doubt is wanted.
    check:
        Whether a part of the strokes is held out to tell how good the answer is.

    Raises
    ------
    InputError
        If the image cannot be looked at, the strokes lie on another grid, or hold fewer than two classes.
    WorkError
        If memory runs out.
    """
    begin = time.perf_counter()
    check_image(image)
    painted = check_scribbles(image, scribbles)
    names = scribbles.labels if isinstance(scribbles, LabelMap) else LabelSet()
    key = key_of(image)
    yield Started("Segmenting from strokes")
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        seconds[name] = round(time.perf_counter() - begin, 3)

    try:
        if not are_at_hand(key):
            yield Progress("Looking at the image", 0.0)
        features = features_of(image, key)
        strokes = find_strokes(painted, features.grid)
        lap("look")
        if view is not None:
            first = answer_slice(image, features, strokes, painted, key, view)
            if first is not None:
                lap("slice")
                yield Preview("slice", {"axis": int(view[0]), "index": int(view[1]), "labels": first})
        yield Progress("Segmenting", 0.3)
        chosen = yield from choose_background(features, strokes, names, background)
        found, _ = yield from follow(
            answer(features, strokes, chosen, smooth=smooth), lambda done: Progress("Segmenting", 0.3 + 0.4 * done)
        )
        labels = _labels(found, features, strokes, painted)
        remember(key, strokes.values, found)
        lap("volume")
        yield Preview("volume", {"labels": labels})
        if smooth and not features.grid.is_source:
            closely = answer_around(image, features, strokes, painted, found, chosen, labels)
            labels = yield from follow(closely, lambda done: Progress("Looking closely around the strokes", done))
            lap("fine")
            yield Preview("volume", {"labels": labels})
        everything = bool(painted.all())
        # Small steps, for this is where the next stroke finds it.
        in_doubt = doubt(found)
        yield Progress(CHECKING, 0.7)
        suggestion = None if everything else _suggestion(image, features, strokes, found, in_doubt)
        yield Progress(CHECKING, 0.7)
        sure = None if everything else sureness(found, chosen)
        told: HeldOut | None = None
        if check:
            told = yield from follow(
                held_out(features, strokes, chosen), lambda done: Progress(CHECKING, 0.7 + 0.3 * done)
            )
        where = restore_map(in_doubt, features.grid).clip(0, 1) if unsure else None
        seconds["check"] = round(time.perf_counter() - begin - seconds.get("fine", seconds["volume"]), 3)
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise WorkError("out of memory; close other programs or paint on a smaller region") from problem
    value = 0 if chosen is None else strokes.values[chosen]
    made_by = {
        "program": f"napari-resmed {napari_resmed.__version__}",
        "method": "scribble",
        "parameters": {"strokes": strokes.count, "background": value, "smooth": smooth},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    result = _label_map(image, labels, names.completed(strokes.values), made_by)
    if where is not None:
        where[painted > 0] = 0
    lap("total")
    return Scribbled(
        labels=result,
        table=[row for row in result.table() if row["value"] in strokes.values],
        background=value,
        sure=None if sure is None else round(sure, 4),
        held_out=None if told is None else asdict(told),
        suggestion=suggestion,
        strokes=_count(strokes),
        seconds=seconds,
        unsure=None
        if where is None
        else Volume(where, image.affine, "zyx", image.modality, f"{image.name} unsure".strip(), result.meta),
        made_by=made_by,
    )


def check_scribbles(image: Volume, scribbles: Volume) -> NDArray[Any]:
    """The strokes as ``(z, y, x)`` in the image's order of axes.

    Raises
    ------
    InputError
        If they are no whole numbers, lie on another grid, or hold fewer than two classes.
    """
    if scribbles.axes != "zyx":
        raise InputError(
            f"the scribbles have {scribbles.channels} channels and {scribbles.frames} time points, expected one class "
            "a voxel"
        )
    if scribbles.data.dtype.kind not in "iub":
        raise InputError(f"the scribbles are of type {scribbles.data.dtype}, expected whole numbers: 0 unpainted, 1..")
    order = turn_onto(scribbles, image)
    if order is None:
        raise InputError(
            f"the scribbles lie on another grid than the image ({difference(scribbles, image)}); paint them on the "
            "image's own grid"
        )
    painted = np.ascontiguousarray(order.apply(scribbles.data))
    if painted.dtype.kind == "b":
        painted = painted.astype(np.uint8)
    if painted.min() < 0:
        raise InputError(f"found the class {painted.min()} in the scribbles, expected 0 (unpainted) or more")
    values = np.unique(painted[painted > 0])
    if len(values) < 2:
        what = "nothing is painted" if not len(values) else f"only class {values[0]} is painted"
        raise InputError(f"{what}, expected strokes of two classes or more: paint the background as a class of its own")
    return painted


def choose_background(
    features: Features, strokes: Strokes, names: LabelSet, background: int | None
) -> Generator[Event, None, int | None]:
    """Number of the class that is background; None for none.

    Raises
    ------
    InputError
        If the value asked for was not painted.
    """
    if background == 0:
        return None
    if background is not None:
        if background not in strokes.values:
            painted = ", ".join(map(str, strokes.values))
            raise InputError(f"class {background} was to be the background and is not painted; there is {painted}")
        return strokes.values.index(background)
    named = {label.value for label in names if label.name.strip().lower() in BACKGROUND_NAMES}
    for number, value in enumerate(strokes.values):
        if value in named:
            return number
    guessing = guess_background(features, strokes)
    guess: int = yield from follow(guessing, lambda _: Progress("Looking for the background", 0.3))
    return guess


def _labels(found: Tensor, features: Features, strokes: Strokes, painted: NDArray[Any]) -> NDArray[Any]:
    labels = restore_labels(found, features.grid, strokes.values)
    np.copyto(labels, painted.astype(labels.dtype), where=painted > 0)
    return labels


def _label_map(image: Volume, labels: NDArray[Any], names: LabelSet, made_by: dict[str, Any]) -> LabelMap:
    facts = {name: image.meta[name] for name in ("qform_code", "sform_code") if name in image.meta}
    name = f"{image.name} scribble".strip()
    return LabelMap(labels, image.affine, "zyx", image.modality, name, {**facts, "made_by": made_by}, names)


def _count(strokes: Strokes) -> dict[int, int]:
    return {
        value: len(np.unique(strokes.numbers[strokes.classes == number])) for number, value in enumerate(strokes.values)
    }


def _suggestion(image: Volume, features: Features, strokes: Strokes, found: Tensor, in_doubt: Tensor) -> dict[str, Any]:
    place = next_place(in_doubt, strokes, features.spacing_mm)
    grid = features.grid
    index = [0, 0, 0]
    for axis in range(3):
        source = (place[axis] - (grid.shape[axis] - 1) / 2) * grid.step[axis] + (grid.source_shape[axis] - 1) / 2
        source = min(max(round(source), 0), grid.source_shape[axis] - 1)
        index[grid.order.axes[axis]] = grid.source_shape[axis] - 1 - source if grid.order.flipped[axis] else source
    position = image.affine @ [*index, 1]
    torn = found[(slice(None), *place)].topk(2).indices.tolist()
    return {
        "index": index,
        "position_mm": [round(float(part), 2) for part in position[:3]],
        "between": [strokes.values[number] for number in torn],
        "doubt": round(float(in_doubt[place]), 4),
    }
