"""The layers of a classifier that can be looked at: where its features still have places in the image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from napari_resmed.errors import InputError

__all__ = ["layer_of", "layer_sizes"]


def layer_sizes(network: nn.Module, batch: Tensor) -> dict[str, tuple[int, ...]]:
    """For every size of features the last layer that has it, the deepest first; the last one is called ``""``.

    Parameters
    ----------
    network:
        Of :mod:`napari_resmed.nets.classifiers`.
    batch:
        An image as the network takes it, ``(1, c, [t,] [z,] y, x)``; what is in it does not matter.

    Returns
    -------
    dict
        Name within the backbone, and size ``([z,] y, x)``; that of one slice or frame where they are seen one by one.
    """
    backbone = _backbone(network, 0)
    seen: dict[tuple[int, ...], str] = {}
    names = {module: name for name, module in backbone.named_modules()}

    def note(module: nn.Module, _: Any, out: Any) -> None:
        # What is padded for the next layer has another grid than the features.
        if not isinstance(out, Tensor) or out.dim() < 4 or "Pad" in type(module).__name__:
            return
        size = tuple(out.shape[2:])
        # A single place for the whole image is no place (what EfficientNet weighs its features by).
        if max(size) > 1 or module is backbone:
            seen.pop(size, None)
            seen[size] = names[module]

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with torch.inference_mode():
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: size for size, name in reversed(seen.items())}


def layer_of(network: nn.Module, name: str, branch: int = 0) -> nn.Module:
    """A layer by its name within the backbone; the backbone itself, and so its last features, where that is empty.

    Parameters
    ----------
    network, name:
        As of :func:`layer_sizes`; any layer of the backbone will do.
    branch:
        Which backbone, where every modality has one.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    backbone = _backbone(network, branch)
    known = dict(backbone.named_modules())
    if name not in known:
        stages = ", ".join(key for key, _ in backbone.named_children())
        raise InputError(f"the network has no layer {name!r}; expected one of {stages}, or a layer in one of them")
    found: nn.Module = known[name]
    return found


def _backbone(network: nn.Module, branch: int) -> nn.Module:
    backbones = getattr(network, "backbones", None)
    found = network.backbone if backbones is None else backbones[branch]
    assert isinstance(found, nn.Module)
    return found
