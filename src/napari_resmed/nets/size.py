"""What a network asks of the images it is given: edges that can be halved so often, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["continues_borders", "edge_multiples", "first_features", "fits_one_size"]

Shape = tuple[int, int, int]

# Networks that were traced, or whose positions are numbered, know one size.
FIXED_SIZE = ("TorchScript", "UNETR")
# Networks whose arguments do not say how often they halve.
DIVISIBLE = {"BasicUNet": 16, "VNet": 16, "SwinUNETR": 32, "FlexibleUNet": 32, "HighResNet": 1}
# Where a network's arguments do not say it.
USUAL_FEATURES = 32


def edge_multiples(network: str, arguments: Mapping[str, Any]) -> Shape:
    """What a patch's edges ``(z, y, x)`` have to be divisible by: how much coarser the network's deepest level is."""
    if network == "DiNTS":
        depths = int(arguments["space"].get("num_depths", 3)) + bool(arguments.get("use_downsample", True))
        return (2**depths,) * 3
    if network in DIVISIBLE:
        return (DIVISIBLE[network],) * 3
    edges = [1, 1, 1]
    strides = [2] * (len(arguments.get("blocks_down", (1, 2, 2, 4))) - 1)
    if not network.startswith("SegResNet"):
        strides = list(arguments.get("strides", ()))
    for stride in strides:
        for axis in range(3):
            edges[axis] *= int(stride[axis] if isinstance(stride, list | tuple) else stride)
    return edges[0], edges[1], edges[2]


def fits_one_size(network: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it takes patches of one size alone."""
    return network in FIXED_SIZE or arguments.get("spatial_dims") == 2


def continues_borders(network: str) -> bool:
    """Whether it goes on beyond the border of what it sees as the image would: zeros around it would be an edge."""
    return network == "VoxelNet"


def first_features(arguments: Mapping[str, Any]) -> int:
    """How many features the network has at full resolution, where nearly all of its memory goes."""
    widths = arguments.get("channels") or arguments.get("filters") or arguments.get("features")
    only = arguments.get("init_filters") or arguments.get("feature_size")
    return int(widths[0] if widths else only or USUAL_FEATURES)
