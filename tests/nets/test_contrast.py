from __future__ import annotations

import torch

from napari_resmed.nets.contrast import HU_WINDOW, curved, no_curve, tissue_curve


def unit(hounsfield: float) -> float:
    low, high = HU_WINDOW
    return (hounsfield - low) / (high - low)


class TestCurves:
    def test_soft_tissue_has_most_of_the_room_and_order_is_kept(self) -> None:
        curve = tissue_curve()
        assert (curve.diff() > 0).all()
        assert (float(curve[0]), float(curve[-1])) == (0, 1)
        image = torch.tensor([unit(hu) for hu in (-1000, -200, 60, 120, 300, 1500)]).reshape(1, 1, 1, 6)
        after = curved(image, curve[None]).flatten()
        torch.testing.assert_close(after, torch.tensor([0, 0.15, 0.514, 0.598, 0.85, 1]), atol=0.005, rtol=0)

    def test_each_channel_has_its_own(self) -> None:
        image = torch.rand((2, 2, 3, 4, 5), generator=torch.Generator().manual_seed(0))
        after = curved(image, torch.stack([no_curve(), tissue_curve()]))
        torch.testing.assert_close(after[:, 0], image[:, 0])
        torch.testing.assert_close(after[1, 1], curved(image[1, 1:], tissue_curve()[None])[0])
