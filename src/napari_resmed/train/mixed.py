"""The precision in which a training step computes, and where it has to be the whole one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from napari_resmed.predict.machine import Machine

__all__ = ["mixed"]


@contextmanager
def mixed(machine: Machine) -> Iterator[None]:
    """Compute as the machine does, for answers and for gradients by the weights.

    Parameters
    ----------
    machine:
        Its device and precision.
    """
    half = machine.precision != "fp32"
    whole = _WholeWhereThin() if half and machine.device.type == "cpu" else nullcontext()
    with torch.autocast(machine.device.type, machine.dtype, enabled=half), whole:
        yield


class _WholeWhereThin(TorchFunctionMode):
    """Convolves in float32 what has fewer slices than the kernel.

    In bfloat16 on a CPU (torch 2.13, oneDNN, 16 channels and more) the gradient by such a kernel is whatever lay in
    memory, mostly without a trace: finite and far too large, so that shortening the gradient leaves nothing else of it.
    A deep level of a network often has two slices.
    """

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(zip(("input", "weight"), args, strict=False)) | (kwargs or {})
        if function is torch.conv3d and given["input"].shape[2] < given["weight"].shape[2]:
            with torch.autocast("cpu", enabled=False):
                return function(given.pop("input").float(), given.pop("weight"), *args[2:], **given)
        return function(*args, **(kwargs or {}))
