"""What a model does before and after its network, in MONAI's own transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_resmed.models.model import Model
from napari_resmed.prepare.intensity import Intensity
from napari_resmed.prepare.preparation import STORED

__all__ = ["answer_steps", "image_steps", "left_out", "slices_along"]


def slices_along(model: Model) -> int | None:
    """Along which of MONAI's axes a 2D network goes through a volume; None of a 3D one."""
    if not model.by_slices:
        return None
    # As stored, MONAI's axes are ours in reverse; otherwise they are turned to the network's.
    return 2 - model.preparation.axes[0] if model.preparation.orientation == STORED else 0


def image_steps(model: Model) -> list[dict[str, Any]]:
    """The transforms of ``preprocessing``."""
    preparation = model.preparation
    steps: list[dict[str, Any]] = [_step("LoadImaged"), _step("EnsureChannelFirstd")]
    if preparation.orientation != STORED:
        # MONAI keeps NIfTI's axis order: this turns it to the network's.
        sides = "".join(preparation.orientation[axis] for axis in preparation.axes)
        steps.append(_step("Orientationd", axcodes=sides, labels=None))
    if preparation.crop_above is not None:
        steps.append(_step("CropForegroundd", source_key="image", select_fn=f"$lambda x: x > {preparation.crop_above}"))
    elif preparation.crop_nonzero:
        steps.append(_step("CropForegroundd", source_key="image", select_fn="$lambda x: x != 0"))
    resampling = _resampling(model)
    if not preparation.intensity:
        return [*steps, *resampling, *_to_unit(model)]
    intensity = [_intensity(one) for one in preparation.intensity]
    return [*steps, *intensity, *resampling] if preparation.intensity_first else [*steps, *resampling, *intensity]


def _step(target: str, keys: Any = "image", **arguments: Any) -> dict[str, Any]:
    return {"_target_": target, "keys": keys, **arguments}


def _resampling(model: Model) -> list[dict[str, Any]]:
    preparation = model.preparation

    def in_order(values: Sequence[Any]) -> list[Any]:
        """Of the network's axes, as MONAI has them at that point."""
        if preparation.orientation != STORED:
            return list(values)
        found = [values[0]] * 3
        for value, axis in zip(values, preparation.axes, strict=True):
            found[2 - axis] = value
        return found

    if preparation.size:
        sizes = [size or -1 for size in in_order(preparation.size)]
        return [_step("Resized", spatial_size=sizes, mode="trilinear")]
    if preparation.own_spacing:
        return []
    return [_step("Spacingd", pixdim=in_order(preparation.spacing_mm))]


def _intensity(step: Intensity) -> dict[str, Any]:
    to = {"b_min": step.to_low, "b_max": step.to_high, "clip": step.clip}
    match step.kind:
        case "range":
            return _step("ScaleIntensityRanged", a_min=step.low, a_max=step.high, **to)
        case "percentiles":
            ends = {"lower": step.low, "upper": step.high, "channel_wise": step.by_channel}
            return _step("ScaleIntensityRangePercentilesd", **ends, **to)
        case "unit":
            return _step("ScaleIntensityd", minv=step.to_low, maxv=step.to_high, channel_wise=step.by_channel)
        case "threshold":
            return _step("ThresholdIntensityd", threshold=step.low, above=not step.below, cval=step.to_low)
    figures = {
        name: list(values) if len(values) > 1 else values[0]
        for name, values in (("subtrahend", step.mean), ("divisor", step.std))
        if values
    }
    return _step("NormalizeIntensityd", nonzero=step.nonzero, channel_wise=step.by_channel, **figures)


