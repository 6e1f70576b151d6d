"""What is known of one case before training: its grid, its intensities, its structures, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.geometry import canonical_order
from napari_resmed.io.datasets import ChannelsError, GridError, load_image, load_labels
from napari_resmed.io.datasets.meaning import default_name
from napari_resmed.labels import LabelMap, count_values
from napari_resmed.train.borders import border_contrast
from napari_resmed.train.same_images import image_digest

__all__ = ["KINDS", "CaseFacts", "Examined", "Intensities", "LeftOut", "examine", "is_named", "known_voxels"]

# Why a case may be left out; "unlike" is decided among all of them.
KINDS = (
    "no labels", "unreadable", "grid", "channels", "values", "not finite", "constant", "empty", "test", "dimensions",
    "unlike",
)  # fmt: skip

# Percentiles, mean and spread need no more; they are then within a thousandth of a standard deviation.
MOST_SAMPLED = 1_000_000
# Voxels worked on at a time, so that counting takes no multiple of a large volume's memory.
_SLAB_VOXELS = 4_000_000


@dataclass(frozen=True)
class Intensities:
    """How the voxels of one channel are distributed, in the image's own unit."""

    minimum: float
    p00_5: float
    p05: float
    median: float
    p95: float
    p99_5: float
    maximum: float
    mean: float
    std: float

    @classmethod
    def of(cls, values: NDArray[Any], extremes: tuple[float, float] | None = None) -> Self | None:
        """Of a sample of voxels; ``extremes`` are the true ones where the sample is not everything."""
        if not values.size:
            return None
        exact = values.astype(np.float64)
        percentiles = np.percentile(exact, (0.5, 5, 50, 95, 99.5))
        least, most = extremes or (exact.min(), exact.max())
        figures = (least, *percentiles, most, exact.mean(), exact.std())
        return cls(*(float(figure) for figure in figures))


@dataclass(frozen=True)
class CaseFacts:
    """A usable case in figures; axes run towards Superior, Posterior, Left.

    Parameters
    ----------
    name:
        The case's.
    grid_shape, spacing_mm:
        Of the canonical order of axes.
    modality:
        DICOM's two letters, empty where the file does not say or there is no image.
    image, foreground:
        Intensities of every channel, over all voxels and over those of structures (None where there are none).
    voxels:
        Known voxels by value, of every structure that was looked for; 0 is background, painted or implied.
    extent_mm:
        Edges of the smallest box around each structure that is there.
    unknown_share:
        Share of voxels nothing is known of: ignored, unpainted where only paint counts, of structures not looked for.
    annotated:
        Structures that were looked for; None: all.
    only_painted:
        Whether voxels of value 0 are unknown.
    contrast:
        By structure, how much better its border follows the image than anywhere nearby; see
        :mod:`napari_resmed.train.borders`.
    cut_off:
        Structures that touch the edge of the image, so that part of them may lie outside.
    has_image:
        Whether there is one; where there is none, intensities and contrast say nothing.
    """

    name: str
    grid_shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    modality: str
    image: tuple[Intensities, ...]
    foreground: tuple[Intensities | None, ...]
    voxels: Mapping[int, int]
    extent_mm: Mapping[int, tuple[float, float, float]]
    unknown_share: float = 0.0
    annotated: tuple[int, ...] | None = None
    only_painted: bool = False
    contrast: Mapping[int, float] = field(default_factory=dict)
    cut_off: tuple[int, ...] = ()
    has_image: bool = True

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, taken as a box."""
        return float(np.prod(self.spacing_mm)) / 1000

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Edges of the whole image."""
        z, y, x = (n * mm for n, mm in zip(self.grid_shape, self.spacing_mm, strict=True))
        return z, y, x

    @property
    def dimensions(self) -> int:
        """3, or 2 where the image is a single slice."""
        return 3 if min(self.grid_shape) > 1 else 2

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        entry = asdict(self)
        for name in ("voxels", "extent_mm", "contrast"):
            entry[name] = {str(value): _plain(figure) for value, figure in entry[name].items()}
        return {name: _plain(value) for name, value in entry.items()}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            name=entry["name"],
            grid_shape=_three(entry["grid_shape"]),
            spacing_mm=_three(entry["spacing_mm"]),
            modality=entry["modality"],
            image=tuple(Intensities(**facts) for facts in entry["image"]),
            foreground=tuple(Intensities(**facts) if facts else None for facts in entry["foreground"]),
            voxels={int(value): int(count) for value, count in entry["voxels"].items()},
            extent_mm={int(value): _three(edges) for value, edges in entry["extent_mm"].items()},
            unknown_share=float(entry["unknown_share"]),
            annotated=None if entry["annotated"] is None else tuple(entry["annotated"]),
            only_painted=bool(entry["only_painted"]),
            contrast={int(value): float(figure) for value, figure in entry["contrast"].items()},
            cut_off=tuple(entry["cut_off"]),
            has_image=bool(entry.get("has_image", True)),
        )


