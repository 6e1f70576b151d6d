"""A large image through a network of fixed window, window by window, rows leaving as they are finished.

Scores are summed in a belt as high as one window: as soon as no later window reaches a row, it leaves, and its memory
is used for the next. So memory grows with the image's cross-section, never with its height.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from torch import Tensor, nn
from torch.nn import functional as F

from napari_resmed.errors import InputError
from napari_resmed.predict.machine import Machine, is_out_of_memory

__all__ = ["Rows", "Windows", "merge_background", "pad_to_window", "slide", "sliding_window", "window_places"]

# A network that sees less than this along an axis knows too little of what is around.
LEAST_EDGE = 32
# Of the Gaussian by which windows are weighted, in windows.
SIGMA = 0.125
# What the corners of an evenly spread window count at least: nnU-Net's least, and still more than rounding where sums
# are in half precision.
LEAST_WEIGHT = {torch.float32: 6e-9, torch.float16: 1e-3}
# Rows that leave at a time: whoever takes them copies them.
ROWS = 8

Network = Callable[[Tensor], Tensor]
Shape = tuple[int, int, int]
Place = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Windows:
    """How an image is gone through.

    Parameters
    ----------
    patch:
        Window ``(z, y, x)``.
    overlap:
        Share of a window that its neighbour repeats, 0 <= overlap < 1.
    mirror_axes:
        Spatial axes (0 z, 1 y, 2 x) along which each window is also run mirrored, and the answers averaged.
    batch:
        Windows that go through the network at a time.
    sums:
        Type in which scores are summed.
    multiples:
        What the window's edges have to be divisible by, so that it can be made smaller; None where it cannot.
    even:
        As nnU-Net does it: windows spread evenly over the image, and their middle taken half a voxel further.
    """

    patch: Shape
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    batch: int = 1
    sums: torch.dtype = torch.float32
    multiples: Shape | None = None
    even: bool = False

    def smaller(self) -> Windows | None:
        """Half as many at a time, then half as long along the longest edge; None where it can be no smaller."""
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        if self.multiples is None:
            return None
        longest = max(range(3), key=lambda axis: self.patch[axis])
        multiple = self.multiples[longest]
        edge = -(-self.patch[longest] // 2 // multiple) * multiple
        if edge >= self.patch[longest] or edge < LEAST_EDGE:
            return None
        patch = list(self.patch)
        patch[longest] = edge
        return replace(self, patch=(patch[0], patch[1], patch[2]))


@dataclass(frozen=True, eq=False)
class Rows:
    """Finished scores ``(class, rows, y, x)`` from row ``start`` on, on the CPU, of the type ``sums``.

    They lie in memory that is used again: whoever wants to keep them takes a copy before the next step.
    """

    start: int
    scores: Tensor


def window_places(shape: Shape, patch: Shape, overlap: float, even: bool = False) -> list[Place]:
    """Where the windows lie: MONAI's own grid of overlapping patches, or an ``even`` one, lowest z first.

    Raises
    ------
    InputError
        If the overlap is not in 0 <= overlap < 1.
    """
    if not 0 <= overlap < 1:
        raise InputError(f"the overlap is {overlap}, expected 0 or more and less than 1")
    if even:
        starts = [_spread(size, window, overlap) for size, window in zip(shape, patch, strict=True)]
        z, y, x = patch
        return [(slice(a, a + z), slice(b, b + y), slice(c, c + x)) for a, b, c in product(*starts)]
    step = tuple(
        size if size <= window else max(1, int(window * (1 - overlap)))
        for size, window in zip(shape, patch, strict=True)
    )
    return [tuple(place) for place in dense_patch_slices(shape, patch, step)]


def _spread(size: int, window: int, overlap: float) -> list[int]:
    """Starts of as few windows as overlap so much or more, at equal distances."""
    gaps = math.ceil((size - window) / (window * (1 - overlap)))
    return [round((size - window) / gaps * number) if gaps else 0 for number in range(gaps + 1)]


def pad_to_window(image: Tensor, patch: Shape) -> tuple[Tensor, list[tuple[int, int]]]:
    """Surround ``(c, z, y, x)`` by zeros until it is no smaller than one window; also the margins added per axis."""
    short = [max(0, window - size) for size, window in zip(image.shape[1:], patch, strict=True)]
    margins = [(n // 2, n - n // 2) for n in short]
    return F.pad(image, [side for pair in reversed(margins) for side in pair]), margins


def slide(
    image: Tensor,
    networks: Sequence[Network],
    machine: Machine,
    windows: Windows,
    *,
    classes: int,
    background_classes: int = 1,
) -> Generator[tuple[int, int] | Rows | Windows, None, None]:
    """Class scores of an image of any size, row by row.

    Windows are weighted by a Gaussian, so that the middle of a window counts more than its rim. The same result as
    MONAI's ``sliding_window_inference`` in Gaussian mode. A window that holds one value alone is answered once for each
    such value: air costs nothing.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``.
    networks:
        Each takes ``(batch, c, z, y, x)`` and answers ``(batch, background_classes - 1 + classes, z, y, x)``; their
        answers are averaged.
    machine:
        Device and precision.
    windows:
        How the image is gone through.
    classes:
        Number of classes, background included.
    background_classes:
        How many of a network's first classes are background; they are merged into one.

    Yields
    ------
    (done, total), Rows or Windows
        How many windows, before each batch and at the end; rows in order, each once, as soon as they are finished; and
        how it goes on, where memory ran out: from where it was, with fewer or smaller windows.

    Raises
    ------
    MemoryError, RuntimeError
        If memory runs out with the smallest windows too.
    """
    padded, margins = pad_to_window(image, windows.patch)
    z, y, x = padded.shape[1:]
    places = window_places((z, y, x), windows.patch, windows.overlap, windows.even)
    belt = _Belt(classes, windows, (z, y, x), margins)
    answers = _Answers(networks, machine, windows, background_classes)
    done = 0
    while done < len(places):
        yield done, len(places)
        # Windows of one height go together: rows leave between heights.
        group = [place for place in places[done : done + windows.batch] if place[0] == places[done][0]]
        row = group[0][0].start
        yield from belt.leave(row)
        less: Windows | None = None
        try:
            found = answers.to([padded[(slice(None), *place)] for place in group])
        except (MemoryError, RuntimeError) as problem:
            less = windows.smaller() if is_out_of_memory(problem) else None
            if less is None:
                raise
        # Outside of the handler, whose traceback holds on to the memory.
        if less is None:
            for place, answer in zip(group, found, strict=True):
                belt.add(place, answer)
            done += len(group)
            continue
        if less.patch != windows.patch:
            rest = window_places((z - row, y, x), less.patch, less.overlap, less.even)
            places[done:] = [(slice(row + up.start, row + up.stop), along_y, along_x) for up, along_y, along_x in rest]
            belt.use(less)
            answers.forget()
        windows = less
        yield windows
    yield done, len(places)
    yield from belt.leave(z)


def sliding_window(
    image: Tensor,
    network: nn.Module,
    machine: Machine,
    *,
    classes: int,
    patch: Shape,
    overlap: float = 0.5,
    mirror_axes: Sequence[int] = (),
    background_classes: int = 1,
) -> Generator[tuple[int, int], None, Tensor]:
    """All rows of :func:`slide` together.

    Yields
    ------
    done, total
        Windows.

    Returns
    -------
    Tensor
        float32 ``(classes, z, y, x)``, on the CPU.
    """
    windows = Windows(patch, overlap, tuple(mirror_axes))
    scores = torch.empty((classes, *image.shape[1:]))
    for step in slide(image, [network], machine, windows, classes=classes, background_classes=background_classes):
        if isinstance(step, Rows):
            scores[:, step.start : step.start + step.scores.shape[1]] = step.scores
        elif isinstance(step, tuple):
            yield step
    return scores


def merge_background(scores: Tensor, count: int, axis: int = 1) -> Tensor:
    """Class scores whose first ``count`` classes are one: its probability is the sum of theirs."""
    if count == 1:
        return scores
    first, rest = scores.narrow(axis, 0, count), scores.narrow(axis, count, scores.shape[axis] - count)
    return torch.cat([first.logsumexp(axis, keepdim=True), rest], axis)


def _bell(patch: Shape) -> Tensor:
    """nnU-Net's weights of a window: their middle is a voxel, at even sizes the one after the middle."""
    weights = torch.ones(())
    for size in patch:
        away = (torch.arange(size) - size // 2) / (SIGMA * size)
        weights = weights[..., None] * torch.exp(-0.5 * away**2)
    return weights


class _Belt:
    """Sums of the rows that windows still reach; row ``z`` of the image lies in row ``z % height``."""

    def __init__(self, classes: int, windows: Windows, shape: Shape, margins: Sequence[tuple[int, int]]) -> None:
        self._height = windows.patch[0]
        self._scores = torch.zeros((classes, self._height, *shape[1:]), dtype=windows.sums)
        self._weights = torch.zeros((self._height, *shape[1:]))
        self.use(windows)
        self._gone = 0
        (self._low, high), *across = margins
        self._high = shape[0] - high
        self._inner = tuple(slice(a, size - b) for (a, b), size in zip(across, shape[1:], strict=True))

    def use(self, windows: Windows) -> None:
        """Go on with windows of this size, no higher than those before."""
        if windows.even:
            window = _bell(windows.patch).clamp_min(LEAST_WEIGHT[windows.sums])
        else:
            window = compute_importance_map(windows.patch, mode="gaussian", sigma_scale=SIGMA, dtype=torch.float32)
        self._window = window / window.max()  # half precision has no room for small sums

    def add(self, place: Place, answer: Tensor) -> None:
        """Add the answer ``(class, z, y, x)`` of a window, weighted."""
        for part, rows in self._parts(place[0].start, place[0].stop):
            weight = self._window[part]
            self._scores[(slice(None), rows, *place[1:])] += (answer[:, part] * weight).to(self._scores.dtype)
            self._weights[(rows, *place[1:])] += weight

    def leave(self, row: int) -> Iterator[Rows]:
        """The rows below ``row``, which no later window reaches, a few at a time and without the margins."""
        while self._gone < row:
            start = self._gone
            first = start % self._height
            count = min(row - start, self._height - first, ROWS)
            scores, weights = self._scores[:, first : first + count], self._weights[first : first + count]
            low, high = max(start, self._low), min(start + count, self._high)
            if low < high:
                scores /= weights.to(scores.dtype)
                yield Rows(low - self._low, scores[(slice(None), slice(low - start, high - start), *self._inner)])
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


class _Answers:
    """What the networks say to windows, those of one value alone remembered."""

    def __init__(
        self,
        networks: Sequence[Network],
        machine: Machine,
        windows: Windows,
        background_classes: int,
    ) -> None:
        self._networks, self._machine, self._background = networks, machine, background_classes
        self._mirror_axes = windows.mirror_axes
        self._even: dict[tuple[float, ...], Tensor] = {}

    def to(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """Scores ``(class, z, y, x)`` float32 on the CPU, of each window ``(c, z, y, x)``."""
        keys = [_value_of(window) for window in windows]
        asked = [n for n, key in enumerate(keys) if key is None or key not in self._even]
        answers: dict[int, Tensor] = {}
        if asked:
            scores = self._ask(torch.stack([windows[n] for n in asked]))
            answers = dict(zip(asked, scores, strict=True))
        for n, key in enumerate(keys):
            if key is not None and n in answers:
                self._even = {key: answers[n]}  # air is one value; more would cost memory
        return [answers[n] if n in answers else self._even[keys[n]] for n in range(len(windows))]  # type: ignore[index]

    def forget(self) -> None:
        """Windows are of another size from now on."""
        self._even = {}

    def _ask(self, windows: Tensor) -> Tensor:
        machine = self._machine
        windows = windows.to(machine.device, memory_format=torch.channels_last_3d)
        half = machine.precision != "fp32"
        total: Tensor | None = None
        with torch.inference_mode(), torch.autocast(machine.device.type, machine.dtype, enabled=half):
            for network in self._networks:
                answer: Tensor = network(windows).float()
                for axis in self._mirror_axes:
                    answer = answer + network(windows.flip(2 + axis)).float().flip(2 + axis)
                total = answer if total is None else total + answer
            assert total is not None
            mean = total / (len(self._networks) * (1 + len(self._mirror_axes)))
            return merge_background(mean, self._background).cpu()


def _value_of(window: Tensor) -> tuple[float, ...] | None:
    """The value of each channel of a window that holds nothing else; None for any other."""
    first = window[:, 0, 0, 0]
    if window[:, -1, -1, -1].ne(first).any() or window.ne(first[:, None, None, None]).any():
        return None
    return tuple(first.tolist())
