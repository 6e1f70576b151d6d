"""What one or several networks say to windows, plain and mirrored, and how far they disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_resmed.nets.split import Head
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.uncertainty import Doubt
from napari_resmed.predict.windows import Windows

__all__ = ["Answers", "Network", "TwoParts", "merge_background"]

# Takes windows ``(batch, c, z, y, x)`` and gives scores; what it gave may lie in memory that its next answer uses.
X = 2  # left and right are along the last axis of (z, y, x)

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class TwoParts:
    """A network whose last layer is a part of its own; takes and gives what the whole does."""

    body: Network
    head: Head

    def __call__(self, windows: Tensor) -> Tensor:
        """Scores of windows."""
        return self.head(self.body(windows))


class Answers:
    """Means over passes; of windows that hold one value alone the answer is remembered.

    Parameters
    ----------
    networks, machine, windows:
        What is asked, where, and along which axes mirrored.
    background_classes:
        How many of a network's first classes are background; they are merged into one.
    doubt:
        How the disagreement of passes is measured, as one more channel of every answer; None for no such channel.
    on_device:
        Whether answers stay on the machine's device.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        machine: Machine,
        windows: Windows,
        background_classes: int = 1,
        doubt: Doubt | None = None,
        on_device: bool = False,
    ) -> None:
        # The last layer, where answers are what it is given and whoever sums them applies it; None: scores.
        self.head: Head | None = None
        only, mirrors = networks[0], windows.mirrors
        alone = len(networks) * len(mirrors) == 1 and background_classes == 1
        if isinstance(only, TwoParts) and alone:
            self.head, networks = only.head, [only.body]
        self._passes = [(network, mirror) for network in networks for mirror in mirrors]
        self._pairs = windows.mirrored_classes
        self._machine, self._background, self._doubt = machine, background_classes, doubt
        self._on_device = on_device
        self._even: dict[tuple[float, ...], Tensor] = {}

    def to(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """Scores ``(class, z, y, x)`` of each window ``(c, z, y, x)``, to be used before the next are asked for.

        Where there is a ``head``, what it is given instead: ``(feature, z, y, x)``.
        """
        keys = [_value_of(window) for window in windows]
        asked = [n for n, key in enumerate(keys) if key is None or key not in self._even]
        answers = {n: self._even[key] for n, key in enumerate(keys) if key is not None and key in self._even}
        if asked:
            scores = self._ask(torch.stack([windows[n] for n in asked]))
            answers |= dict(zip(asked, scores, strict=True))
        for n in asked:
            if (key := keys[n]) is not None:
                self._even = {key: answers[n].clone()}  # air is one value; more would cost memory
        return [answers[n] for n in range(len(windows))]

    def forget(self) -> None:
        """Windows are of another size from now on."""
        self._even = {}
        if self._doubt is not None:
            self._doubt.forget()

    def _ask(self, windows: Tensor) -> Tensor:
        machine = self._machine
        windows = windows.to(machine.device, memory_format=torch.channels_last_3d)
        half = machine.precision != "fp32"
        with torch.inference_mode(), torch.autocast(machine.device.type, machine.dtype, enabled=half):
            mean, doubt = self._mean(windows)
            scores = merge_background(mean, self._background)
            if doubt is not None:
                scores = torch.cat([scores, doubt], 1)
            return scores if self._on_device else scores.cpu()

    def _mean(self, windows: Tensor) -> tuple[Tensor, Tensor | None]:
        total: Tensor | None = None
        for network, mirror in self._passes:
            axes = [2 + axis for axis in mirror]
            answer = network(windows.flip(axes) if axes else windows)
            if len(self._passes) == 1 and self._background == 1:
                return answer, None  # of whatever type: a copy of many classes takes long
            answer = answer.float()
            if len(self._passes) == 1:
                return answer, None
            answer = self._turned_back(answer, mirror)
            if self._doubt is not None:
                self._doubt.add(merge_background(answer, self._background))
            if total is None:
                total = answer.clone()
            else:
                total += answer
        assert total is not None
        return total.div_(len(self._passes)), None if self._doubt is None else self._doubt.taken()

    def _turned_back(self, answer: Tensor, mirror: Sequence[int]) -> Tensor:
        """What was said to a mirrored window, as said to the window itself."""
        if mirror:
            answer = answer.flip([2 + axis for axis in mirror])
        if X in mirror and self._pairs:
            order = list(range(answer.shape[1]))
            for one, other in self._pairs:
                order[one], order[other] = other, one
            answer = answer[:, order]
        return answer


def merge_background(scores: Tensor, count: int, axis: int = 1) -> Tensor:
    """Class scores whose first ``count`` classes are one: its probability is the sum of theirs."""
    if count == 1:
        return scores
    first, rest = scores.narrow(axis, 0, count), scores.narrow(axis, count, scores.shape[axis] - count)
    return torch.cat([first.logsumexp(axis, keepdim=True), rest], axis)


def _value_of(window: Tensor) -> tuple[float, ...] | None:
    """The value of each channel of a window that holds nothing else; None for any other."""
    first = window[:, 0, 0, 0]
    if window[:, -1, -1, -1].ne(first).any() or window.ne(first[:, None, None, None]).any():
        return None
    return tuple(first.tolist())
