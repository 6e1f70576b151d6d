from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.model import Model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.transfer import Origin, Transfer, background_classes, transfer_weights

KINDS: dict[str, dict[str, Any]] = {
    "UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 2, "norm": "batch"},
    "UNetWithHead": {"features": 5, "channels": [4, 8], "strides": [2], "num_res_units": 2, "norm": "instance"},
    "UNet plain": {"channels": [4, 8], "strides": [2], "num_res_units": 0},
    "DynUNet": {
        "kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8],
        "deep_supervision": True, "deep_supr_num": 1,
    },
    "SegResNet": {"init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]},
}  # fmt: skip
ALL = pytest.mark.parametrize("kind", KINDS)
LABELS = ("liver", "Left Kidney", "spleen")


def describe(
    kind: str, labels: tuple[str, ...] = LABELS, channels: tuple[str, ...] = ("T1", "FLAIR"), background: int = 1
) -> Model:
    outputs = background + len(labels)
    arguments = {"spatial_dims": 3, "in_channels": len(channels), "out_channels": outputs, **KINDS[kind]}
    return Model(
        name="base",
        network=kind.split()[0],
        arguments=arguments,
        preparation=Preparation((1.0, 1.0, 1.0)),
        patch=(8, 8, 8),
        labels=LabelSet(tuple(Label(number, name, (1, 1, 1)) for number, name in enumerate(labels, 1))),
        channels=channels,
        background_classes=background,
    )


def weights_of(model: Model, seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    state = build_network(model.network, model.arguments).state_dict()
    return {
        name: tensor + 0.1 * torch.rand_like(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }


def moved(
    kind: str,
    labels: tuple[str, ...] = LABELS,
    channels: tuple[str, ...] = ("T1", "FLAIR"),
    origins: dict[str, Origin] | None = None,
) -> tuple[torch.nn.Module, torch.nn.Module, Transfer]:
    """The old network, the new one, and what was said."""
    base = describe(kind)
    new = describe(kind, labels, channels, background_classes(base, labels))
    old = build_network(base.network, base.arguments)
    old.load_state_dict(weights_of(base, 1))
    network = build_network(new.network, new.arguments)
    network.load_state_dict(weights_of(new, 2))
    said = transfer_weights(network, base, weights_of(base, 1), labels, channels, origins)
    return old.eval(), network.eval(), said


def answers(network: torch.nn.Module, channels: int = 2) -> Tensor:
    image = torch.rand((1, channels, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return network(image)


def total(network: torch.nn.Module) -> int:
    return len(network.state_dict())


@ALL
class TestLabels:
    def test_the_same(self, kind: str) -> None:
        old, new, said = moved(kind)
        assert torch.equal(answers(old), answers(new))
        assert (said.kept, said.partly, said.new) == (total(new), 0, 0)
        assert (said.known, said.learnt) == (LABELS, ())
        assert said.notes == (
            f"starts from base: {total(new)} of {total(new)} layers' weights kept whole, 0 in part, 0 new",
            "base knows already: liver, Left Kidney, spleen",
        )

    def test_in_another_order_and_spelling(self, kind: str) -> None:
        old, new, said = moved(kind, ("SPLEEN", "liver", "left_kidney"))
        assert torch.allclose(answers(new), answers(old)[:, [0, 3, 1, 2]], atol=1e-5)
        assert said.learnt == ()
        assert said.new == 0
        assert said.partly > 0

    def test_fewer(self, kind: str) -> None:
        old, new, said = moved(kind, ("spleen",))
        assert said.known == ("spleen",)
        assert said.new == 0
        assert "no longer answered: liver, Left Kidney" in said.notes
        # The others stay as classes of background: the network answers as before, to the last digit but two.
        assert torch.allclose(answers(new), answers(old)[:, [0, 1, 2, 3]], atol=1e-5)

    def test_more(self, kind: str) -> None:
        old, new, said = moved(kind, (*LABELS, "pancreas"))
        assert answers(new).shape[1] == 5
        assert (said.known, said.learnt) == (LABELS, ("pancreas",))
        assert "begun anew: pancreas" in said.notes
        assert said.new == 0
        assert torch.allclose(answers(new)[:, :4], answers(old), atol=1e-5)

    def test_all_others(self, kind: str) -> None:
        old, new, said = moved(kind, ("a", "b"))
        assert said.known == ()
        assert said.learnt == ("a", "b")
        assert "no longer answered: liver, Left Kidney, spleen" in said.notes
        # What the old network knows is all still there, as background.
        assert torch.allclose(answers(new)[:, :4], answers(old), atol=1e-5)
        assert torch.isfinite(answers(new)).all()

    def test_a_new_one_begins_as_the_class_it_lies_in(self, kind: str) -> None:
        share = 0.25
        old, new, said = moved(kind, ("cyst",), origins={"cyst": Origin(row=2, share=share)})
        assert said.learnt == ("cyst",)
        # Beside the left kidney's own score, by so much lower that the two share its voxels one to three.
        scores = answers(new)
        assert torch.allclose(scores[:, :4], answers(old), atol=1e-5)
        odds = math.log(share / (1 - share))
        if kind == "UNet":  # its last unit adds what comes in to what it makes of it, so the copy has both
            assert torch.corrcoef(torch.stack([scores[:, 4].ravel(), scores[:, 2].ravel()]))[0, 1] > 0.99
        else:
            assert torch.allclose(scores[:, 4] - scores[:, 2], torch.full_like(scores[:, 4], odds), atol=1e-4)

    def test_renamed_ones_begin_anew(self, kind: str) -> None:
        _, _, said = moved(kind, ("liver", "kidney, left", "spleen"))
        assert said.learnt == ("kidney, left",)
        assert "begun anew: kidney, left" in said.notes
        assert "no longer answered: Left Kidney" in said.notes


@ALL
class TestChannels:
    def test_swapped(self, kind: str) -> None:
        old, new, said = moved(kind, channels=("flair", "t1"))
        image = torch.rand((1, 2, 8, 8, 8), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            assert torch.allclose(new(image), old(image.flip(1)), atol=1e-5)
        assert said.new == 0

    def test_other_names_for_as_many_are_taken_in_order(self, kind: str) -> None:
        old, new, said = moved(kind, channels=("a", "b"))
        assert torch.equal(answers(old), answers(new))
        assert not any("channel" in note for note in said.notes)

    def test_one_dropped(self, kind: str) -> None:
        old, new, said = moved(kind, channels=("FLAIR",))
        image = torch.rand((1, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            assert torch.allclose(new(image), old(torch.cat([torch.zeros_like(image), image], 1)), atol=1e-5)
        assert said.new == 0

    def test_a_new_one_begins_as_the_mean_of_the_old(self, kind: str) -> None:
        old, new, said = moved(kind, channels=("T1", "FLAIR", "PET"))
        image = torch.rand((1, 3, 8, 8, 8), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            expected = old(image[:, :2] + image[:, 2:] / 2)
            assert torch.allclose(new(image), expected, atol=1e-4)
        assert "new input channels, begun as the mean of the old: PET" in said.notes


class TestOtherNetworks:
    def test_what_does_not_fit_is_new_and_said(self) -> None:
        base = describe("UNet")
        wider = replace(base, arguments={**base.arguments, "channels": [4, 16]})
        network = build_network("UNet", wider.arguments)
        fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        old = weights_of(base, 1)
        said = transfer_weights(network, base, old, LABELS, ("T1", "FLAIR"))
        assert said.new > 0
        assert said.kept > 0
        for name, tensor in network.state_dict().items():
            fits = name in old and old[name].shape == tensor.shape
            assert torch.equal(tensor, old[name] if fits else fresh[name])

    def test_weights_in_half_precision(self) -> None:
        base = describe("SegResNet")
        network = build_network("SegResNet", base.arguments)
        half = {name: tensor.half() for name, tensor in weights_of(base, 1).items()}
        transfer_weights(network, base, half, LABELS, ("T1", "FLAIR"))
        assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
        assert all(torch.equal(tensor, half[name].float()) for name, tensor in network.state_dict().items())

    def test_the_base_is_not_changed(self) -> None:
        base = describe("UNet")
        old = weights_of(base, 1)
        before = {name: tensor.clone() for name, tensor in old.items()}
        network = build_network("UNet", base.arguments)
        transfer_weights(network, base, old, LABELS, ("T1", "FLAIR"))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(1)
        assert all(torch.equal(old[name], before[name]) for name in old)
