from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_resmed.errors import ModelError
from napari_resmed.nets import build_network
from napari_resmed.review.ranking import area_under_roc

TINY = {"features": [4, 4, 6, 6], "small_images": True}
IMAGE: dict[str, Any] = {
    "spatial_dims": 3, "in_channels": 2, "out_channels": 3, "backbone": "resnet10", "backbone_arguments": TINY,
}  # fmt: skip


def build(name: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    # Through JSON, as a model's file has it.
    return build_network(name, json.loads(json.dumps({**IMAGE, **changes})))


@pytest.fixture
def image() -> Tensor:
    return torch.rand((2, 2, 6, 16, 16), generator=torch.Generator().manual_seed(0))


class TestByName:
    @pytest.mark.parametrize("name", ["ImageClassifier", "SequenceClassifier", "BranchClassifier"])
    def test_scores_for_every_class(self, name: str, image: Tensor) -> None:
        assert build(name).eval()(image).shape == (2, 3)

    @pytest.mark.parametrize("spatial_dims", [2, 3])
    @pytest.mark.parametrize(
        ("backbone", "arguments"),
        [
            ("resnet50", TINY),
            ("densenet121", {"init_features": 4, "growth_rate": 2, "block_config": [1, 1, 1, 1]}),
            ("efficientnet-b0", {}),
        ],
    )
    def test_every_backbone(self, backbone: str, arguments: dict[str, Any], spatial_dims: int) -> None:
        made = build("ImageClassifier", spatial_dims=spatial_dims, backbone=backbone, backbone_arguments=arguments)
        assert made.eval()(torch.rand((1, 2, *[32] * spatial_dims))).shape == (1, 3)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"backbone": "os.system"},
            {"backbone": "efficientnet-b0", "backbone_arguments": {"pretrained": True}},
            {"backbone_arguments": {"depth": 18}},
            {"head": "gru"},
        ],
    )
    def test_a_file_can_ask_for_nothing_else(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ModelError, match="cannot be built"):
            build("ImageClassifier", **wrong)


