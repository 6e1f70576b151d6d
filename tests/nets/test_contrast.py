from __future__ import annotations

import torch

from napari_resmed.nets.contrast import contrast_curve, curved


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


class TestContrast:
    def test_an_even_histogram_changes_nothing(self) -> None:
        image = noise(1, 40, 50, 60)
        torch.testing.assert_close(curved(image, contrast_curve(image)), image, atol=0.01, rtol=0)

    def test_tissue_gets_more_room_and_a_large_even_background_does_not(self) -> None:
        image = 0.02 * noise(1, 40, 40, 40)  # air
        image[0, :, :14] = 0.4 + 0.1 * noise(40, 14, 40)  # soft tissue
        image[0, :, :14, 39] = 1.0  # a little bone
        after = curved(image, contrast_curve(image))
        assert float(after[0, :, :14, :39].max() - after[0, :, :14, :39].min()) > 0.3
        assert float(after[0, :, 14:].max() - after[0, :, 14:].min()) < 0.25

    def test_order_is_kept_and_channels_are_apart(self) -> None:
        image = torch.stack([noise(6, 7, 8), noise(6, 7, 8).pow(4)])
        curves = contrast_curve(image)
        assert (curves.diff(dim=1) > 0).all()
        torch.testing.assert_close(curves[:, [0, -1]], torch.tensor([[0.0, 1.0]] * 2))
        after = curved(image, curves)
        for one, other in zip(image, after, strict=True):
            assert (other.flatten()[one.flatten().argsort()].diff() >= 0).all()
        # Of a batch too, as a network is given it.
        torch.testing.assert_close(curved(image[None], curves)[0], after)
