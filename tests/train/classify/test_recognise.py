from __future__ import annotations

import pytest
import torch
from monai.networks.nets.densenet import DenseNet169
from monai.networks.nets.efficientnet import EfficientNetBN

from napari_resmed.nets import build_network
from napari_resmed.nets.resnet import ResNet
from napari_resmed.train.classify.checkpoint import take_weights
from napari_resmed.train.classify.recognise import recognise

NARROW = [4, 6, 8, 10]


@pytest.mark.parametrize("depth", [10, 18, 34, 50])
def test_a_resnet_is_known_by_its_weights(depth: int) -> None:
    halvings = depth % 3
    made = ResNet(depth, 3, 2, NARROW, halvings=halvings)
    found = recognise({f"net.{name}": tensor for name, tensor in made.state_dict().items()})
    assert found == {
        "backbone": f"resnet{depth}", "backbone_arguments": {"features": NARROW, "halvings": halvings},
        "spatial_dims": 3, "in_channels": 2,
    }  # fmt: skip


def test_shortcuts_without_weights() -> None:
    found = recognise(ResNet(18, 3, 1, NARROW, shortcut="identity").state_dict())
    assert found is not None
    assert found["backbone_arguments"]["shortcut"] == "identity"


@pytest.mark.parametrize(("name", "dims"), [("densenet169", 2), ("efficientnet-b1", 2), ("densenet169", 3)])
def test_monais_bare_weights_are_taken(name: str, dims: int) -> None:
    with torch.device("meta"):  # names and sizes are all that counts
        made = DenseNet169(dims, 3, 1000) if name.startswith("dense") else EfficientNetBN(name, False, True, dims, 3)
        weights = made.state_dict()
        found = recognise({f"module.{key}": value for key, value in weights.items()})
        assert found == {"backbone": name, "backbone_arguments": {}, "spatial_dims": dims, "in_channels": 3}
        given = {key: found[key] for key in ("backbone", "backbone_arguments", "spatial_dims")}
        ours = build_network("ImageClassifier", {**given, "in_channels": 1, "out_channels": 2})
    taken = take_weights(ours, weights, "weights.pt")
    assert set(taken.new) == {"head.weight", "head.bias"}
    assert len(taken.adapted) == 1  # the first layer, from three channels to one
    assert len(taken.left) == 2  # the head of a thousand classes


def test_others_are_not() -> None:
    assert recognise({"features.conv0.weight": torch.rand((4, 1, 3, 3))}) is None
    assert recognise({"blocks.0.attention.weight": torch.rand((4, 4))}) is None
