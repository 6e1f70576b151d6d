"""Occlusion: cover a part of the image and see how much less probable the class becomes.

Not MONAI's, which a test holds it to: that one cannot be stopped or watched, and covers every channel alike.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from monai.data.utils import dense_patch_slices
from torch import Tensor, nn

__all__ = ["cover_size", "occlusion_map"]

# An edge of the image is this many times that of what covers it: a finer look at volumes, or at a series of them, would
# take minutes on a laptop.
PARTS = {2: 8, 3: 4, 4: 3}
# Images at a time, small enough for a person who cancels.
BATCH = 8


def cover_size(shape: Sequence[int]) -> tuple[int, ...]:
    """How large a part is covered at a time, of an image ``([t,] [z,] y, x)``."""
    parts = PARTS[max(2, sum(edge > 1 for edge in shape))]
    return tuple(-(-edge // parts) for edge in shape)


def occlusion_map(
    network: nn.Module,
    batch: Tensor,
    number: int,
    temperature: float = 1.0,
    cover: Sequence[int] = (),
    overlap: float = 0.5,
) -> Generator[float, None, Tensor]:
    """How much of a class's probability every place holds (Zeiler and Fergus, ECCV 2014, section 4.2).

    What is covered gets the mean of the image's channel, so that a channel that is not there stays so.

    Parameters
    ----------
    network, batch:
        A classifier and one image ``(1, c, [t,] [z,] y, x)`` as it takes it.
    number, temperature:
        The class, and what scores are divided by.
    cover:
        Size ``([t,] [z,] y, x)`` of what is covered at a time; :func:`cover_size` where empty.
    overlap:
        Share of it that the next one covers again.

    Yields
    ------
    float
        The share that is done.

    Returns
    -------
    Tensor
        ``([t,] [z,] y, x)``: the probability less what is left of it, averaged over all that covered a place; negative
        where something speaks against the class.
    """
    shape = tuple(batch.shape[2:])
    cover = tuple(cover) or cover_size(shape)
    steps = [max(1, int(edge * (1 - overlap))) for edge in cover]
    places = dense_patch_slices(shape, cover, steps)
    grey = batch.mean(tuple(range(2, batch.dim())), keepdim=True)
    usual = float(_shares(network, batch, temperature)[0, number])
    lost, count = torch.zeros(shape), torch.zeros(shape)
    for start in range(0, len(places), BATCH):
        yield start / len(places)
        some = places[start : start + BATCH]
        covered = batch.repeat(len(some), *[1] * (batch.dim() - 1))
        for one, place in zip(covered, some, strict=True):
            one[(slice(None), *place)] = grey[0]
        for left, place in zip(_shares(network, covered, temperature)[:, number].tolist(), some, strict=True):
            lost[place] += usual - left
            count[place] += 1
    return lost / count


def _shares(network: nn.Module, batch: Tensor, temperature: float) -> Tensor:
    with torch.inference_mode():
        return torch.softmax(network(batch).cpu().double() / temperature, 1)
