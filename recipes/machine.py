"""What a device is called in a card."""

from __future__ import annotations

import torch

__all__ = ["device_name"]


def device_name(device: torch.device) -> str:
    """A GPU's name, or how many cores of the CPU this process computes on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    cores = torch.get_num_threads()
    return f"{cores} CPU core{'' if cores == 1 else 's'}"
