"""The transforms before the network as our description of how an image is made ready; what has no equal is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.models.monai_bundle.configuration import Component
from napari_resmed.prepare.intensity import Intensity
from napari_resmed.prepare.preparation import STORED, Preparation

__all__ = ["Axes", "describe_preparation"]

Axes = tuple[int, int, int]

# They change no voxel, or bring what every image of ours has anyway.
_NOTHING = frozenset(
    """
    AddChannel AsChannelFirst CastToType DeleteItems EnsureChannelFirst EnsureType FromMetaTensor Identity LoadImage
    SelectItems ToDevice ToTensor ConcatItems
    """.split()  # noqa: SIM905
)
# Arguments that do not matter, of any transform.
_WHATEVER = {"keys", "allow_missing_keys", "lazy", "meta_keys", "meta_key_postfix", "dtype", "device", "track_meta"}
_SIDES = ("SI", "AP", "LR")
_USUAL_LABELS = [["L", "R"], ["P", "A"], ["I", "S"]]
# Where nothing is said.
_UNKNOWN_SPACING = (1.0, 1.0, 1.0)


@dataclass
class _State:
    """What the transforms so far amount to, in MONAI's axes."""

    keys: set[str] = field(default_factory=set)
    joined: bool = False
    axcodes: str = ""
    spacing: tuple[float, float, float] | None = None
    size: tuple[int, ...] = ()
    crop_above: float | None = None
    before: list[Intensity] = field(default_factory=list)
    after: list[Intensity] = field(default_factory=list)
    padded: bool = False

    @property
    def is_resampled(self) -> bool:
        return self.spacing is not None or bool(self.size)


def describe_preparation(transforms: Sequence[Any], order: Axes) -> Preparation:
    """Read the transforms of ``preprocessing``.

    Parameters
    ----------
    transforms:
        Components, in order.
    order:
        For each axis of our network's grid, which of MONAI's image it is.

    Raises
    ------
    ModelError
        If one of them has no equal here; it is named.
    """
    state = _State()
    for transform in transforms:
        if not isinstance(transform, Component):
            raise ModelError(f"the preprocessing holds {transform!r}, expected a transform with its _target_")
        if not transform.is_disabled:
            _take(transform, state)
    return _preparation(state, order)


def _take(transform: Component, state: _State) -> None:
    name = transform.name
    kind = next((name.removesuffix(end) for end in ("Dict", "D", "d") if name.endswith(end)), name)
    kind = "AddChannel" if name == "AddChanneld" else kind
    _follow_keys(transform, kind, state)
    if kind in _NOTHING:
        return
    if kind not in _KINDS:
        raise ModelError(f"the image goes through {transform.target}, which has no equal here")
    reader, allowed = _KINDS[kind]
    for argument in sorted(transform.given - _WHATEVER - set(allowed)):
        value = transform.get(argument)
        if value not in (None, False):
            raise ModelError(f"{transform.target} is given {argument} {value!r}, which has no equal here")
    reader(transform, state)


def _follow_keys(transform: Component, kind: str, state: _State) -> None:
    """Every transform has to treat every image alike until they are joined."""
    if kind in ("DeleteItems", "SelectItems"):
        return
    found = transform.get("keys", "image")
    keys = {str(key) for key in (found if isinstance(found, list | tuple) else [found])}
    if not state.keys:
        state.keys = keys
    if state.joined:
        return
    if keys != state.keys:
        raise ModelError(f"{transform.target} changes only {', '.join(sorted(keys))} of the images that were loaded")
    state.joined = kind == "ConcatItems"


def _add(state: _State, step: Intensity) -> None:
    if state.padded:
        raise ModelError("intensities are changed after the image was padded, which has no equal here")
    # Images that are still apart are channels here.
    step = replace(step, by_channel=step.by_channel or (len(state.keys) > 1 and not state.joined))
    (state.after if state.is_resampled else state.before).append(step)


