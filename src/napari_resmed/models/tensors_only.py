"""Reading files of weights: tensors and plain values; whatever else they ask for is refused by name.

Such a file is a pickle, and a pickle can call anything. It is read by torch's restricted reader, which builds tensors
and plain containers; numpy's numbers and arrays, which other programs keep beside their weights, are allowed too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_resmed.errors import ModelError

__all__ = ["read_tensors"]

# As they are called in files of numpy 1 and 2.
_SCALAR = np.float64(0).__reduce__()[0]
_ARRAY = np.empty(0).__reduce__()[0]
_NUMPY: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_ARRAY, "numpy.core.multiarray._reconstruct"),
    (_ARRAY, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in ("?", *np.typecodes["AllInteger"], *np.typecodes["Float"])),
]
# How torch names what it refuses.
_NAMED = re.compile(r"(?:GLOBAL|Unsupported class|unrecognized function|objects of type) (\S+)")


def read_tensors(path: Path) -> Any:
    """What a file saved by torch holds, on the CPU.

    Raises
    ------
    ModelError
        If it asks for anything but tensors and plain values, or is damaged.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            return torch.load(path, map_location="cpu", weights_only=True)
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
