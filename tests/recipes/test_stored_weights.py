from __future__ import annotations

import io
import zlib

import torch

from recipes.stored_weights import stored_weights


def test_kernels_change_little_and_compress_well() -> None:
    torch.manual_seed(0)
    kernel = 0.03 * torch.randn(32, 32, 3, 3, 3)
    kept = stored_weights({"kernel": kernel})["kernel"]
    assert kept.dtype == torch.float16
    assert 0.005 < float((kept - kernel).norm() / kernel.norm()) < 0.03
    assert _compressed(kept) < 0.6 * _compressed(kernel.half())
    assert torch.equal(stored_weights({"kernel": kept})["kernel"], kept)


def test_what_is_no_kernel_is_only_halved() -> None:
    scales, count, nothing = torch.rand(64), torch.tensor(7), torch.zeros(4, 4, 1, 1, 1)
    kept = stored_weights({"scales": scales, "count": count, "nothing": nothing})
    assert torch.equal(kept["scales"], scales.half())
    assert torch.equal(kept["count"], count)
    assert not kept["nothing"].any()


def _compressed(tensor: torch.Tensor) -> int:
    buffer = io.BytesIO()
    torch.save(tensor, buffer)
    return len(zlib.compress(buffer.getvalue()))