def _orientation(transform: Component, state: _State) -> None:
    axcodes = str(transform.get("axcodes", "")).upper()
    if sorted(_axis(side) for side in axcodes) != [0, 1, 2]:
        raise ModelError(f"{transform.target} is given axcodes {axcodes!r}, expected three like RAS")
    labels = transform.get("labels")
    if labels is not None and [list(pair) for pair in labels] != _USUAL_LABELS:
        raise ModelError(f"{transform.target} names the sides {labels!r}, expected {_USUAL_LABELS}")
    if state.spacing is not None and len(set(state.spacing)) > 1:
        raise ModelError("the image is turned after it was brought to a spacing that differs from axis to axis")
    if state.size:
        raise ModelError("the image is turned after it was brought to a size")
    state.axcodes = axcodes


def _axis(side: str) -> int:
    return next((axis for axis, sides in enumerate(_SIDES) if side in sides), -1)


def _spacing(transform: Component, state: _State) -> None:
    if state.is_resampled:
        raise ModelError("the image is resampled twice, which has no equal here")
    pixdim = transform.get("pixdim")
    edges = list(pixdim) if isinstance(pixdim, list | tuple) else []
    if len(edges) != 3 or not all(isinstance(mm, int | float) and mm > 0 for mm in edges):
        raise ModelError(f"{transform.target} is given pixdim {pixdim!r}, expected three lengths in mm")
    _check_linear(transform)
    if transform.get("padding_mode", "border") not in ("border", ["border"]):
        raise ModelError(f"{transform.target} pads with {transform.get('padding_mode')!r}, expected border")
    x, y, z = (float(mm) for mm in edges)
    state.spacing = (x, y, z)


def _check_linear(transform: Component) -> None:
    mode = transform.get("mode", "bilinear")
    modes = list(mode) if isinstance(mode, list | tuple) else [mode]
    if any(one not in ("bilinear", "trilinear", "linear") for one in modes):
        raise ModelError(f"{transform.target} interpolates by {mode!r}, expected bilinear")


def _resize(transform: Component, state: _State) -> None:
    if state.is_resampled:
        raise ModelError("the image is resampled twice, which has no equal here")
    size = transform.get("spatial_size")
    sizes = tuple(size) if isinstance(size, list | tuple) else ()
    if len(sizes) not in (2, 3) or not all(isinstance(one, int) and (one > 0 or one == -1) for one in sizes):
        raise ModelError(f"{transform.target} is given spatial_size {size!r}, expected two or three numbers of voxels")
    if "mode" not in transform.given:  # MONAI's own is an average of areas
        raise ModelError(f"{transform.target} interpolates by area, expected bilinear")
    _check_linear(transform)
    # Of a picture the third axis stays.
    state.size = (*(max(0, one) for one in sizes), 0)[:3]


def _range(transform: Component, state: _State) -> None:
    low, high = transform.get("b_min"), transform.get("b_max")
    whole = low is not None and high is not None
    _add(
        state,
        Intensity(
            "range",
            float(transform.get("a_min")),
            float(transform.get("a_max")),
            float(low) if whole else 0.0,
            float(high) if whole else 1.0,
            clip=bool(transform.get("clip", False)) and whole,
        ),
    )


def _percentiles(transform: Component, state: _State) -> None:
    low, high = transform.get("b_min"), transform.get("b_max")
    whole = low is not None and high is not None
    _add(
        state,
        Intensity(
            "percentiles",
            float(transform.get("lower")),
            float(transform.get("upper")),
            float(low) if whole else 0.0,
            float(high) if whole else 1.0,
            clip=bool(transform.get("clip", False)) and whole,
            by_channel=bool(transform.get("channel_wise", False)),
        ),
    )


def _unit(transform: Component, state: _State) -> None:
    low, high = transform.get("minv", 0.0), transform.get("maxv", 1.0)
    if low is None or high is None:
        raise ModelError(f"{transform.target} is given no minv and maxv, expected both")
    by_channel = bool(transform.get("channel_wise", False))
    _add(state, Intensity("unit", to_low=float(low), to_high=float(high), by_channel=by_channel))


