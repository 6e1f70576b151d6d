"""The weights that a training begins with: drawn by the plan's seed, or what another network gave."""

from __future__ import annotations

import torch
from torch import nn

from napari_resmed.errors import WorkError
from napari_resmed.nets import build_network
from napari_resmed.predict.machine import put_on
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.written_plan import WrittenPlan

__all__ = ["first_network", "fresh_network", "keep_first_weights"]


def fresh_network(plan: WrittenPlan) -> nn.Module:
    """The plan's network with weights that hang on its seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        return build_network(plan.network, plan.arguments)


def keep_first_weights(network: nn.Module, run: RunFolder) -> None:
    """Write down the weights that training begins with.

    Raises
    ------
    WorkError
        If the disk is full.
    """
    try:
        torch.save(network.state_dict(), run.base)
    except (OSError, RuntimeError) as problem:  # torch tells a full disk in its own words
        raise WorkError(f"could not write {run.base}: the disk may be full") from problem


def first_network(plan: WrittenPlan, run: RunFolder, device: torch.device) -> nn.Module:
    """The network as training begins with it."""
    network = fresh_network(plan)
    if run.base.is_file():
        network.load_state_dict(torch.load(run.base, weights_only=True))
    return put_on(device, network)
