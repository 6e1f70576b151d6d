from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_resmed.predict.belt import Rows
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.uncertainty import Doubt, entropy
from napari_resmed.predict.unsure_table import with_uncertainty
from napari_resmed.predict.windows import Windows

CPU = Machine(torch.device("cpu"), "fp32")
# Where one class is as good as certain, and the other as good as excluded.
SURE = 50.0


def passes(*sure_of: int, classes: int = 2) -> list[Tensor]:
    """Passes over one voxel, each sure of one class."""
    scores = torch.zeros((len(sure_of), 1, classes, 1, 1, 1))
    for number, chosen in enumerate(sure_of):
        scores[number, 0, chosen] = SURE
    return list(scores)


def told(kind: str, given: list[Tensor], overlapping: bool = False) -> float:
    doubt = Doubt(kind, overlapping)
    for scores in given:
        doubt.add(scores)
    return float(doubt.taken())


class TestDoubt:
    @pytest.mark.parametrize("kind", ["entropy", "variance"])
    @pytest.mark.parametrize("overlapping", [False, True])
    def test_passes_that_agree_are_sure(self, kind: str, overlapping: bool) -> None:
        sure = [2 * scores - SURE for scores in passes(1, 1, 1)]
        assert told(kind, sure, overlapping) == pytest.approx(0, abs=1e-6)

    def test_half_for_one_class_and_half_for_another(self) -> None:
        assert told("entropy", passes(0, 1)) == pytest.approx(1)
        # Of two classes with probability 0 or 1: a variance of 1/4 each.
        assert told("variance", passes(0, 1)) == pytest.approx(0.5)
        sure = [2 * scores - SURE for scores in passes(0, 1)]
        assert told("variance", sure, overlapping=True) == pytest.approx(0.5)
        assert told("entropy", sure, overlapping=True) == pytest.approx(1)

    def test_one_of_four_against_three(self) -> None:
        share = (0.25, 0.75)
        assert told("entropy", passes(0, 1, 1, 1)) == pytest.approx(-sum(p * math.log2(p) for p in share))
        assert told("variance", passes(0, 1, 1, 1)) == pytest.approx(1 - sum(p * p for p in share))

    def test_all_unsure_alike_have_entropy_and_no_variance(self) -> None:
        unsure = [torch.zeros((1, 5, 2, 9, 2))] * 3
        for kind, expected in (("entropy", 1.0), ("variance", 0.0)):
            doubt = Doubt(kind, overlapping=False)
            for scores in unsure:
                doubt.add(scores)
            found = doubt.taken()
            assert found.shape == (1, 1, 2, 9, 2)
            assert torch.allclose(found, torch.full_like(found, expected), atol=1e-6)

    def test_begins_anew(self) -> None:
        doubt = Doubt("entropy", overlapping=False)
        for given, expected in ((passes(0, 1), 1.0), (passes(1, 1), 0.0)):
            for scores in given:
                doubt.add(scores)
            assert float(doubt.taken()) == pytest.approx(expected, abs=1e-6)
        doubt.add(passes(0)[0])
        doubt.forget()
        doubt.add(passes(1)[0])
        assert float(doubt.taken()) == pytest.approx(0, abs=1e-6)


class TestEntropy:
    def test_of_one_pass(self) -> None:
        share = torch.tensor([0.1, 0.2, 0.7])
        found = entropy(share.log()[:, None, None, None].expand(3, 2, 3, 4), overlapping=False)
        assert found.shape == (2, 3, 4)
        assert float(found[1, 2, 3]) == pytest.approx(float(-(share * share.log()).sum() / math.log(3)))

    def test_of_classes_that_overlap_is_the_least_sure_ones(self) -> None:
        found = entropy(torch.tensor([50.0, 0.0, -50.0])[:, None, None, None], overlapping=True)
        assert float(found) == pytest.approx(1)


class TestInAnImage:
    def rows(self, networks: list[Any], kind: str, **how: Any) -> tuple[Tensor, Tensor]:
        image = torch.rand((1, 20, 18, 17), generator=torch.Generator().manual_seed(0))
        windows = Windows((16, 16, 16), **how)
        scores, doubts = [], []
        for step in slide(image, networks, CPU, windows, classes=2, doubt=Doubt(kind, overlapping=False)):
            if isinstance(step, Rows):
                assert step.doubt is not None
                scores.append(step.scores.clone())
                doubts.append(step.doubt.clone())
        return torch.cat(scores, 1), torch.cat(doubts)

    def test_two_networks_that_contradict_each_other(self) -> None:
        def one(x: Tensor) -> Tensor:
            return torch.cat([x + SURE, x - SURE], 1)

        def other(x: Tensor) -> Tensor:
            return torch.cat([x - SURE, x + SURE], 1)

        scores, doubt = self.rows([one, other], "variance")
        assert scores.shape == (2, 20, 18, 17)
        assert doubt.shape == (20, 18, 17)
        assert torch.allclose(doubt, torch.full_like(doubt, 0.5), atol=1e-5)

    def test_mirrored_passes_of_a_network_that_sees_voxels_agree(self) -> None:
        def one(x: Tensor) -> Tensor:
            return torch.cat([20 * x, 10 * torch.ones_like(x)], 1)

        scores, doubt = self.rows([one], "variance", mirror_axes=(0, 2))
        assert float(doubt.abs().max()) < 1e-5
        _, unsure = self.rows([one], "entropy", mirror_axes=(0, 2))
        assert torch.allclose(unsure, entropy(scores, overlapping=False), atol=1e-4)

    def test_mirrored_passes_are_turned_back_before_they_are_compared(self) -> None:
        def edge(x: Tensor) -> Tensor:
            """Sure of the class 1 in the window's first half along z, of 0 in its second: it does not mirror."""
            up = torch.where(torch.arange(16).view(-1, 1, 1) < 8, SURE, -SURE).expand_as(x)
            return torch.cat([-up, up], 1)

        _, doubt = self.rows([edge], "variance", mirror_axes=(0,), overlap=0.0)
        assert float(doubt.min()) > 0.49


class TestTable:
    def test_means_per_structure(self) -> None:
        labels = np.array([[[0, 1, 1]], [[300, 1, 0]]], np.uint16)
        doubt = np.array([[[0.9, 0.1, 0.2]], [[0.5, 0.6, 0.9]]], np.float32)
        rows = with_uncertainty([{"value": 1, "name": "a"}, {"value": 300}, {"value": 7}], labels, doubt)
        assert rows == [
            {"value": 1, "name": "a", "uncertainty": 0.3},
            {"value": 300, "uncertainty": 0.5},
            {"value": 7, "uncertainty": None},
        ]

    def test_labels_beyond_those_listed(self) -> None:
        labels = np.array([[[1, 9]]], np.uint8)
        assert with_uncertainty([{"value": 1}], labels, np.array([[[0.25, 1.0]]], np.float32)) == [
            {"value": 1, "uncertainty": 0.25}
        ]
