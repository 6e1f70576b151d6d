"""Held to MONAI's own on the same layer, on networks of random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.visualize.class_activation_maps import GradCAM, GradCAMpp
from monai.visualize.occlusion_sensitivity import OcclusionSensitivity
from torch import Tensor, nn

from napari_resmed.errors import InputError
from napari_resmed.nets import build_network
from napari_resmed.predict.explain.gradients import gradient_map, layered_map
from napari_resmed.predict.explain.layers import layer_of, layer_sizes
from napari_resmed.predict.explain.occlusion import cover_size, occlusion_map
from napari_resmed.predict.explain.strongest import strongest_slices
from tests.train.classify.small import network as arguments
from tests.train.small import finish


def build(dims: int = 2, name: str = "ImageClassifier", **more: Any) -> nn.Module:
    torch.manual_seed(0)
    made = build_network(name, arguments(dims, dropout=0.0, **more)).eval()
    with torch.no_grad():
        made.head.weight.abs_()  # so that some place speaks for every class
    return made


def image(dims: int = 2, channels: int = 1) -> Tensor:
    return torch.rand(
        (1, channels, *((16, 16) if dims == 2 else (8, 16, 16))), generator=torch.Generator().manual_seed(1)
    )


def to_one(found: Tensor) -> Tensor:
    return found / found.max()


class TestGradients:
    @pytest.mark.parametrize("layer", ["", "layer3", "layer2.0.conv1"])
    @pytest.mark.parametrize("dims", [2, 3])
    @pytest.mark.parametrize("plus", [False, True])
    def test_as_monais(self, layer: str, dims: int, plus: bool) -> None:
        made, batch = build(dims), image(dims)
        ours = gradient_map(made, batch, layer_of(made, layer), 1, plus)
        theirs = (GradCAMpp if plus else GradCAM)(made, f"backbone.{layer}".rstrip("."), postprocessing=lambda x: x)
        expected = theirs(batch, class_idx=1)[0, 0].detach()
        assert expected.max() > 0
        torch.testing.assert_close(to_one(ours), to_one(expected), rtol=1e-4, atol=1e-5)

    def test_the_network_is_left_as_it_was(self) -> None:
        made = build().requires_grad_(False)
        gradient_map(made, image(), layer_of(made, "layer3"), 0)
        layer_sizes(made, image())
        assert not any(module._forward_hooks or module._backward_hooks for module in made.modules())
        assert all(weight.grad is None and not weight.requires_grad for weight in made.parameters())

    def test_other_weights_give_another_map(self) -> None:
        made, batch = build(), image()
        before = to_one(gradient_map(made, batch, layer_of(made, "layer3"), 1))
        with torch.no_grad():
            for weight in made.parameters():
                weight.copy_(weight.flatten()[torch.randperm(weight.numel())].reshape(weight.shape))
        after = to_one(gradient_map(made, batch, layer_of(made, "layer3"), 1))
        assert float((before - after).abs().mean()) > 0.05

    def test_slices_seen_one_by_one_have_a_map_each(self) -> None:
        made, batch = build(3, "SequenceClassifier", mixer="gru", hidden=8), image(3)
        assert gradient_map(made, batch, layer_of(made, "layer2"), 0).shape == (8, 16, 16)
        # Where nothing joins the slices but their mean, each has the map that it has alone.
        made = build(3, "SequenceClassifier", mixer="none", pooling="mean")
        whole = gradient_map(made, batch, layer_of(made, "layer2"), 0)
        alone = gradient_map(made, batch[:, :, 5:6], layer_of(made, "layer2"), 0)[0]
        assert alone.max() > 0
        torch.testing.assert_close(to_one(whole[5]), to_one(alone), rtol=1e-3, atol=1e-4)

    def test_volumes_seen_one_by_one_too(self) -> None:
        made = build(4, "SequenceClassifier", mixer="none", pooling="mean")
        batch = torch.rand((1, 1, 3, 8, 8, 8), generator=torch.Generator().manual_seed(1))
        whole = gradient_map(made, batch, layer_of(made, "layer2"), 0)
        assert whole.shape == (3, 8, 8, 8)
        alone = gradient_map(made, batch[:, :, 1:2], layer_of(made, "layer2"), 0)[0]
        assert alone.max() > 0
        torch.testing.assert_close(to_one(whole[1]), to_one(alone), rtol=1e-3, atol=1e-4)
        assert next(iter(layer_sizes(made, batch).values())) == (1, 1, 1)

    def test_a_branch_of_its_own(self) -> None:
        made, batch = build(2, "BranchClassifier", in_channels=2), image(2, 2)
        maps = [gradient_map(made, batch, layer_of(made, "layer3", branch), 0) for branch in (0, 1)]
        assert not torch.allclose(*maps)

    def test_a_layer_that_is_not_there(self) -> None:
        with pytest.raises(InputError, match="no layer 'layer9'; expected one of conv1, bn1, maxpool, layer1"):
            layer_of(build(), "layer9")


class TestLayerCam:
    def test_of_one_layer(self) -> None:
        made, batch = build(), image()
        state = made.backbone.maxpool(torch.relu(made.backbone.bn1(made.backbone.conv1(batch))))  # type: ignore[union-attr,operator]
        state = made.backbone.layer2(made.backbone.layer1(state)).detach().requires_grad_()  # type: ignore[union-attr,operator]
        vectors = made.backbone.layer4(made.backbone.layer3(state)).mean((2, 3))  # type: ignore[union-attr,operator]
        made.head(vectors)[0, 1].backward()  # type: ignore[operator]
        assert state.grad is not None
        coarse = (state.grad.clamp_min(0) * state.detach()).sum(1, keepdim=True)
        expected = nn.functional.interpolate(coarse, (16, 16), mode="bilinear")[0, 0]
        torch.testing.assert_close(layered_map(made, batch, [layer_of(made, "layer2")], 1), to_one(expected))

    @pytest.mark.parametrize(
        ("dims", "name"), [(2, "ImageClassifier"), (3, "ImageClassifier"), (3, "SequenceClassifier")]
    )
    def test_a_place_counts_that_all_layers_name(self, dims: int, name: str) -> None:
        made, batch = build(dims, name), image(dims)
        layers = [layer_of(made, layer) for layer in ("", "layer3", "layer1")]
        each = [layered_map(made, batch, [layer], 1) for layer in layers]
        together = layered_map(made, batch, layers, 1)
        torch.testing.assert_close(together, torch.stack(each).prod(0) ** (1 / 3), rtol=1e-3, atol=1e-4)
        assert together.max() > 0

    def test_a_layer_that_sees_nothing_says_nothing_against_the_others(self) -> None:
        made, batch = build(), image()
        with torch.no_grad():
            for weight in made.backbone.bn1.parameters():  # type: ignore[union-attr]
                weight.zero_()
        silent, last = layer_of(made, "maxpool"), layer_of(made, "")
        assert not layered_map(made, batch, [silent], 1).any()
        torch.testing.assert_close(layered_map(made, batch, [last, silent], 1), layered_map(made, batch, [last], 1))


class TestLayers:
    def test_the_last_of_every_size(self) -> None:
        assert layer_sizes(build(), image()) == {"": (2, 2), "layer3": (4, 4), "layer2": (8, 8), "layer1": (16, 16)}

    def test_a_single_place_is_none(self) -> None:
        # EfficientNet weighs its features by what it sees of the whole image.
        made = build_network(
            "ImageClassifier", {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "backbone": "efficientnet-b0"}
        ).eval()
        sizes = list(layer_sizes(made, torch.rand((1, 1, 64, 64))).values())
        assert sizes == [(2, 2), (4, 4), (8, 8), (16, 16), (32, 32)]

    def test_of_slices(self) -> None:
        made = build(3, "SequenceClassifier", mixer="gru", hidden=8)
        assert list(layer_sizes(made, image(3)).values()) == [(2, 2), (4, 4), (8, 8), (16, 16)]


class TestOcclusion:
    @pytest.mark.parametrize(("dims", "cover"), [(2, (5, 4)), (3, (4, 6, 8))])
    def test_as_monais(self, dims: int, cover: tuple[int, ...]) -> None:
        made, batch = build(dims), image(dims)
        ours = finish(occlusion_map(made, batch, 1, 2.0, cover, 0.5))
        theirs = OcclusionSensitivity(
            made, cover, mode="mean_img", overlap=0.5, verbose=False, activate=lambda score: (score / 2.0).softmax(1)
        )
        left = theirs(batch)[0][0, 1]
        with torch.inference_mode():
            usual = (made(batch) / 2.0).softmax(1)[0, 1]
        assert float(ours.abs().max()) > 1e-4
        torch.testing.assert_close(ours, (usual - left).as_tensor(), rtol=1e-3, atol=1e-6)

    def test_it_tells_how_far_it_is(self) -> None:
        shares = list(occlusion_map(build(), image(), 0))
        assert shares == sorted(shares)
        assert len(shares) > 10
        assert 0 <= min(shares) <= max(shares) < 1

    def test_thin_images_are_covered_whole_along_their_thin_axis(self) -> None:
        assert cover_size((1, 64, 40)) == (1, 8, 5)
        assert cover_size((10, 40, 40)) == (3, 10, 10)


class TestStrongest:
    def test_slice_and_share(self) -> None:
        heat = np.zeros((3, 4, 5), np.float32)
        heat[1, 2, 3] = 3
        heat[2, 2, 0] = 1
        assert strongest_slices(heat) == [(1, 0.75), (2, 1.0), (3, 0.75)]

    def test_the_middle_of_those_that_hold_as_much(self) -> None:
        heat = np.ones((6, 1, 1), np.float32)
        heat[0] = 0
        assert strongest_slices(heat)[0] == (3, pytest.approx(0.2))

    def test_no_heat(self) -> None:
        assert strongest_slices(np.zeros((2, 2, 2), np.float32)) == []