@dataclass(frozen=True)
class LeftOut:
    """A case that is not trained on: its name, one of :data:`KINDS`, and why in a sentence."""

    case: str
    kind: str
    reason: str


@dataclass(frozen=True, eq=False)
class Examined:
    """What looking at one case gave: facts or a reason, and samples of voxels to pool.

    ``image_sample`` and ``foreground_sample`` are float32 ``(channels, voxels)``; ``digest`` is equal for equal images.
    """

    facts: CaseFacts | None = None
    left_out: LeftOut | None = None
    image_sample: NDArray[np.float32] | None = None
    foreground_sample: NDArray[np.float32] | None = None
    digest: int = 0


def is_named(dataset: Dataset) -> bool:
    """Whether the data set says which structures there are, rather than a few files having been looked at."""
    return any(label.name != default_name(label.value) for label in dataset.labels)


def known_voxels(labels: LabelMap, case: Case, dataset: Dataset) -> NDArray[np.bool_]:
    """Where something is known.

    A voxel is unknown where it is ignored, belongs to a structure that was not looked for in this case, or is unpainted
    while only paint counts and no complete slice runs through it. Where some structures were not looked for, 0 counts
    as known: it is none of those that were.

    Parameters
    ----------
    labels:
        As loaded: its ``meta["complete_slices"]`` are in the order of its axes.
    case, dataset:
        What they say.

    Returns
    -------
    NDArray
        bool ``(z, y, x)``, on the grid of ``labels``.
    """
    unknown = [] if dataset.ignored is None else [dataset.ignored]
    if case.annotated is not None:
        unknown += [value for value in dataset.labels.values if value not in case.annotated]
    known = ~np.isin(labels.data, unknown) if unknown else np.ones(labels.grid_shape, bool)
    if case.only_painted:
        painted = labels.data != 0
        for axis, index in labels.meta.get("complete_slices", case.complete_slices):
            painted[(slice(None),) * axis + (index,)] = True
        known &= painted
    return known


