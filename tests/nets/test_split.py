from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from napari_resmed.nets import build_network
from napari_resmed.nets.split import SPLIT, split

LEVELS = {
    "in_channels": 1,
    "out_channels": 5,
    "features": [4, 8],
    "kernel_sizes": [[3, 3, 3]] * 2,
    "strides": [[1, 1, 1], [2, 2, 2]],
    "decoder_convs": [1],
}
ENCODERS = {"PlainConvUNet": {"encoder_convs": [1, 1]}, "ResidualEncoderUNet": {"blocks": [1, 1]}}


@pytest.fixture(params=SPLIT)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return build_network(request.param, {**LEVELS, **ENCODERS[request.param]}).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.rand((1, 1, 8, 8, 12), generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_the_parts_together_are_the_network(network: nn.Module, image: Tensor) -> None:
    parts = split(network)
    assert parts is not None
    body, head = parts
    features = body(image)
    assert features.shape == (1, 4, 8, 8, 12)
    assert torch.allclose(head(features), network(image), atol=1e-6)
    flat = head.flat(features[0].flatten(1))
    assert torch.allclose(flat.view(5, 8, 8, 12), network(image)[0], atol=1e-6)


@torch.inference_mode()
def test_the_network_stays_whole_and_lends_its_weights(network: nn.Module, image: Tensor) -> None:
    before = network(image)
    parts = split(network)
    assert parts is not None
    assert torch.equal(network(image), before)
    mine = {parameter.data_ptr() for parameter in network.parameters()}
    assert {parameter.data_ptr() for parameter in parts[0].parameters()} < mine


def test_others_are_not_split() -> None:
    assert split(UNet(3, 1, 2, (4, 8), (2,), num_res_units=1)) is None
