"""The same on a GPU; where there is none, nothing of it runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_resmed.jobs.segment import segment
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.uncertainty import Doubt
from napari_resmed.predict.windows import Windows
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.small import finish

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")


@pytest.fixture
def image() -> Volume:
    z, y, x = np.mgrid[:40, :50, :45]
    data = (np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 5)).astype(np.float32)
    return Volume(data, make_affine(spacing_mm=(1.1, 1.4, 0.8)), "zyx", "MR")


@pytest.mark.usefixtures("own_models")
class TestLabels:
    @pytest.mark.parametrize("model", ["bands", "bands-2mm"])
    def test_are_those_of_the_cpu(self, model: str, image: Volume) -> None:
        found = [
            finish(segment(image, model, device=device, precision="fp32", backend="torch", uncertainty=True))
            for device in ("cpu", "cuda")
        ]
        assert np.mean(found[0].labels.data == found[1].labels.data) > 0.999
        assert found[0].uncertainty is not None
        assert found[1].uncertainty is not None
        assert np.allclose(found[0].uncertainty.data, found[1].uncertainty.data, atol=1e-2)

    @pytest.mark.parametrize("precision", ["bf16", "fp16"])
    def test_nearly_so_in_half_precision(self, precision: str, image: Volume) -> None:
        exact = finish(segment(image, "bands", device="cpu", precision="fp32", backend="torch"))
        half = finish(segment(image, "bands", device="cuda", precision=precision))
        assert np.mean(exact.labels.data == half.labels.data) > 0.97


class TestSums:
    @pytest.mark.parametrize("sums", [torch.float32, torch.float16])
    @pytest.mark.parametrize("even", [False, True])
    def test_on_the_device_and_beside_it(self, sums: torch.dtype, even: bool) -> None:
        machine = choose_machine("cuda", "fp32")
        network = torch.nn.Conv3d(1, 3, 3, padding=1).cuda().requires_grad_(False)
        picture = torch.rand((1, 40, 50, 45), generator=torch.Generator().manual_seed(0))
        windows = Windows((16, 24, 16), mirror_axes=(0, 2), batch=4, sums=sums, even=even)
        found = []
        for on_device in (True, False):
            steps = slide(
                picture,
                [network],
                machine,
                windows,
                classes=3,
                doubt=Doubt("variance", overlapping=False),
                belt_on_device=on_device,
            )
            rows = [(step.scores.cpu().clone(), step.scores.is_cuda) for step in steps if isinstance(step, Rows)]
            assert {there for _, there in rows} == {on_device}
            found.append(torch.cat([scores for scores, _ in rows], 1).float())
        assert torch.allclose(found[0], found[1], atol=1e-5 if sums == torch.float32 else 5e-3)
