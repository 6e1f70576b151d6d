"""The optimizer."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from napari_resmed.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 200), (200, 8), (32, 64)])
def test_singular_values_become_alike(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    rows, columns = shape
    matrix = torch.randn(rows, columns) @ torch.diag(torch.logspace(0, -1.5, columns))
    before, found = torch.linalg.svd(matrix), orthogonal(matrix)
    after = torch.linalg.svdvals(found)
    assert before.S[0] / before.S[-1] > 2
    assert after[-1] > 0.6
    assert after[0] < 1.25
    # The directions stay those of the matrix.
    assert torch.trace(before.U.T @ found @ before.Vh.T) > 0.6 * len(after)


def test_a_gradient_of_nothing_changes_nothing() -> None:
    layer = nn.Conv3d(8, 8, 3)
    before = layer.weight.detach().clone()
    for weights in layer.parameters():
        weights.grad = torch.zeros_like(weights)
    Muon(layer.parameters(), weight_decay=0).step()
    torch.testing.assert_close(layer.weight.detach(), before)


def test_biases_move_as_adamw_moves_them() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(12)) for _ in range(2))
    one, other = Muon([ours], lr=0.1), torch.optim.AdamW([theirs], lr=0.1, weight_decay=1e-2)
    for _ in range(5):
        ours.grad = torch.randn(12)
        theirs.grad = ours.grad.clone()
        one.step(), other.step()
    torch.testing.assert_close(ours, theirs)


def test_a_step_of_a_kernel_is_as_long_as_one_of_adamw() -> None:
    torch.manual_seed(0)
    layer = nn.Conv3d(16, 32, 3)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.randn_like(layer.weight) * 1e-4
    Muon(layer.parameters(), lr=1e-2, weight_decay=0).step()
    moved = (layer.weight.detach() - before).square().mean().sqrt()
    assert 0.1 < moved / 1e-2 < 0.3


def test_a_run_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(6, 16)

    def run(layer: nn.Linear, optimizer: Muon, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            layer(inputs).square().mean().backward()
            optimizer.step()

    layer = nn.Linear(16, 8)
    optimizer = Muon(layer.parameters(), lr=1e-2)
    run(layer, optimizer, 3)
    again = nn.Linear(16, 8)
    again.load_state_dict(layer.state_dict())
    later = Muon(again.parameters(), lr=1e-2)
    later.load_state_dict(deepcopy(optimizer.state_dict()))
    run(layer, optimizer, 3)
    run(again, later, 3)
    torch.testing.assert_close(again.weight, layer.weight)


def test_what_has_no_gradient_stays() -> None:
    frozen, moved = nn.Parameter(torch.ones(8, 8)), nn.Parameter(torch.ones(8, 8))
    moved.grad = torch.eye(8)
    Muon([frozen, moved]).step()
    assert torch.equal(frozen, torch.ones(8, 8))
    assert not torch.equal(moved, torch.ones(8, 8))
