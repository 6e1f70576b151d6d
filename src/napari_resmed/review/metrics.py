"""How well one label map agrees with another, label by label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_resmed.geometry import Affine
from napari_resmed.labels import smallest_integer_type
from napari_resmed.review.renumber import renumber
from napari_resmed.review.surface import surface_distances

__all__ = ["METRICS", "TOLERANCE_MM", "LabelScore", "Metric", "Status", "absent", "compare"]

# One millimetre is what is asked for most where a structure brings no tolerance of its own (between two human
# readers Nikolov et al. 2018 found 1 to 3 mm, organ by organ).
TOLERANCE_MM = 1.0
# Voxels looked at together: some hundred MB at most, whatever the image.
_SLAB_VOXELS = 2**24

Status = Literal["compared", "missed", "false alarm", "absent", "not annotated"]


@dataclass(frozen=True)
class Metric:
    """One figure: its field in :class:`LabelScore`, its name for people, its unit, and which way is better."""

    key: str
    title: str
    unit: str = ""
    better: Literal["higher", "lower", "zero"] = "higher"
    decimals: int = 3


METRICS = (
    Metric("dice", "Dice"),
    Metric("iou", "IoU"),
    Metric("precision", "Precision"),
    Metric("recall", "Recall"),
    Metric("surface_dice", "Surface Dice"),
    Metric("hausdorff_95_mm", "Hausdorff 95 %", "mm", "lower", 2),
    Metric("mean_surface_distance_mm", "Mean surface distance", "mm", "lower", 2),
    Metric("volume_error_ml", "Volume error", "mL", "zero", 2),
    Metric("volume_error_percent", "Volume error", "%", "zero", 1),
    Metric("absolute_volume_error_percent", "Absolute volume error", "%", "lower", 1),
)


@dataclass(frozen=True)
class LabelScore:
    """One label of one case.

    With P the predicted voxels, T the true ones and #P, #T their number. Where a figure has no meaning it is None,
    never a number that only looks like one; ``status`` says why.

    Parameters
    ----------
    value:
        The label.
    status:
        ``"compared"``: both have it. ``"missed"``: the truth alone has it; Dice, IoU, recall and surface Dice are 0,
        precision and distances None. ``"false alarm"``: the prediction alone; Dice, IoU, precision and surface Dice
        are 0, recall, distances and relative volume error None. ``"absent"``: neither; everything is None.
        ``"not annotated"``: nobody looked for it in this case; everything is None.
    truth_voxels, predicted_voxels:
        #T, #P.
    truth_ml, predicted_ml:
        Their volumes.
    dice:
        2 #(P ∩ T) / (#P + #T) (Dice, Ecology 1945;26:297-302).
    iou:
        #(P ∩ T) / #(P ∪ T), the Jaccard index.
    precision, recall:
        #(P ∩ T) / #P, and / #T.
    surface_dice:
        Share of both surfaces within the tolerance of the other; see
        :meth:`napari_resmed.review.surface.SurfaceDistances.dice`.
    hausdorff_95_mm:
        The larger of the 95th percentiles of the surface distances in each direction.
    mean_surface_distance_mm:
        Mean over both surfaces together (average symmetric surface distance).
    volume_error_ml, volume_error_percent:
        #P - #T as volume, and in percent of #T: positive where too much was found.
    absolute_volume_error_percent:
        The same without its sign, so that in a mean too much does not make up for too little.
    """

    value: int
    status: Status
    truth_voxels: int = 0
    predicted_voxels: int = 0
    truth_ml: float = 0.0
    predicted_ml: float = 0.0
    dice: float | None = None
    iou: float | None = None
    precision: float | None = None
    recall: float | None = None
    surface_dice: float | None = None
    hausdorff_95_mm: float | None = None
    mean_surface_distance_mm: float | None = None
    volume_error_ml: float | None = None
    volume_error_percent: float | None = None
    absolute_volume_error_percent: float | None = None

    def figure(self, metric: Metric | str) -> float | None:
        """The value of one metric."""
        found: float | None = getattr(self, metric.key if isinstance(metric, Metric) else metric)
        return found

    def not_annotated(self) -> LabelScore:
        """The same label where nobody looked for it: what was predicted is known, nothing else."""
        unknown: dict[str, Any] = dict.fromkeys(metric.key for metric in METRICS)
        return replace(self, status="not annotated", **unknown)


def absent(value: int) -> LabelScore:
    """A label that neither map has."""
    return LabelScore(value, "absent")


def compare(
    prediction: NDArray[Any],
    truth: NDArray[Any],
    affine: Affine,
    values: Sequence[int],
    *,
    tolerance_mm: float = TOLERANCE_MM,
    ignore: int | None = None,
) -> Iterator[LabelScore]:
    """Compare two label maps on one grid, one label after the other.

    Each label is measured inside the box that holds it in either map, so that a hundred small structures in a large
    image cost little more than the image is read for.

    Parameters
    ----------
    prediction, truth:
        Whole numbers of 0 or more, ``(z, y, x)``, the same shape.
    affine:
        4x4, index to patient mm.
    values:
        The labels to compare, each 1 or more; every other value is background.
    tolerance_mm:
        For the surface Dice.
    ignore:
        Voxels of this value in the truth are not known: they are background in both maps. What touches them ends
        there in both, so they add nothing to any figure but a shared piece of border.

    Yields
    ------
    LabelScore
        One per value, ascending.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"found shapes {prediction.shape} and {truth.shape}, expected two maps on one grid")
    known = np.array(sorted({int(value) for value in values} - {0, ignore}), dtype=np.int64)
    ours, theirs, counts = _renumbered(prediction, truth, known, ignore)
    boxes = find_objects(ours, len(known)), find_objects(theirs, len(known))
    flat = tuple(size == 1 for size in truth.shape)
    voxel_ml = float(abs(np.linalg.det(affine[:3, :3])) / 1000)
    for number, value in enumerate(known.tolist(), start=1):
        predicted, true, both = (int(count[number]) for count in counts)
        score = _overlap(value, predicted, true, both, voxel_ml)
        if score.status == "compared":
            box = _around(boxes[0][number - 1], boxes[1][number - 1])
            distances = surface_distances(ours[box] == number, theirs[box] == number, affine, flat)
            score = replace(
                score,
                surface_dice=distances.dice(tolerance_mm),
                hausdorff_95_mm=distances.hausdorff_mm(95),
                mean_surface_distance_mm=distances.mean_mm(),
            )
        yield score


