"""Reading nnU-Net's checkpoints: tensors and plain values; whatever else they ask for is refused by name.

A checkpoint is a pickle, and a pickle can call anything. It is read by torch's restricted reader, which builds tensors
and plain containers; numpy's scalars, which nnU-Net keeps its training curves in, are allowed beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_resmed.errors import ModelError

__all__ = ["read_checkpoint"]

# As they are called in files of numpy 1 and 2.
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(code)) for code in ("?", *np.typecodes["AllInteger"], *np.typecodes["Float"])),
]
# How torch names what it refuses.
_NAMED = re.compile(r"(?:GLOBAL|Unsupported class|unrecognized function|objects of type) (\S+)")


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The network's state dict, and what else is in the file.

    Raises
    ------
    ModelError
        If it asks for anything but tensors and plain values, is damaged, or holds no ``network_weights``.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as problem:  # damaged bytes make the unpickler raise anything, KeyError among them
        if found := _NAMED.search(str(problem)):
            name = found[1].strip("`'\".,")
            raise ModelError(
                f"{path.parent.name}/{path.name} asks for {name}, which weights do not need and which could run "
                "code; it is refused"
            ) from problem
        raise ModelError(f"{path.parent.name}/{path.name} is damaged or no checkpoint; get the file anew") from problem
    weights = content.get("network_weights") if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise ModelError(f"{path.parent.name}/{path.name} holds no network_weights; expected nnU-Net v2's checkpoint")
    return {str(name): tensor for name, tensor in weights.items()}, content