def examine(case: Case, dataset: Dataset, samples: int = 10_000) -> Examined:
    """Open a case and look at it.

    It depends on nothing but its arguments, so cases can be examined in any order and any process.

    Parameters
    ----------
    case, dataset:
        What is examined.
    samples:
        Voxels per channel to bring back for pooling.
    """
    try:
        image = load_image(case, dataset)
    except InputError as problem:
        kind = "channels" if isinstance(problem, ChannelsError) else "grid" if isinstance(problem, GridError) else ""
        return _out(case, kind or "unreadable", str(problem))
    channels = image.data if image.axes == "czyx" else image.data[None]
    extremes = [(float(channel.min()), float(channel.max())) for channel in channels]
    if case.has_image and (found := _nothing_to_see(extremes, dataset)):
        return _out(case, *found)
    if case.labels is None:
        return _out(case, "no labels", "it has no labels")
    try:
        labels = load_labels(case, image)
    except InputError as problem:
        return _out(case, "grid" if isinstance(problem, GridError) else "unreadable", str(problem))
    if reason := _unexpected(labels, dataset):
        return _out(case, "values", reason)
    known = known_voxels(labels, case, dataset)
    counted = _Counted.of(labels, known)
    structures = _structures(counted, case, dataset)
    if reason := _nothing(counted, structures, case, dataset):
        return _out(case, "empty", reason)
    if not case.has_image and extremes[0][0] == extremes[0][1]:
        return _out(
            case, "constant", f"its labels hold one value only ({extremes[0][0]:g}): there is no shape to paint"
        )
    order = canonical_order(image.affine)
    spacing = image.spacing_mm
    foreground = np.isin(labels.data, [value for value in structures if counted.voxels.get(value)]) & known
    everywhere = [_sample(channel) for channel in channels]
    inside = [_sample(channel, foreground) for channel in channels]
    boxes = {value: box for value in structures if (box := counted.box(value))}
    facts = CaseFacts(
        name=case.name,
        grid_shape=_three([image.grid_shape[axis] for axis in order.axes]),
        spacing_mm=_three([spacing[axis] for axis in order.axes]),
        modality=image.modality if case.has_image else "",
        image=tuple(_certain(Intensities.of(v, e)) for v, e in zip(everywhere, extremes, strict=True)),
        foreground=tuple(Intensities.of(values) for values in inside),
        voxels={0: counted.background(dataset), **{value: counted.voxels.get(value, 0) for value in structures}},
        extent_mm={
            value: _three([(box[axis].stop - box[axis].start) * spacing[axis] for axis in order.axes])
            for value, box in boxes.items()
        },
        unknown_share=1 - float(known.mean()),
        annotated=case.annotated,
        only_painted=case.only_painted,
        # Strokes end where the hand stopped, not where the structure does.
        contrast={} if case.only_painted or not case.has_image else border_contrast(channels, labels.data, boxes),
        cut_off=tuple(value for value, box in boxes.items() if _touches_edge(box, image.grid_shape)),
        has_image=case.has_image,
    )
    return Examined(facts, None, _few(everywhere, samples), _few(inside, samples), image_digest(image))


def _out(case: Case, kind: str, reason: str) -> Examined:
    return Examined(left_out=LeftOut(case.name, kind, reason))


def _nothing_to_see(extremes: list[tuple[float, float]], dataset: Dataset) -> tuple[str, str] | None:
    """Kind and reason for which an image shows nothing, from the least and largest value of its channels."""
    for name, (least, most) in zip(dataset.channels, extremes, strict=True):
        where = f"its channel {name}" if len(dataset.channels) > 1 else "its image"
        if not (np.isfinite(least) and np.isfinite(most)):
            return "not finite", f"{where} holds NaN or infinity"
        if least == most:
            return "constant", f"{where} holds one value only ({least:g})"
    return None


def _unexpected(labels: LabelMap, dataset: Dataset) -> str:
    """Which values nobody spoke of, in a sentence; empty where there are none, or nobody spoke of any."""
    if not is_named(dataset):
        return ""
    expected = {0, *dataset.labels.values, dataset.background, dataset.ignored}
    strange = [int(value) for value in count_values(labels.data)[0] if value not in expected]
    if not strange:
        return ""
    more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
    known = ", ".join(f"{label.value} {label.name}" for label in list(dataset.labels)[:10])
    return (
        f"its labels hold the unexpected value{'s' * (len(strange) > 1)} {', '.join(map(str, strange[:5]))}{more}; "
        f"expected 0 and {known}{', ...' if len(dataset.labels) > 10 else ''}"
    )


