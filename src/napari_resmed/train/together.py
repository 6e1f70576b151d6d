"""Several processes that share each batch of one training, one per device."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Together"]


class Together:
    """One process among those that torchrun started.

    Parameters
    ----------
    device:
        Where its network lies; decides the way they talk: NCCL between NVIDIA GPUs, else gloo.
    """

    def __init__(self, device: torch.device) -> None:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        self.rank = dist.get_rank()
        self.ranks = dist.get_world_size()
        self._device = device

    def share(self, network: nn.Module, some_rest: bool = False) -> nn.Module:
        """The network whose gradients are the mean over all processes; ``some_rest``: not all of it learns always."""
        devices = [self._device] if self._device.type == "cuda" else None
        return DistributedDataParallel(network, devices, find_unused_parameters=some_rest)

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a figure over all processes."""
        total = value.clone()
        dist.all_reduce(total)
        return total / self.ranks

    def agree(self, *values: float) -> list[float]:
        """What the first process has, for all."""
        shared = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.broadcast(shared, 0)
        return [float(value) for value in shared.tolist()]

    def part(self) -> None:
        """Leave the others in order."""
        dist.destroy_process_group()
