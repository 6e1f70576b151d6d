"""Fresh images of label maps, as brains are scanned: to measure with, never to train on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_resmed.train.deformation import Deformation
from napari_resmed.train.synthesis import Degradation, deform, degrade, paint
from napari_resmed.volume import Volume
from recipes.brain_mr.anatomy import FIRST_OUTSIDE_ROW, Head, target_of_row
from recipes.brain_mr.contrasts import CONTRASTS, draw_intensities

# A 1 mm grid that holds any adult head.
SHAPE = (192, 224, 192)
# Array axes (z, y, x), which point to Superior, Posterior, Left, to millimetres (Left, Posterior, Superior).
AFFINE = np.array([[0, 0, 1, -96.0], [0, 1, 0, -112.0], [1, 0, 0, -96.0], [0, 0, 0, 1]])
# Of measuring; training's count from 0.
FIRST_SEED = 1_000_000
OF_TRAINING = 2_000_000


@dataclass(frozen=True)
class Image:
    """An image and its structures on the same grid.

    Parameters
    ----------
    truth:
        uint8 ``(z, y, x)``, values of the model's structures.
    """

    name: str
    contrast: str
    volume: Volume
    truth: NDArray[np.uint8]


def synthesised(
    head: Head, contrast: str, seed: int, *, skull: bool = True, spoilt: Degradation | None = None
) -> Image:
    """A fresh image at 1 mm of a map.

    Parameters
    ----------
    head, contrast:
        What is painted, and how: one of :data:`recipes.brain_mr.contrasts.CONTRASTS`.
    seed:
        Counted from :data:`FIRST_SEED`.
    skull:
        Whether anything but the brain and its fluid is there.
    spoilt:
        What a scanner does to it; None: what is usual.
    """
    generator = torch.Generator().manual_seed(FIRST_SEED + seed)
    rows = deform(head.anatomy, SHAPE, 1.0, Deformation(shift_mm=5.0, mirror=False), generator)
    if not skull:
        rows = rows * (rows < FIRST_OUTSIDE_ROW)
    picture = paint(rows, draw_intensities(contrast, generator), generator)
    picture = degrade(picture, 1.0, Degradation() if spoilt is None else spoilt, generator)
    truth = target_of_row()[rows.to(torch.int32)].numpy()
    name = f"{head.name} {contrast}{'' if skull else ', stripped'}"
    return Image(name, contrast, Volume(picture.numpy(), AFFINE, "zyx", "MR", name), truth)


def held_out_images(heads: Sequence[Head]) -> Iterator[Image]:
    """Of every map and contrast one image with its skull and one without; of T1, the usual one, two of each."""
    for number, head in enumerate(heads):
        for kind, contrast in enumerate(CONTRASTS):
            for again in range(2 if contrast == "T1" else 1):
                for skull in (True, False):
                    seed = 1000 * number + 100 * kind + 10 * again + skull
                    image = synthesised(head, contrast, seed, skull=skull)
                    yield Image(f"{image.name}{' again' if again else ''}", contrast, image.volume, image.truth)


def of_training(heads: Sequence[Head]) -> Iterator[Image]:
    """One image of each map, contrasts in turn, with and without skull: of the people trained on, not their images."""
    contrasts = list(CONTRASTS)
    for number, head in enumerate(heads):
        contrast = contrasts[number % len(contrasts)]
        yield synthesised(head, contrast, OF_TRAINING + number, skull=number // len(contrasts) % 2 == 0)