def _to_unit(model: Model) -> list[dict[str, Any]]:
    """MONAI's way to the range 0..1, by percentiles or by fixed windows.

    MONAI has no transform that treats one channel differently from the others, so a model that mixes both splits its
    channels first and joins them again.
    """
    preparation = model.preparation
    low, high = preparation.percentiles
    unit = {"b_min": 0.0, "b_max": 1.0, "clip": True}

    def step(keys: str, number: int) -> dict[str, Any]:
        window = preparation.window(number)
        if window is None:
            kind = {"_target_": "ScaleIntensityRangePercentilesd", "lower": low, "upper": high, "channel_wise": True}
        else:
            kind = {"_target_": "ScaleIntensityRanged", "a_min": window[0], "a_max": window[1]}
        return {**kind, "keys": keys, **unit}

    numbers = range(len(model.channels))
    if len({preparation.window(number) for number in numbers}) == 1:
        return [step("image", 0)]
    names = [f"image_{number}" for number in numbers]
    return [
        {"_target_": "SplitDimd", "keys": "image", "output_postfixes": [str(number) for number in numbers]},
        *(step(name, number) for number, name in enumerate(names)),
        {"_target_": "ConcatItemsd", "keys": names, "name": "image"},
    ]


def answer_steps(model: Model) -> list[dict[str, Any]]:
    """The transforms of ``postprocessing``, but for saving."""
    steps: list[dict[str, Any]] = []
    if model.members > 1:
        names = [f"pred_{member}" for member in range(model.members)]
        steps.append(_step("MeanEnsembled", names, output_key="pred"))
    if model.background_classes > 1:
        steps.append(_step("Lambdad", "pred", func=_one_background(model.background_classes)))
    if model.regions:
        steps.append(_step("Activationsd", "pred", sigmoid=True))
    back = {"orig_keys": "image", "nearest_interp": False, "to_tensor": True}
    steps.append(_step("Invertd", "pred", transform="@preprocessing", **back))
    if model.regions:
        return [*steps, _step("AsDiscreted", "pred", threshold=0.5), _step("Lambdad", "pred", func=_written(model))]
    steps.append(_step("AsDiscreted", "pred", argmax=True))
    # The network's classes are numbered without gaps, the labels need not be.
    values = list(model.values)
    steps.append(_step("MapLabelValued", "pred", orig_labels=list(range(len(values))), target_labels=values))
    return [*steps, *_cleanup(model)]


def _one_background(count: int) -> str:
    """The first classes made one, whose probability is the sum of theirs."""
    return f"$lambda x: torch.cat([x[:{count}].logsumexp(0, keepdim=True), x[{count}:]])"


def _written(model: Model) -> str:
    """Regions written over each other, the last one first."""
    text = "torch.zeros_like(x[[0]])"
    for value in model.region_order or model.regions:
        text = f"torch.where(x[[{model.regions.index(value)}]] > 0, {value}, {text})"
    return f"$lambda x: {text}"


def _cleanup(model: Model) -> list[dict[str, Any]]:
    """What MONAI does as we do it.

    Of several labels it takes each for one piece when it removes small ones, and fills holes over other labels: both
    are as ours only where there is one label.
    """
    steps = []
    if largest := [value for value, wish in model.cleanup.items() if wish.largest_component]:
        steps.append(_step("KeepLargestConnectedComponentd", "pred", applied_labels=largest))
    if len(model.labels) > 1:
        return steps
    for value, wish in model.cleanup.items():
        if wish.minimum_mm3 > 0 and value == 1:
            steps.append(
                _step("RemoveSmallObjectsd", "pred", min_size=wish.minimum_mm3, by_measure=True, connectivity=3)
            )
        if wish.fill_holes:
            steps.append(_step("FillHolesd", "pred", applied_labels=[value], connectivity=1))
    return steps


def left_out(model: Model) -> str:
    """What of the model plain MONAI leaves undone, in one sentence; mostly empty."""
    undone = []
    if any(wish.minimum_mm3 > 0 for wish in model.cleanup.values()) and model.values != (0, 1):
        undone.append("remove small pieces")
    if any(wish.fill_holes for wish in model.cleanup.values()) and len(model.labels) > 1:
        undone.append("fill holes")
    said = [f"MONAI does not {' or '.join(undone)} label by label, so the bundle leaves that out"] if undone else []
    if model.found_by:
        where = " or ".join(model.found_by.structures)
        said.append(f"MONAI does not look for the {where} in a larger image: give the bundle crops")
    return "; ".join(said)
