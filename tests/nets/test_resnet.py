from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from monai.networks.nets.resnet import resnet18, resnet50
from torch import nn
from torch.nn import functional as F

from napari_resmed.nets.resnet import DEPTHS, ResNet

NARROW = (4, 6, 8, 10)


def narrow(depth: int = 18, spatial_dims: int = 2, **more: object) -> ResNet:
    torch.manual_seed(0)
    return ResNet(depth, spatial_dims, 1, NARROW, small_images=True, **more)  # type: ignore[arg-type]


def first_gradient(network: ResNet) -> float:
    """How long the gradient is that reaches the first layer."""
    features = network(torch.rand((4, 1, 16, 16), generator=torch.Generator().manual_seed(0)))
    features.square().mean().backward()
    assert network.conv1.weight.grad is not None
    return float(network.conv1.weight.grad.norm())


class TestShapes:
    @pytest.mark.parametrize("depth", DEPTHS)
    @pytest.mark.parametrize("spatial_dims", [2, 3])
    def test_features_have_the_width_they_say(self, depth: int, spatial_dims: int) -> None:
        network = narrow(depth, spatial_dims).eval()
        features = network(torch.rand((1, 1, *[16] * spatial_dims)))
        assert features.shape == (1, network.width, *[2] * spatial_dims)
        assert network.width == (40 if depth == 50 else 10)

    @pytest.mark.parametrize(("halvings", "edge"), [(0, 8), (1, 4), (2, 2)])
    def test_large_images_are_made_smaller_at_once(self, halvings: int, edge: int) -> None:
        network = ResNet(10, 2, 1, NARROW, halvings=halvings).eval()
        assert network(torch.rand((1, 1, 64, 64))).shape == (1, 10, edge, edge)

    @pytest.mark.parametrize(("depth", "monai"), [(18, resnet18), (50, resnet50)])
    def test_it_is_monais_where_monai_has_it(self, depth: int, monai: object) -> None:
        theirs = monai(  # type: ignore[operator]
            spatial_dims=3, n_input_channels=1, conv1_t_stride=2, feed_forward=False, bias_downsample=False
        ).eval()
        ours = ResNet(depth, 3, 1).eval()
        ours.load_state_dict(theirs.state_dict())
        image = torch.rand((1, 1, 32, 32, 32))
        with torch.inference_mode():
            mine = ours(image).mean((2, 3, 4))
            assert torch.allclose(mine, theirs(image), rtol=1e-4, atol=1e-5)

    def test_arguments_that_make_no_sense(self) -> None:
        for wrong in ({"depth": 19}, {"halvings": 3}, {"shortcut": "B"}, {"blend": 1.0}, {"learn_blend": True}):
            with pytest.raises(ValueError, match="expected|needs"):
                ResNet(**wrong)  # type: ignore[arg-type]


class TestShortcuts:
    @pytest.mark.parametrize("shortcut", ["projection", "identity"])
    def test_gradients_reach_the_first_of_50_layers_and_vanish_without(self, shortcut: str) -> None:
        # Without norms, which would bring the gradients back to size by themselves.
        def quiet(network: ResNet) -> ResNet:
            for name, module in network.named_modules():
                if isinstance(module, nn.BatchNorm2d) and "downsample" not in name:
                    module.forward = lambda state: state * 0.5  # type: ignore[method-assign]
            return network

        with_shortcuts = first_gradient(quiet(narrow(50, shortcut=shortcut)))
        without = first_gradient(quiet(narrow(50, shortcut="none")))
        assert with_shortcuts > 1e-3
        assert without < 1e-6 * with_shortcuts

    def test_an_identity_shortcut_has_no_weights_and_passes_a_gradient_where_it_strides(self) -> None:
        block = narrow(18, shortcut="identity").layer2[0]
        assert not list(block.downsample.parameters())
        nn.init.zeros_(block.bn2.weight)
        state = torch.rand((1, 4, 8, 8), requires_grad=True)
        out = block.eval()(state)
        assert torch.equal(out[:, :4], state[:, :, ::2, ::2])
        assert not out[:, 4:].any()
        out.sum().backward()
        assert state.grad is not None
        assert float(state.grad.sum()) == 4 * 16

    def test_the_weighted_one_is_the_weighted_mean(self) -> None:
        plain, weighted = narrow(18).layer1[0].eval(), narrow(18, blend=0.3).layer1[0].eval()
        weighted.load_state_dict(plain.state_dict())
        state = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            inner = weighted.bn2(weighted.conv2(torch.relu(weighted.bn1(weighted.conv1(state)))))
            assert torch.allclose(weighted(state), torch.relu(0.3 * inner + 0.7 * state), atol=1e-6)

    def test_half_and_half_learns(self) -> None:
        assert _learns(narrow(10, blend=0.5))[-1] < 0.3

    def test_a_learnt_weight_moves_and_stays_between_0_and_1(self) -> None:
        network = narrow(10, blend=0.5, learn_blend=True)
        losses = _learns(network)
        assert losses[-1] < losses[0]
        found = [float(torch.sigmoid(weight)) for name, weight in network.named_parameters() if name.endswith("blend")]
        assert len(found) == 4
        assert all(0 < value < 1 for value in found)
        assert any(abs(value - 0.5) > 1e-3 for value in found)
        assert "layer1.0.blend" in network.state_dict()
        assert not any("blend" in name for name in narrow(10, blend=0.5).state_dict())


def _learns(network: ResNet) -> list[float]:
    """Losses of 40 steps in which it is taught to tell stripes along one axis from stripes along the other."""
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(network.width, 2)
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], 3e-3)
    stripes = torch.arange(16) // 2 % 2
    pictures = torch.stack([stripes.expand(16, 16), stripes[:, None].expand(16, 16)]).float()[:, None]
    losses = []
    for _ in range(40):
        truth = torch.randint(2, (8,), generator=generator)
        image = pictures[truth] + 0.3 * torch.randn((8, 1, 16, 16), generator=generator)
        loss = F.cross_entropy(head(network(image).mean((2, 3))), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return [sum(part) / 10 for part in (losses[a:b] for a, b in pairwise(range(0, 41, 10)))]