@dataclass(frozen=True, eq=False)
class _Counted:
    """Known voxels by value, and where along every axis they lie."""

    voxels: dict[int, int]
    along: tuple[dict[int, tuple[int, int]], ...]  # first and last index of every value, for z, y, x

    @classmethod
    def of(cls, labels: LabelMap, known: NDArray[np.bool_]) -> Self:
        data = labels.data
        values = count_values(data)[0].astype(np.int64)
        present = [np.zeros((len(values), size), bool) for size in labels.grid_shape]
        counts = np.zeros(len(values), np.int64)
        thick = max(1, _SLAB_VOXELS // max(1, data[0].size))
        for start in range(0, data.shape[0], thick):
            slab = data[start : start + thick]
            places = np.nonzero((slab != 0) & known[start : start + thick])
            which = np.searchsorted(values, slab[places])
            counts += np.bincount(which, minlength=len(values))
            if values[0] == 0:
                counts[0] += int(((slab == 0) & known[start : start + thick]).sum())
            for axis, place in enumerate(places):
                present[axis][which, place + start * (axis == 0)] = True
        along = tuple(
            {int(value): _ends(row) for value, row in zip(values, rows, strict=True) if row.any()} for rows in present
        )
        return cls({int(value): int(count) for value, count in zip(values, counts, strict=True)}, along)

    def background(self, dataset: Dataset) -> int:
        return sum(self.voxels.get(value, 0) for value in (0, dataset.background) if value is not None)

    def box(self, value: int) -> tuple[slice, ...]:
        """The smallest box around a structure; empty where it is not there."""
        return tuple(slice(*ends[value]) for ends in self.along if value in ends)


def _touches_edge(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether a structure reaches the end of an axis; a single slice has no ends."""
    return any(size > 1 and (part.start == 0 or part.stop == size) for part, size in zip(box, shape, strict=True))


def _ends(row: NDArray[np.bool_]) -> tuple[int, int]:
    """Where a row begins to be true, and behind its last."""
    return int(row.argmax()), len(row) - int(row[::-1].argmax())


def _structures(counted: _Counted, case: Case, dataset: Dataset) -> list[int]:
    """Values of the structures that were looked for, there or not; what was found where nobody says."""
    special = {0, dataset.background, dataset.ignored}
    said = (
        dataset.labels.values if is_named(dataset) else tuple(value for value in counted.voxels if value not in special)
    )
    return [value for value in sorted(said) if case.annotated is None or value in case.annotated]


def _nothing(counted: _Counted, structures: list[int], case: Case, dataset: Dataset) -> str:
    """Why there is nothing to learn from, in words; empty where there is."""
    if any(counted.voxels.get(value) for value in structures):
        return ""
    if case.annotated is not None and not case.annotated:
        return "no structure was annotated in it"
    if case.annotated is not None and not case.only_painted:
        return ""  # somebody looked, and says that there is none
    if dataset.background is not None and counted.voxels.get(dataset.background):
        return "only background is painted in it"
    return "nothing is painted in it" if case.only_painted else "its labels are empty: nothing but 0"


def _sample(channel: NDArray[Any], where: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Voxels spread evenly over the image or a part of it, all of them where they are few."""
    flat = channel.reshape(-1)
    if where is not None:
        places = np.flatnonzero(where)
        return flat[places[:: max(1, -(-len(places) // MOST_SAMPLED))]]
    if flat.size <= MOST_SAMPLED:
        return flat
    # At even distances that are no whole number: no column is met again and again.
    return flat[np.linspace(0, flat.size - 1, MOST_SAMPLED).astype(np.int64)]


def _few(samples: list[NDArray[Any]], most: int) -> NDArray[np.float32]:
    """As many of every case, so that all weigh the same: where there are fewer voxels, they are repeated."""
    picks = (
        np.linspace(0, len(values) - 1, most).astype(np.int64) if len(values) else np.zeros(0, np.int64)
        for values in samples
    )
    return np.stack([values[pick] for values, pick in zip(samples, picks, strict=True)]).astype(np.float32)


def _certain(facts: Intensities | None) -> Intensities:
    assert facts is not None  # an image has at least one voxel
    return facts


def _three(values: Any) -> Any:
    first, second, third = values
    return first, second, third


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
