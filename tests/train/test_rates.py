from __future__ import annotations

import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.nets import build_network
from napari_resmed.train.rates import make_optimiser

NETWORK = {
    "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "backbone": "resnet10",
    "backbone_arguments": {"features": [4, 4, 4, 4], "small_images": True},
}  # fmt: skip


def shares(optimiser: torch.optim.Optimizer, network: torch.nn.Module) -> dict[str, float]:
    groups = {id(weight): group["share"] for group in optimiser.param_groups for weight in group["params"]}
    return {name: groups[id(weight)] for name, weight in network.named_parameters()}


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd", "muon"])
def test_every_stage_learns_slower_than_the_next(kind: str) -> None:
    network = build_network("ImageClassifier", NETWORK)
    found = shares(make_optimiser(network, kind, 1e-3, 1e-2, layer_decay=0.5), network)
    assert found["head.weight"] == 1
    assert found["backbone.layer4.0.conv1.weight"] == 0.5
    assert found["backbone.layer3.0.bn1.bias"] == 0.25
    assert found["backbone.conv1.weight"] == found["backbone.layer1.0.conv1.weight"] / 4
    assert len(found) == len(list(network.parameters()))


def test_scales_and_offsets_do_not_decay() -> None:
    network = build_network("ImageClassifier", NETWORK)
    for group in make_optimiser(network, "sgd", 1e-3, 1e-2).param_groups:
        assert group["weight_decay"] == (1e-2 if group["params"][0].dim() > 1 else 0)


def test_an_unknown_kind() -> None:
    with pytest.raises(InputError, match="expected adamw, adam, sgd, muon"):
        make_optimiser(build_network("ImageClassifier", NETWORK), "lion", 1e-3, 0)