def _overlap(value: int, predicted: int, true: int, both: int, voxel_ml: float) -> LabelScore:
    """Everything that counting voxels gives."""
    if not predicted and not true:
        return absent(value)
    error = (predicted - true) / true * 100 if true else None
    return LabelScore(
        value=value,
        status="compared" if predicted and true else "missed" if true else "false alarm",
        truth_voxels=true,
        predicted_voxels=predicted,
        truth_ml=true * voxel_ml,
        predicted_ml=predicted * voxel_ml,
        dice=2 * both / (predicted + true),
        iou=both / (predicted + true - both),
        precision=both / predicted if predicted else None,
        recall=both / true if true else None,
        surface_dice=0.0,  # what it is where one surface is missing; measured otherwise
        volume_error_ml=(predicted - true) * voxel_ml,
        volume_error_percent=error,
        absolute_volume_error_percent=None if error is None else abs(error),
    )


def _renumbered(
    prediction: NDArray[Any], truth: NDArray[Any], known: NDArray[np.int64], ignore: int | None
) -> tuple[NDArray[Any], NDArray[Any], tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Both maps with the labels numbered 1, 2, ..., and how many voxels are predicted, true, and both at once."""
    kind = smallest_integer_type(len(known))
    ours, theirs = np.empty(truth.shape, kind), np.empty(truth.shape, kind)
    counts = tuple(np.zeros(len(known) + 1, np.int64) for _ in range(3))
    depth = max(1, _SLAB_VOXELS // max(1, truth[0].size))
    for start in range(0, truth.shape[0], depth):
        slab = slice(start, start + depth)
        found, true = renumber(prediction[slab], known, kind), renumber(truth[slab], known, kind)
        if ignore is not None:
            unknown = truth[slab] == ignore
            found[unknown] = 0
            true[unknown] = 0
        ours[slab], theirs[slab] = found, true
        for count, part in zip(counts, (found, true, found[found == true]), strict=True):
            count += np.bincount(part.reshape(-1), minlength=len(count))
    return ours, theirs, (counts[0], counts[1], counts[2])


def _around(*boxes: tuple[slice, ...]) -> tuple[slice, ...]:
    """The box around several."""
    return tuple(
        slice(min(part.start for part in axis), max(part.stop for part in axis)) for axis in zip(*boxes, strict=True)
    )
