"""Which device and which precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from napari_resmed.errors import InputError

__all__ = ["LAYOUTS", "PRECISIONS", "Machine", "check_devices", "choose_machine", "is_out_of_memory", "put_on"]

# What torch's allocators on CPU, Windows, CUDA and Apple GPUs, and NVIDIA's libraries say; an illegal memory access or
# a wrong memory format is none of it.
_OUT_OF_MEMORY = ("out of memory", "allocate memory", "not enough memory", "status_alloc_failed")

# Channels last in memory, by the number of axes of an image or of weights: what convolutions are fastest on.
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
# From then on Apple's GPUs know the transposed convolutions of volumes, in fp32 (pytorch/pytorch, pull request 154696).
MPS_SINCE = "2.8"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Machine:
    """Where the network runs and in which number format."""

    device: torch.device
    precision: str

    @property
    def dtype(self) -> torch.dtype:
        """The number format for torch."""
        return PRECISIONS[self.precision]


def choose_machine(device: str = "auto", precision: str = "auto") -> Machine:
    """Pick what is there, or what was asked for.

    Parameters
    ----------
    device:
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision:
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``. Auto is bf16 where the processor computes in it,
        fp16 on other GPUs, fp32 elsewhere.

    Raises
    ------
    InputError
        If the device is not there, or the precision is unknown or not for this device.
    """
    if precision not in ("auto", *PRECISIONS):
        raise InputError(f"the precision is {precision!r}, expected auto, {', '.join(PRECISIONS)}")
    place = _device(device)
    if precision == "auto":
        precision = _best_precision(place)
    if precision == "fp16" and place.type == "cpu":
        raise InputError("fp16 needs a GPU; on the CPU choose fp32 or bf16")
    if precision != "fp32" and place.type == "mps":
        raise InputError(
            f"{precision} is not for Apple GPUs, on which transposed convolutions know no half; choose fp32"
        )
    return Machine(place, precision)


def check_devices(machine: Machine, count: int) -> None:
    """Refuse more devices than there are; on a CPU, processes may share it.

    Raises
    ------
    InputError
        If there are fewer GPUs.
    """
    if machine.device.type == "cpu" or count == 1:
        return
    there = torch.cuda.device_count() if machine.device.type == "cuda" else 1
    if count > there:
        raise InputError(
            f"found {count} devices, and this machine has {there} of the kind {machine.device.type}; expected at most "
            "that many"
        )


def put_on(device: torch.device, network: nn.Module) -> nn.Module:
    """The network on a device, its convolutions' channels last in memory, which is fastest on all of them."""
    network.to(device)
    for weight in network.parameters():
        if weight.dim() in LAYOUTS:
            weight.data = weight.data.contiguous(memory_format=LAYOUTS[weight.dim()])
    return network


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error means that memory ran out; torch's CPU allocator says so only in words."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(problem).lower()
    return isinstance(problem, RuntimeError) and any(words in said for words in _OUT_OF_MEMORY)


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available() and torch.__version__ >= MPS_SINCE:
            return torch.device("mps")
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as problem:
        raise InputError(f"the device is {name!r}, expected auto, cpu, cuda, cuda:N or mps") from problem
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(f"the device {name} is not there: this machine has {count} usable NVIDIA GPUs")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("the device mps is not there: it needs an Apple GPU")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"the device is {name!r}, expected auto, cpu, cuda, cuda:N or mps")
    return device


def _best_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu" and _cpu_computes_bf16():
        return "bf16"
    return "fp32"


def _cpu_computes_bf16() -> bool:
    """Whether the processor multiplies bf16 itself; emulated, it is slower than fp32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
