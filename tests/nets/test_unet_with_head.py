from __future__ import annotations

import pytest
import torch

from napari_resmed.nets import build_network

SMALL = {
    "in_channels": 1, "out_channels": 7, "features": 3, "channels": [4, 6], "strides": [2], "num_res_units": 2,
    "norm": "instance", "act": "relu",
}  # fmt: skip


@pytest.mark.parametrize("dimensions", [2, 3])
def test_scores_are_sums_of_monais_features(dimensions: int) -> None:
    from monai.networks.nets.unet import UNet

    torch.manual_seed(0)
    network = build_network("UNetWithHead", {**SMALL, "spatial_dims": dimensions}).eval()
    whole = network if dimensions == 3 else network.network
    assert isinstance(whole[0], UNet)
    image = torch.rand((1, 1, *(8,) * dimensions))
    with torch.inference_mode():
        scores, features = whole(image), whole[0](image)
        expected = torch.einsum("cf,bf...->bc...", whole[1].weight.flatten(1), features)
        expected += whole[1].bias.reshape(1, -1, *(1,) * dimensions)
    assert scores.shape == (1, 7, *(8,) * dimensions)
    assert torch.allclose(scores, expected, atol=1e-5)
