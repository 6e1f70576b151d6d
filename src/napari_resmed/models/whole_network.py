"""All of a model's networks as one: a window in, the mean of their scores out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import weights_file
from napari_resmed.models.model import Model
from napari_resmed.models.tensors_only import read_tensors
from napari_resmed.models.torchscript import SCRIPT, TORCHSCRIPT, load_script
from napari_resmed.nets import build_network

__all__ = ["WholeNetwork", "load_networks"]


class WholeNetwork(nn.Module):
    """The mean of several networks' scores."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        """Scores ``(batch, class, z, y, x)`` of windows ``(batch, channel, z, y, x)``."""
        answers = [network(image) for network in self.networks]
        return answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)


def load_networks(model: Model) -> WholeNetwork:
    """A model's networks with their weights, on the CPU in fp32.

    Raises
    ------
    ModelError
        If the weights are damaged, are not tensors only, or do not fit the network.
    """
    if model.folder is None:
        raise ModelError(f"the model {model.name} was never saved, so it has no weights to load")
    networks = []
    for member in range(model.members):
        if model.network == TORCHSCRIPT:
            network = load_script(model.folder / SCRIPT)
        else:
            network = build_network(model.network, model.arguments)
        try:
            network.load_state_dict(read_tensors(model.folder / weights_file(member)))
        except (RuntimeError, TypeError, AttributeError) as problem:
            raise ModelError(f"the weights of {model.name} do not fit its network {model.network}") from problem
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        networks.append(network.float())
    return WholeNetwork(networks).eval()
