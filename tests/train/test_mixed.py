from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_resmed.predict.machine import Machine
from napari_resmed.train.mixed import mixed


def gradient(conv: nn.Module, image: torch.Tensor, precision: str) -> torch.Tensor:
    conv.zero_grad()
    with mixed(Machine(torch.device("cpu"), precision)):
        answer = conv(image)
    (answer.float() ** 2).sum().backward()
    return conv.weight.grad.clone()


@pytest.mark.parametrize("size", [(1, 4, 4), (2, 2, 2), (2, 8, 8), (3, 4, 4), (4, 2, 2)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_gradients_by_the_weights_are_those_of_whole_precision(kernel: int, size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(64, 64, kernel, padding=kernel // 2)
    image = torch.randn(2, 64, *size)
    expected = gradient(conv, image, "fp32")
    for _ in range(3):
        junk = [torch.full((count,), 1e30) for count in (conv.weight.numel(), conv.weight.numel() // 2)]
        del junk  # memory that is not all zero, as after any step
        found = gradient(conv, image, "bf16")
        assert (found - expected).norm() < 0.02 * expected.norm()


def test_however_it_is_called() -> None:
    weight = torch.zeros(16, 16, 3, 3, 3)
    with mixed(Machine(torch.device("cpu"), "bf16")):
        answer = nn.functional.conv3d(input=torch.ones(1, 16, 2, 4, 4), weight=weight, bias=torch.ones(16), padding=1)
    assert answer.dtype == torch.float32
    assert answer.shape == (1, 16, 2, 4, 4)
    assert torch.all(answer == 1)


def test_elsewhere_it_is_half() -> None:
    conv = nn.Conv3d(16, 16, 3, padding=1)
    with mixed(Machine(torch.device("cpu"), "bf16")):
        assert conv(torch.zeros(1, 16, 4, 4, 4)).dtype == torch.bfloat16
        assert conv(torch.zeros(1, 16, 2, 4, 4)).dtype == torch.float32
    with mixed(Machine(torch.device("cpu"), "fp32")):
        assert conv(torch.zeros(1, 16, 4, 4, 4)).dtype == torch.float32
