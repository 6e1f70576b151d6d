"""DiNTS: a network whose paths were searched for (He et al., CVPR 2021), built from the paths that were found."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.networks.nets.dints import DiNTS, TopologyInstance
from torch import nn

__all__ = ["build_dints"]


def build_dints(
    *,
    in_channels: int,
    num_classes: int,
    arch_code: Sequence[Any],
    node_a: Any = None,
    space: dict[str, Any],
    **options: Any,
) -> nn.Module:
    """MONAI's network with the paths of a search.

    Parameters
    ----------
    in_channels, num_classes, options:
        Of ``monai.networks.nets.DiNTS``.
    arch_code:
        Which paths are taken ``(blocks, paths)``, and which operation on each ``(blocks, paths)``.
    node_a:
        Which nodes are used ``(blocks + 1, depths)``; None: all.
    space:
        Of ``monai.networks.nets.TopologyInstance``: channel_mul, num_blocks, num_depths and so on.

    Raises
    ------
    ValueError
        If the paths have other sizes than the space.
    """
    paths, operations = (np.asarray(code) for code in arch_code)
    expected = (int(space.get("num_blocks", 6)), 3 * int(space.get("num_depths", 3)) - 2)
    if paths.shape != expected or operations.shape != expected:
        raise ValueError(f"the paths of DiNTS have the sizes {paths.shape} and {operations.shape}, expected {expected}")
    nodes = None if node_a is None else torch.from_numpy(np.asarray(node_a))
    # It prints advice, which has no place in the output of a command.
    with contextlib.redirect_stdout(io.StringIO()):
        topology = TopologyInstance(arch_code=[paths, operations], device="cpu", **space)
        network: nn.Module = DiNTS(topology, in_channels=in_channels, num_classes=num_classes, node_a=nodes, **options)
    return network
