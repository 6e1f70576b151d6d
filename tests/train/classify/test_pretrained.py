from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.networks import nets
from monai.networks.nets import densenet, resnet

from napari_resmed.errors import InputError, WorkError
from napari_resmed.nets import build_network
from napari_resmed.train.classify.checkpoint import take_weights
from napari_resmed.train.classify.pretrained import fetch_weights


def test_nothing_is_fetched_unless_somebody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)  # whatever tries fails otherwise
    with pytest.raises(InputError, match="--download"):
        fetch_weights("monai:resnet18", False)
    with pytest.raises(InputError, match="expected monai: and one of resnet10"):
        fetch_weights("monai:vgg16", True)


def test_where_there_is_no_way_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        raise OSError("Name or service\nnot known")

    monkeypatch.setattr(densenet, "load_state_dict_from_url", nowhere)
    with pytest.raises(WorkError, match="could not be fetched: Name or service not known"):
        fetch_weights("monai:densenet121", True)


def test_monais_switch_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be fetched is made here, by MONAI, as it loads MedicalNet's."""
    torch.manual_seed(0)
    theirs = nets.resnet10(spatial_dims=3, n_input_channels=1, feed_forward=False, bias_downsample=False)
    asked = []

    def fetched(depth: int, **_: Any) -> dict[str, Any]:
        asked.append(depth)
        return {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}

    monkeypatch.setattr(resnet, "get_pretrained_resnet_medicalnet", fetched)
    weights, arguments = fetch_weights("monai:resnet10", True)
    assert asked == [10]
    made = build_network("ImageClassifier", {"in_channels": 1, "out_channels": 2, **arguments})
    taken = take_weights(made, weights, "monai:resnet10")
    assert not [name for name in taken.new if not name.startswith("head.")]
    assert torch.equal(
        made.state_dict()["backbone.layer1.0.conv1.weight"], theirs.state_dict()["layer1.0.conv1.weight"]
    )
