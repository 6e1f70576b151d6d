"""Weighted sums of what windows answered, of those rows alone that windows still reach.

A belt is as high as one window: as soon as no later window reaches a row, it leaves, and its memory is used for the
next. So memory grows with the image's cross-section, never with its height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_resmed.errors import WorkError
from napari_resmed.nets.split import Head
from napari_resmed.predict.windows import Place, Shape, Windows

__all__ = ["Belt", "NotFiniteError", "Rows"]

# Of the Gaussian by which windows are weighted, in windows.
SIGMA = 0.125
# nnU-Net's weight in the middle of a window, where sums are in half precision; there its tail ends at the least number
# that half precision has.
HIGHEST = 10.0
# Rows that leave at a time: whoever takes them copies them.
ROWS = 8


class NotFiniteError(WorkError):
    """A network answered with what is no number."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Finished rows from row ``start`` on, of the type and on the device of the sums.

    They lie in memory that is used again: whoever wants to keep them takes a copy before the next step.

    Parameters
    ----------
    means:
        Scores ``(class, rows, y, x)``; or, where there is a ``head``, the features that it makes them of.
    doubt:
        How far the passes through the network disagreed, 0..1, ``(rows, y, x)``; None where it was not asked for.
    head:
        The network's last layer, where it is still to come.
    """

    start: int
    means: Tensor
    doubt: Tensor | None = None
    head: Head | None = None

    @cached_property
    def scores(self) -> Tensor:
        """``(class, rows, y, x)``."""
        return self.means if self.head is None else self.head(self.means[None])[0]


class Belt:
    """Sums of the rows that windows still reach; row ``z`` of the image lies in row ``z % height``.

    Parameters
    ----------
    classes:
        Number of scores of a voxel.
    windows:
        Of which size they are, and what sums are kept in.
    shape:
        Of the padded image ``(z, y, x)``.
    margins:
        What was added to it before and after each axis: no rows and columns of these leave.
    doubt:
        Whether answers have one more channel, the doubt.
    device:
        Where sums are kept.
    head:
        The network's last layer, where windows are answered by what it is given; None where by scores.
    """

    def __init__(
        self,
        classes: int,
        windows: Windows,
        shape: Shape,
        margins: Sequence[tuple[int, int]],
        doubt: bool = False,
        device: torch.device | str = "cpu",
        head: Head | None = None,
    ) -> None:
        self._height = windows.patch[0]
        self._classes = classes
        self._head = head
        self._of_features = head is not None and windows.of_features
        summed = head.weight.shape[1] if head is not None and windows.of_features else classes + doubt
        self._scores = torch.zeros((summed, self._height, *shape[1:]), dtype=windows.sums, device=device)
        self._like_nnunet = windows.even and windows.sums == torch.float16
        kind = torch.float16 if self._like_nnunet else torch.float32
        self._weights = torch.zeros((self._height, *shape[1:]), dtype=kind, device=device)
        self.use(windows)
        self._gone = 0
        self._plane: tuple[Tensor, Tensor] | None = None  # weighted features, and sums
        (self._low, high), *across = margins
        self._high = shape[0] - high
        self._inner = tuple(slice(a, size - b) for (a, b), size in zip(across, shape[1:], strict=True))

    def use(self, windows: Windows) -> None:
        """Go on with windows of this size, no higher than those before."""
        if windows.even:
            window = _bell(windows.patch)
        else:
            from monai.data.utils import compute_importance_map  # only here, as in windows.py

            window = compute_importance_map(windows.patch, mode="gaussian", sigma_scale=SIGMA, dtype=torch.float32)
            window /= window.max()  # half precision has no room for small sums
        if self._like_nnunet:
            window = (HIGHEST * window).half()
            window[window == 0] = window[window > 0].min()
        elif windows.sums == torch.float16:
            window.clamp_min_(1e-3)  # more than rounding
        self._window = window.to(self._scores.device)
        self._spare = torch.empty((2, *windows.patch))

    def add(self, place: Place, answer: Tensor) -> None:
        """Add the answer ``(class, z, y, x)`` of a window, or what the ``head`` makes it of, weighted."""
        for part, rows in self._parts(place[0].start, place[0].stop):
            sums = self._scores[(slice(None), rows, *place[1:])]
            if self._head is not None and not self._of_features:
                self._add_scores(self._head, sums, answer[:, part], self._window[part])
            elif answer.device.type == "cpu":
                self._add(sums, answer[:, part], self._window[part])
            else:
                sums += answer[:, part] * self._window[part].float()
            self._weights[(rows, *place[1:])] += self._window[part]

    def _add(self, sums: Tensor, answer: Tensor, weight: Tensor) -> None:
        """Class by class, in what stays in the processor's cache: all at once, every step goes to memory and back."""
        if answer.dtype == sums.dtype:
            weight = weight.to(sums.dtype)
            for into, one in zip(sums, answer, strict=True):
                into.addcmul_(one, weight)
            return
        weight = weight.float()
        product, total = self._spare[:, : len(weight)]
        # Left to itself, torch makes copies anew wherever two types meet.
        for into, one in zip(sums, answer, strict=True):
            into.copy_(total.copy_(into).add_(torch.mul(one, weight, out=product)))

    def _add_scores(self, head: Head, sums: Tensor, features: Tensor, weight: Tensor) -> None:
        """Scores are made a plane at a time, and never go to memory."""
        count, size = len(features), weight[0].numel()
        if self._plane is None or self._plane[0].shape[-1] != size:
            self._plane = torch.empty((count + 1, size)), torch.empty((len(sums), size))
        weighted, total = self._plane
        of_plane = total.view(len(sums), *weight.shape[1:])
        for z, plane in enumerate(weight.float()):
            # The layer is linear: of weighted features, and a one for its bias, it makes weighted scores.
            weighted[count] = plane.reshape(size)
            torch.mul(features[:, z].reshape(count, size), weighted[count], out=weighted[:count])
            into = sums[:, z]
            of_plane.copy_(into)
            total.addmm_(head.with_bias, weighted)
            into.copy_(of_plane)

    def leave(self, row: int) -> Iterator[Rows]:
        """The rows below ``row``, which no later window reaches, a few at a time and without the margins.

        Raises
        ------
        NotFiniteError
            If scores are not finite, or were larger than half precision holds.
        """
        while self._gone < row:
            start = self._gone
            first = start % self._height
            count = min(row - start, self._height - first, ROWS)
            scores, weights = self._scores[:, first : first + count], self._weights[first : first + count]
            low, high = max(start, self._low), min(start + count, self._high)
            if low < high:
                scores /= weights.to(scores.dtype)
                inner = scores[(slice(None), slice(low - start, high - start), *self._inner)]
                _check_numbers(inner)
                if self._of_features:
                    yield Rows(low - self._low, inner, head=self._head)
                else:
                    doubt = inner[self._classes] if len(inner) > self._classes else None
                    yield Rows(low - self._low, inner[: self._classes], doubt)
            scores.zero_()
            weights.zero_()
            self._gone = start + count

    def _parts(self, start: int, stop: int) -> list[tuple[slice, slice]]:
        """A run of rows as slices of the window and of the belt, two where it runs over the belt's end."""
        parts = []
        at = start
        while at < stop:
            first = at % self._height
            count = min(stop - at, self._height - first)
            parts.append((slice(at - start, at - start + count), slice(first, first + count)))
            at += count
        return parts


def _bell(patch: Shape) -> Tensor:
    """nnU-Net's weights of a window: their middle is a voxel, at even sizes the one after the middle."""
    weights = torch.ones((), dtype=torch.float64)
    for size in patch:
        away = (torch.arange(size, dtype=torch.float64) - size // 2) / (SIGMA * size)
        weights = weights[..., None] * torch.exp(-0.5 * away**2)
    return weights.float()


def _check_numbers(scores: Tensor) -> None:
    """No labels are made of what is no number; where the least and the greatest are finite, all are."""
    # Class by class: over what lies apart in memory a reduction takes ten times as long.
    extremes = [extreme for of_class in scores for extreme in torch.aminmax(of_class)]
    if not torch.stack(extremes).isfinite().all():
        beyond = ", or beyond what half precision holds (65 504)" if scores.dtype == torch.float16 else ""
        raise NotFiniteError(
            f"the network answered with scores that are not finite{beyond}: no labels can be made of them; choose the "
            "precision fp32, or get the model anew"
        )