class TestSequence:
    @pytest.mark.parametrize("mixer", ["none", "gru", "lstm", "transformer"])
    def test_frames_are_weighed(self, mixer: str, image: Tensor) -> None:
        made = build("SequenceClassifier", mixer=mixer, hidden=8).eval()
        scores, weights = made.answer(image)
        assert scores.shape == (2, 3)
        assert weights.shape == (2, 6)
        assert torch.allclose(weights.sum(1), torch.ones(2))

    @pytest.mark.parametrize("mixer", ["none", "gru", "lstm", "transformer"])
    def test_only_a_mixer_knows_the_order(self, mixer: str, image: Tensor) -> None:
        made = build("SequenceClassifier", mixer=mixer, hidden=8).eval()
        with torch.inference_mode():
            same = torch.allclose(made(image), made(image.flip(2)), atol=1e-5)
        assert same == (mixer == "none")

    @pytest.mark.parametrize("mixer", ["gru", "transformer"])
    def test_an_answer_that_lies_in_the_order_is_learnt(self, mixer: str) -> None:
        assert _order_learnt(mixer, "attention") > 0.95

    def test_by_frames_alone_it_cannot_be(self) -> None:
        assert 0.2 < _order_learnt("none", "mean") < 0.8

    @pytest.mark.parametrize("mixer", ["gru", "transformer"])
    def test_volumes_go_through_few_at_a_time_where_nothing_is_learnt(
        self, mixer: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = build("SequenceClassifier", spatial_dims=4, mixer=mixer, hidden=8).eval()
        volumes = torch.rand((2, 2, 6, 8, 8, 8), generator=torch.Generator().manual_seed(0))
        seen: list[int] = []
        made.backbone.register_forward_hook(lambda module, given, out: seen.append(len(given[0])))  # type: ignore[union-attr]
        whole = made(volumes)
        monkeypatch.setattr("napari_resmed.nets.classifiers.VOXELS_AT_A_TIME", 5 * 8**3)
        with torch.inference_mode():
            scores, weights = made.answer(volumes)
        assert seen == [12, 5, 5, 2]
        assert weights.shape == (2, 6)
        torch.testing.assert_close(scores, whole.detach(), rtol=1e-4, atol=1e-5)

    def test_the_frame_that_tells_counts_most(self) -> None:
        torch.manual_seed(0)
        made = build("SequenceClassifier", in_channels=1, out_channels=2, mixer="none")
        images, truth, place = _one_bright_frame(64)
        optimiser = torch.optim.Adam(made.parameters(), 5e-3)
        for _ in range(60):
            optimiser.zero_grad()
            F.cross_entropy(made(images), truth).backward()
            optimiser.step()
        with torch.inference_mode():
            _, weights = made.eval().answer(images)
        sick = truth == 1
        assert float((weights.argmax(1) == place)[sick].float().mean()) > 0.9


class TestBranches:
    def test_what_is_not_there_counts_for_nothing(self, image: Tensor) -> None:
        made = build("BranchClassifier").eval()
        image[0, 1] = 0
        with torch.inference_mode():
            scores, weights = made.answer(image)
            alone = made(image[:1])
        assert weights[0].tolist() == [1, 0]
        assert 0 < float(weights[1, 1]) < 1
        assert torch.allclose(scores[0], alone[0], atol=1e-6)
        assert torch.isfinite(made(torch.zeros_like(image))).all()

    def test_modalities_are_dropped_in_training_alone_and_never_all(self, image: Tensor) -> None:
        made = build("BranchClassifier", drop_channels=0.9)
        torch.manual_seed(1)
        weights = torch.cat([made.train().answer(image)[1] for _ in range(20)])
        assert ((weights > 0).sum(1) >= 1).all()
        assert ((weights > 0).sum(1) == 1).any()
        assert (made.eval().answer(image)[1] > 0).all()


class TestMissingModalities:
    def test_both_with_one_missing_at_random_are_better_than_either_alone(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images, truth = _two_hints(800, generator)
        unseen, known = _two_hints(600, generator)
        both = _area(_taught("BranchClassifier", images, truth, in_channels=2, drop_channels=0.2), unseen, known)
        alone = [
            _area(_taught("ImageClassifier", images[:, k : k + 1], truth, in_channels=1), unseen[:, k : k + 1], known)
            for k in (0, 1)
        ]
        assert both > max(alone) + 0.03
        assert min(alone) > 0.55


def _two_hints(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each modality hints at the class by its brightness; of two cases in five one of them is missing."""
    truth = torch.randint(2, (count,), generator=generator)
    brightness = truth[:, None] + torch.randn((count, 2), generator=generator)
    images = 0.3 + 0.1 * brightness[..., None, None] + 0.05 * torch.rand((count, 2, 8, 8), generator=generator)
    lot = torch.rand(count, generator=generator)
    images[lot < 0.2, 0] = 0
    images[lot > 0.8, 1] = 0
    return images, truth


def _taught(name: str, images: Tensor, truth: Tensor, **changes: Any) -> nn.Module:
    made = build(name, spatial_dims=2, out_channels=2, **changes)
    optimiser = torch.optim.Adam(made.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(120):
        rows = torch.randint(len(truth), (64,), generator=generator)
        optimiser.zero_grad()
        F.cross_entropy(made.train()(images[rows]), truth[rows]).backward()
        optimiser.step()
    return made.eval()


def _area(network: nn.Module, images: Tensor, truth: Tensor) -> float:
    with torch.inference_mode():
        scores = network(images)
    found = area_under_roc((truth == 1).numpy(), (scores[:, 1] - scores[:, 0]).double().numpy())
    assert found is not None
    return found


def _order_learnt(mixer: str, pooling: str) -> float:
    """Accuracy on new sequences, in which a bright frame comes before a dark one or after it."""
    made = build("SequenceClassifier", in_channels=1, out_channels=2, mixer=mixer, pooling=pooling, hidden=16)
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(80):
        images, truth = _ordered(16, generator)
        optimiser.zero_grad()
        F.cross_entropy(made(images), truth).backward()
        optimiser.step()
    images, truth = _ordered(100, generator)
    with torch.inference_mode():
        return float((made.eval()(images).argmax(1) == truth).float().mean())


def _ordered(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    truth = torch.randint(2, (count,), generator=generator)
    images = 0.1 * torch.rand((count, 1, 5, 8, 8), generator=generator)
    places = torch.stack([torch.randperm(5, generator=generator)[:2].sort().values for _ in range(count)])
    for number, (early, late) in enumerate(places.tolist()):
        bright, dark = (early, late) if truth[number] else (late, early)
        images[number, :, bright, 2:6] += 0.8
        images[number, :, dark, :, 2:6] += 0.8
    return images, truth


def _one_bright_frame(count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth, place = torch.arange(count) % 2, torch.randint(5, (count,), generator=generator)
    images = 0.3 * torch.rand((count, 1, 5, 8, 8), generator=generator)
    for number in range(count):
        if truth[number]:
            images[number, 0, place[number], 2:6, 2:6] += 0.7
    return images, truth, place
