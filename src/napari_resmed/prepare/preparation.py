"""What is done to an image before the network sees it: a description, saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import inf
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.prepare.intensity import Intensity
from napari_resmed.prepare.normalization import Normalization

__all__ = ["FITS", "INTERPOLATIONS", "ORIENTATIONS", "STORED", "Preparation"]

ORIENTATION = "SPL"
# The axes as the image has them.
STORED = "stored"
ORIENTATIONS = (*("".join(sides) for sides in product("SI", "PA", "LR")), STORED)
INTERPOLATIONS = ("linear", "cubic", "corner")
# Where an image is brought to one size: whether all of it is made to fit, whatever its size in mm, or its middle is
# taken at the network's spacing.
FITS = ("whole", "middle")
_AXES = (0, 1, 2)
# What only models of other programs ask for, and what it is in any other.
_FOREIGN: dict[str, Any] = {
    "axes": _AXES,
    "crop_nonzero": False,
    "interpolation": "linear",
    "normalization": (),
    "intensity": (),
    "intensity_first": False,
    "own_spacing": False,
    "size": (),
    "crop_above": None,
}


@dataclass(frozen=True)
class Preparation:
    """Orientation, spacing, intensity.

    Parameters
    ----------
    spacing_mm:
        Voxel edges ``(z, y, x)`` of the network's grid.
    percentiles:
        The two percentiles of all voxels that become 0 and 1; values beyond are clipped.
    windows:
        For channels whose numbers mean something by themselves (CT in Hounsfield units): the two values that
        become 0 and 1 instead, one pair per channel, None where the percentiles are taken. Empty: none at all.
    orientation:
        Patient sides the axes ``(z, y, x)`` grow towards: ``"SPL"``; for models of other programs any other, or
        ``"stored"``, the axes as the image has them.
    axes:
        For each axis of the network's grid, which of the turned image's it is.
    crop_nonzero:
        Whether the image is first cut to the box of what is not zero.
    interpolation:
        ``"linear"``, at the very spacing of the network; or as nnU-Net does it: ``"cubic"`` splines for images and
        linear for scores, by the ratio of sizes, and nearest across slices that are more than three times as thick as
        wide; or as MONAI does it: ``"corner"``, linear between the two nearest voxels, where the first one stays.
    normalization:
        One for each channel, instead of percentiles and windows. Empty: none.
    intensity:
        Steps for all channels, instead of percentiles and windows. Empty: none.
    intensity_first:
        Whether these steps come before the resampling.
    own_spacing:
        Whether an image's own spacing is kept; ``spacing_mm`` then says what to expect.
    size:
        Voxels along each axis of the network's grid, whatever the spacing; 0 where the axis stays as it is. Empty: by
        the spacing.
    crop_above:
        The image is first cut to the box of what is greater than this; None: it is not.
    """

    spacing_mm: tuple[float, float, float]
    percentiles: tuple[float, float] = (0.5, 99.5)
    orientation: str = ORIENTATION
    windows: tuple[tuple[float, float] | None, ...] = ()
    axes: tuple[int, int, int] = _AXES
    crop_nonzero: bool = False
    interpolation: str = "linear"
    normalization: tuple[Normalization, ...] = ()
    intensity: tuple[Intensity, ...] = ()
    intensity_first: bool = False
    own_spacing: bool = False
    size: tuple[int, ...] = ()
    crop_above: float | None = None

    def __post_init__(self) -> None:
        if self.orientation not in ORIENTATIONS:
            wanted = ", ".join(ORIENTATIONS)
            raise ModelError(f"the model wants the orientation {self.orientation!r}, expected one of {wanted}")
        if sorted(self.axes) != [*_AXES]:
            raise ModelError(f"the model orders its axes as {self.axes}, expected 0, 1 and 2 in some order")
        if self.interpolation not in INTERPOLATIONS:
            wanted = ", ".join(INTERPOLATIONS)
            raise ModelError(f"the model wants the interpolation {self.interpolation!r}, expected {wanted}")
        if len(self.spacing_mm) != 3 or not all(0 < mm < inf for mm in self.spacing_mm):
            raise ModelError(f"the model's spacing is {self.spacing_mm}, expected three lengths in mm")
        if self.size and (len(self.size) != 3 or min(self.size) < 0):
            raise ModelError(f"the model's image has {self.size} voxels, expected three numbers, 0 or more")
        if self.crop_above is not None and not -inf < self.crop_above < inf:
            raise ModelError(f"the model crops to what is above {self.crop_above}, expected a number")
        if self.normalization and self.intensity:
            raise ModelError("the model says twice what is done to intensities")
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ModelError(f"the model's percentiles are {self.percentiles}, expected 0 <= low < high <= 100")
        for window in self.windows:
            if window is not None and not -inf < window[0] < window[1] < inf:
                raise ModelError(f"the model's intensity window is {window}, expected a lower and a higher value")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        values["normalization"] = [one.to_json() for one in self.normalization]
        values["intensity"] = [one.to_json() for one in self.intensity]
        unsaid = _FOREIGN | {"windows": (), "normalization": [], "intensity": []}
        return {name: value for name, value in values.items() if name not in unsaid or value != unsaid[name]}

    @property
    def last_axis_is_left_right(self) -> bool:
        """Whether the network's last axis is the patient's left and right, whatever the image's order of axes."""
        return self.orientation != STORED and self.axes[2] == 2

    @property
    def ends_in_unit_range(self) -> bool:
        """Whether an image's numbers lie in 0..1 in the end."""
        if self.normalization:
            return all(one.kind in ("unit", "byte") for one in self.normalization)
        if self.intensity:
            # A threshold only puts one value of that range in the place of others.
            inner = [one for one in self.intensity if one.kind != "threshold" or not 0 <= one.to_low <= 1]
            if not inner:
                return False
            last = inner[-1]
            bounded = last.kind == "unit" or (last.kind in ("range", "percentiles") and last.clip)
            return bounded and (last.to_low, last.to_high) == (0.0, 1.0)
        return True

    def window(self, channel: int) -> tuple[float, float] | None:
        """The fixed range of a channel; None where percentiles decide."""
        return self.windows[channel] if channel < len(self.windows) else None

    def of_channel(self, channel: int) -> Preparation:
        """The same for an image that is this channel alone."""
        return replace(self, windows=(self.window(channel),) if self.windows else ())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preparation:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ModelError
            If a value is missing or makes no sense.
        """
        try:
            z, y, x = (float(value) for value in values["spacing_mm"])
            low, high = (float(value) for value in values["percentiles"])
            windows = tuple(
                None if window is None else (float(window[0]), float(window[1])) for window in values.get("windows", ())
            )
            a, b, c = (int(axis) for axis in values.get("axes", _AXES))
            return cls(
                (z, y, x),
                (low, high),
                str(values["orientation"]),
                windows,
                (a, b, c),
                bool(values.get("crop_nonzero", False)),
                str(values.get("interpolation", "linear")),
                tuple(Normalization.from_json(one) for one in values.get("normalization", ())),
                tuple(Intensity.from_json(one) for one in values.get("intensity", ())),
                bool(values.get("intensity_first", False)),
                bool(values.get("own_spacing", False)),
                tuple(int(size) for size in values.get("size", ())),
                None if values.get("crop_above") is None else float(values["crop_above"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as problem:
            raise ModelError(f"the model's preparation is incomplete: {problem}") from problem
