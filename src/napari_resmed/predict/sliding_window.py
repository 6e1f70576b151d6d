"""A large image through a network of fixed window, window by window, rows leaving as they are finished."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor, nn

from napari_resmed.predict.answers import Answers, Network
from napari_resmed.predict.belt import Belt, Rows
from napari_resmed.predict.kept_memory import kept_memory
from napari_resmed.predict.machine import Machine, is_out_of_memory
from napari_resmed.predict.uncertainty import Doubt
from napari_resmed.predict.windows import Shape, Windows, pad_to_window, window_places

__all__ = ["slide", "sliding_window"]


def slide(
    image: Tensor,
    networks: Sequence[Network],
    machine: Machine,
    windows: Windows,
    *,
    classes: int,
    background_classes: int = 1,
    doubt: Doubt | None = None,
    belt_on_device: bool = False,
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
    doubt:
        How the disagreement of several passes is measured; None: not at all.
    belt_on_device:
        Whether scores are summed on the machine's device, and leave from there.

    Yields
    ------
    (done, total), Rows or Windows
        How many windows, before each batch and at the end; rows in order, each once, as soon as they are finished; and
        how it goes on, where memory ran out: from where it was, with fewer or smaller windows.

    Raises
    ------
    MemoryError, RuntimeError
        If memory runs out with the smallest windows too.
    WorkError
        If scores are larger than sums in half precision hold.
    """
    with kept_memory(machine):
        padded, margins = pad_to_window(image, windows.patch)
        z, y, x = padded.shape[1:]
        places = window_places((z, y, x), windows.patch, windows.overlap, windows.even)
        device = machine.device if belt_on_device else "cpu"
        answers = Answers(networks, machine, windows, background_classes, doubt, belt_on_device)
        belt = Belt(classes, windows, (z, y, x), margins, doubt is not None, device, answers.head)
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
                places[done:] = [
                    (slice(row + up.start, row + up.stop), along_y, along_x) for up, along_y, along_x in rest
                ]
                belt.use(less)
            answers.forget()
            if machine.device.type == "cuda":
                torch.cuda.empty_cache()  # blocks of the old size are of no use to the new one
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
