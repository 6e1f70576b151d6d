from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets.resnet import resnet18
from torch import Tensor, nn

from napari_resmed.errors import ModelError
from napari_resmed.nets import build_network
from napari_resmed.nets.resnet import ResNet
from napari_resmed.train.classify.checkpoint import read_checkpoint, take_weights
from tests import small_models

NARROW = [4, 6, 8, 10]


def classifier(name: str = "ImageClassifier", **changes: Any) -> nn.Module:
    given = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "backbone": "resnet10", **changes}
    return build_network(name, {"backbone_arguments": {"features": NARROW}, **given})


def torchvision_like(in_channels: int = 3) -> dict[str, Tensor]:
    """Names and shapes of a torchvision ResNet: a head called fc, no front."""
    torch.manual_seed(1)
    made = ResNet(10, 2, in_channels, NARROW)
    return {**made.state_dict(), "fc.weight": torch.rand((1000, 10)), "fc.bias": torch.rand(1000)}


class TestReading:
    @pytest.mark.parametrize("holder", ["", "state_dict", "model"])
    def test_wherever_the_weights_are(self, tmp_path: Path, holder: str) -> None:
        weights = torchvision_like()
        torch.save({holder: weights, "epoch": 3} if holder else weights, tmp_path / "a.pth")
        assert read_checkpoint(tmp_path / "a.pth").keys() == weights.keys()

    def test_a_model_folder(self, models_folder: Path) -> None:
        assert any(name.startswith("model.") for name in read_checkpoint(models_folder / "bands"))

    def test_code_is_never_run(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (tmp_path / "ran",))

        torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
        (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Evil()))
        (tmp_path / "empty.pt").write_bytes(b"")
        torch.save({"epoch": 3}, tmp_path / "nothing.pt")
        for name, said in (("evil", "refused"), ("pickle", "."), ("empty", "damaged"), ("nothing", "no weights")):
            with pytest.raises(ModelError, match=said):
                read_checkpoint(tmp_path / f"{name}.pt")
        assert not (tmp_path / "ran").exists()
        with pytest.raises(ModelError, match="no file of weights"):
            read_checkpoint(tmp_path / "absent.pt")


class TestTaking:
    def test_colour_weights_in_a_grey_network(self) -> None:
        weights, network = torchvision_like(), classifier()
        taken = take_weights(network, weights, "colours.pth")
        assert taken.adapted == ("backbone.conv1.weight",)
        assert set(taken.new) == {"head.weight", "head.bias"}
        assert taken.left == ("fc.weight", "fc.bias")
        assert "1 fitted to other channels" in taken.notes[0]
        assert "head.weight" in taken.notes[1]
        assert "fc.weight" in taken.notes[2]
        # A grey image is answered as the colour network answers it in all three channels.
        theirs = ResNet(10, 2, 3, NARROW).eval()
        theirs.load_state_dict(weights, strict=False)
        grey = torch.rand((1, 1, 64, 64))
        with torch.inference_mode():
            assert torch.allclose(network.eval().backbone(grey), theirs(grey.expand(1, 3, 64, 64)), atol=1e-5)

    def test_monais_ones_of_several_processes(self) -> None:
        theirs = resnet18(spatial_dims=3, n_input_channels=1, bias_downsample=False, conv1_t_stride=2)
        weights = OrderedDict((f"module.{name}", tensor) for name, tensor in theirs.state_dict().items())
        network = classifier(spatial_dims=3, backbone="resnet18", backbone_arguments={})
        taken = take_weights(network, weights, "medical.pth")
        assert set(taken.new) == {"head.weight", "head.bias"}
        assert torch.equal(network.state_dict()["backbone.layer4.1.conv2.weight"], theirs.layer4[1].conv2.weight)

    def test_every_branch_takes_them(self) -> None:
        network = classifier("BranchClassifier", in_channels=2)
        take_weights(network, torchvision_like(1), "grey.pth")
        one, two = (branch.layer1[0].conv1.weight for branch in network.backbones)
        assert torch.equal(one, two)
        assert torch.equal(one, torchvision_like(1)["layer1.0.conv1.weight"])

    def test_one_of_our_own_with_its_head(self) -> None:
        old, new = classifier(), classifier()
        taken = take_weights(new, old.state_dict(), "own")
        assert not taken.new
        assert torch.equal(new.head.weight, old.head.weight)

    def test_the_encoder_of_a_segmentation_model(self, models_folder: Path) -> None:
        base = small_models.describe()
        network = classifier(
            spatial_dims=3, backbone="encoder",
            backbone_arguments={"network": base.network, "arguments": dict(base.arguments)},
        )  # fmt: skip
        taken = take_weights(network, read_checkpoint(models_folder / "bands"), "bands")
        assert set(taken.new) == {"head.weight", "head.bias"}

    def test_those_of_slices_in_a_network_of_volumes(self) -> None:
        weights = torchvision_like(1)
        made = classifier(spatial_dims=3).eval()
        taken = take_weights(made, weights, "flat.pth")
        assert "fitted to volumes" in taken.notes[0]
        assert not [name for name in taken.new if not name.startswith("head.")]
        flat = ResNet(10, 2, 1, NARROW).eval()
        flat.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith("fc.")})
        # Far from the ends, where slices are all alike, a volume is seen as the slice is.
        slice_ = torch.rand((1, 1, 32, 32))
        with torch.inference_mode():
            first = made.backbone.conv1(slice_[:, :, None].expand(-1, -1, 15, -1, -1))  # type: ignore[union-attr,operator]
            assert torch.allclose(first[:, :, 4], flat.conv1(slice_), atol=1e-5)

    def test_weights_of_something_else(self) -> None:
        with pytest.raises(ModelError, match="another kind"):
            take_weights(classifier(), {"blocks.0.attention.weight": torch.rand((4, 4))}, "other.pth")
