"""A 2D network that takes volumes: every slice along the first axis for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["SliceBySlice"]


class SliceBySlice(nn.Module):
    """Takes ``(batch, c, z, y, x)``; its weights have the names that they have in the 2D network.

    Parameters
    ----------
    network:
        Takes and gives ``(batch, c, y, x)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, volume: Tensor) -> Tensor:
        """Scores ``(batch, class, z, y, x)``."""
        batch, channels, slices = volume.shape[:3]
        flat = volume.transpose(1, 2).reshape(batch * slices, channels, *volume.shape[3:])
        answer: Tensor = self.network(flat)
        return answer.reshape(batch, slices, *answer.shape[1:]).transpose(1, 2)

    def state_dict(self, *args: Any, **named: Any) -> Any:
        """Of the 2D network."""
        return self.network.state_dict(*args, **named)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **named: Any) -> Any:
        """Of the 2D network."""
        return self.network.load_state_dict(state_dict, *args, **named)
