"""How strongly patches are disturbed, from what they show and how images are prepared."""

from __future__ import annotations

from dataclasses import replace

from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.deformation import Deformation

__all__ = ["augmentation_for"]

Shape = tuple[int, int, int]

# Hounsfield units are the same on every scanner but for some noise and drift; disturbing them as one disturbs MR would
# drown the fifty of them that tell a gland from a muscle.
CT_NOISE, CT_SHIFT, CT_CONTRAST, CT_GAMMA = 40.0, 25.0, 0.08, 0.08
# So many standard deviations of an image are about as much as the range between its percentiles.
DEVIATIONS = 4.0


def augmentation_for(patch: Shape, preparation: Preparation, mirror: bool, channels: int) -> Augmentation:
    """Bends and shifts in proportion to what a patch shows; Hounsfield units are changed as little as scanners do.

    Parameters
    ----------
    patch:
        Voxels in Z, Y, X.
    preparation:
        How images are prepared: its spacing in mm, and what intensities are afterwards.
    mirror:
        Whether a patch and its mirror image are as likely.
    channels:
        How many an image has.
    """
    spacing_mm = preparation.spacing_mm
    scaled = {one.kind for one in preparation.normalization}
    shortest = min(size * mm for size, mm in zip(patch, spacing_mm, strict=True))
    coarse = max(2 * max(spacing_mm), shortest / 2)
    every = Augmentation(
        Deformation(
            rotation_deg=20,
            scale=0.15,
            shear=0.05,
            shift_mm=round(0.1 * shortest, 2),
            elastic=((round(coarse, 2), round(coarse / 10, 2)), (round(coarse / 2, 2), round(coarse / 28, 2))),
            mirror=mirror,
        )
    )
    if preparation.intensity or not scaled <= {"unit", "byte"}:
        # What another program's model takes lies around 0: deviations, where it says so.
        unit = DEVIATIONS if scaled and scaled <= {"zscore", "ct"} else 0.0
        return replace(every, gamma=0.0, noise=unit * every.noise, brightness=unit * every.brightness)
    windows = [preparation.window(number) for number in range(channels)]
    widths = [window[1] - window[0] for window in windows if window is not None]
    if len(widths) < channels:
        return every
    return replace(
        every,
        noise=round(min(every.noise, CT_NOISE / max(widths)), 4),
        brightness=round(min(every.brightness, CT_SHIFT / max(widths)), 4),
        contrast=CT_CONTRAST,
        gamma=CT_GAMMA,
    )
