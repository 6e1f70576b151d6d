"""Reading nnU-Net's checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from napari_resmed.errors import ModelError
from napari_resmed.models.tensors_only import read_tensors

__all__ = ["read_checkpoint"]


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The network's state dict, and what else is in the file.

    Raises
    ------
    ModelError
        If it asks for anything but tensors and plain values, is damaged, or holds no ``network_weights``.
    """
    content = read_tensors(path)
    weights = content.get("network_weights") if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise ModelError(f"{path.parent.name}/{path.name} holds no network_weights; expected nnU-Net v2's checkpoint")
    return {str(name): tensor for name, tensor in weights.items()}, content