def _zscore(transform: Component, state: _State) -> None:
    by_channel = bool(transform.get("channel_wise", False))
    given = []
    for name in ("subtrahend", "divisor"):
        value = transform.get(name)
        numbers = () if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)
        if len(numbers) > 1 and not by_channel:
            raise ModelError(f"{transform.target} is given a {name} for each channel, but not channel_wise")
        given.append(tuple(float(number) for number in numbers))
    nonzero = bool(transform.get("nonzero", False))
    _add(state, Intensity("zscore", nonzero=nonzero, by_channel=by_channel, mean=given[0], std=given[1]))


def _threshold(transform: Component, state: _State) -> None:
    low, to = float(transform.get("threshold")), float(transform.get("cval", 0.0))
    _add(state, Intensity("threshold", low, to_low=to, below=not transform.get("above", True)))


def _crop(transform: Component, state: _State) -> None:
    """MONAI's foreground is what is above zero then; here it is said of the image as it comes."""
    if "select_fn" in transform.given:
        raise ModelError(
            f"{transform.target} takes for foreground {transform.raw('select_fn')!r}, which is not followed"
        )
    margin = transform.get("margin", 0)
    if any(margin) if isinstance(margin, list | tuple) else margin:
        raise ModelError(f"{transform.target} is given margin {margin!r}, which has no equal here")
    above = 0.0
    for step in reversed([*state.before, *state.after]):
        told = step.kind == "range" and step.to_low < step.to_high
        if not told or (step.clip and not step.to_low <= above < step.to_high):
            raise ModelError(f"{transform.target} comes after intensities that differ from image to image")
        above = step.low + (above - step.to_low) * (step.high - step.low) / (step.to_high - step.to_low)
    state.crop_above = above


def _pad(transform: Component, state: _State) -> None:
    """Windows are filled up with zeros anyway."""
    if transform.get("mode", "constant") != "constant" or transform.get("value", 0) != 0:
        raise ModelError(f"{transform.target} pads with something else than zeros")
    state.padded = True


_KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "Orientation": (_orientation, ("axcodes", "labels", "as_closest_canonical")),
    "Spacing": (_spacing, ("pixdim", "mode", "padding_mode", "align_corners", "recompute_affine")),
    "Resize": (_resize, ("spatial_size", "mode")),
    "ScaleIntensityRange": (_range, ("a_min", "a_max", "b_min", "b_max", "clip")),
    "ScaleIntensityRangePercentiles": (_percentiles, ("lower", "upper", "b_min", "b_max", "clip", "channel_wise")),
    "ScaleIntensity": (_unit, ("minv", "maxv", "channel_wise")),
    "NormalizeIntensity": (_zscore, ("subtrahend", "divisor", "nonzero", "channel_wise")),
    "ThresholdIntensity": (_threshold, ("threshold", "above", "cval")),
    "CropForeground": (
        _crop,
        ("source_key", "select_fn", "margin", "allow_smaller", "start_coord_key", "end_coord_key"),
    ),
    "SpatialPad": (_pad, ("spatial_size", "method", "mode", "value")),
    "DivisiblePad": (_pad, ("k", "method", "mode", "value")),
}


def _preparation(state: _State, order: Axes) -> Preparation:
    if state.before and state.after:
        # What stretches every value alike may as well come after the resampling.
        if not all(step.kind == "range" and not step.clip for step in state.before):
            raise ModelError("intensities are changed both before and after the resampling, which has no equal here")
        state.after, state.before = [*state.before, *state.after], []
    orientation, axes = STORED, tuple(2 - axis for axis in order)
    if state.axcodes:
        sides = sorted(state.axcodes, key=_axis)
        orientation = "".join(sides)
        axes = tuple(_axis(state.axcodes[axis]) for axis in order)
    spacing = state.spacing or _UNKNOWN_SPACING
    a, b, c = (spacing[axis] for axis in order)
    return Preparation(
        (a, b, c),
        orientation=orientation,
        axes=(axes[0], axes[1], axes[2]),
        interpolation="corner",
        intensity=tuple(state.after or state.before) or (Intensity("range", 0, 1),),
        intensity_first=bool(state.before) and state.is_resampled,
        own_spacing=state.spacing is None and not state.size,
        size=tuple(state.size[axis] for axis in order) if state.size else (),
        crop_above=state.crop_above,
    )
