from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_resmed.nets import build_network

UNET = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 4, "channels": [4, 6, 8], "strides": [2, 2],
    "num_res_units": 2, "norm": "instance",
}  # fmt: skip
RESIDUAL = {
    "in_channels": 1, "out_channels": 4, "features": [4, 6, 8], "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]], "blocks": [1, 1, 1], "decoder_convs": [1, 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("UNet", UNET), ("UNetWithHead", {**UNET, "features": 5}), ("ResidualEncoderUNet", RESIDUAL)],
)
def test_the_deepest_features_are_those_of_the_whole_network(name: str, arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    whole = build_network(name, arguments).eval()
    classifier = build_network(
        "ImageClassifier",
        {
            "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "backbone": "encoder",
            "backbone_arguments": {"network": name, "arguments": arguments},
        },
    ).eval()  # fmt: skip
    encoder = classifier.backbone
    # Every weight of the encoder has its namesake in the whole.
    missing, _ = encoder.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    seen: list[torch.Tensor] = []
    body = whole[0] if name == "UNetWithHead" else whole
    deepest = whole.encoder[-1] if name == "ResidualEncoderUNet" else body.model[1].submodule[1].submodule
    deepest.register_forward_hook(lambda _, __, out: seen.append(out))
    image = torch.rand((1, 1, 16, 16, 16))
    with torch.inference_mode():
        whole(image)
        assert torch.equal(encoder(image), seen[0])
        assert classifier(image).shape == (1, 2)
