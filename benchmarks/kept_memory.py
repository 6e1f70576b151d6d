"""What does it save that a network's memory is used again between its layers? (Linux, on a CPU)

One window of 96×96×96 through brain-mr's network, and one bare step of training on it, inside ``kept_memory`` and
outside, in turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from napari_resmed.models.catalogue import find_model
from napari_resmed.nets import build_network
from napari_resmed.predict.kept_memory import kept_memory
from napari_resmed.predict.machine import choose_machine

ROUNDS, TIMES = 3, 3


def main() -> None:
    model, machine = find_model("brain-mr"), choose_machine("cpu", "fp32")
    network = build_network(model.network, model.arguments)
    image = torch.rand((1, 1, 96, 96, 96))

    def answer() -> None:
        with torch.inference_mode():
            network(image)

    def step() -> None:
        network(image).square().mean().backward()

    for name, work in (("a window", answer), ("a bare step", step)):
        given_back, kept = [], []
        for _ in range(ROUNDS):
            given_back.append(seconds(work))
            with kept_memory(machine):
                kept.append(seconds(work))
        without, inside = median(given_back), median(kept)
        print(f"{name:12s} {without:5.2f} s, with memory kept {inside:5.2f} s   ratio {inside / without:.2f}")


def seconds(work: Callable[[], None]) -> float:
    """Of one, once it is warm."""
    work()
    begin = time.perf_counter()
    for _ in range(TIMES):
        work()
    return (time.perf_counter() - begin) / TIMES


if __name__ == "__main__":
    main()
