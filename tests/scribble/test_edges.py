from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_resmed.scribble.edges import cut_levels, make_levels, pooled, upsampled, whole_voxels

SHAPE = (20, 99, 60)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


class TestLevels:
    def test_coarser_but_not_along_thick_slices(self) -> None:
        levels = make_levels(noise(1, *SHAPE), (6.0, 0.5, 0.5))
        assert [level.shape for level in levels] == [(20, 99, 60), (20, 50, 30), (20, 25, 15), (20, 13, 8)]
        assert levels[1].factors == (1, 2, 2)

    def test_edges_hold_back(self) -> None:
        image = torch.zeros((1, 4, 8, 8))
        image[..., 4:] = 1
        (level,) = make_levels(image, (1.0, 1.0, 1.0))
        along_x = level.flows[2]
        assert float(along_x[..., 3].max()) < 0.01 * float(along_x[..., 2].min())
        assert not level.flows[0, -1].any()

    def test_a_box_of_every_level(self) -> None:
        levels = make_levels(noise(1, *SHAPE), (1.0, 1.0, 1.0))
        box = whole_voxels(levels, (slice(9, 11), slice(0, 99), slice(3, 20)))
        assert box == (slice(8, 12), slice(0, 99), slice(0, 24))
        cut = cut_levels(levels, box)
        assert [level.shape for level in cut] == [(4, 99, 24), (2, 50, 12), (1, 25, 6), (1, 13, 3)]
        torch.testing.assert_close(cut[1].flows[2, :, :, :11], levels[1].flows[2, 4:6, :, :11])
        assert not cut[1].flows[2, ..., -1].any()


class TestUpsampled:
    @pytest.mark.parametrize("box", [(0, 20, 0, 32, 0, 40), (3, 9, 5, 18, 0, 7)])
    def test_a_box_is_a_part_of_the_whole(self, box: tuple[int, ...]) -> None:
        coarse = noise(2, 10, 16, 20)
        whole = F.interpolate(coarse[None], (20, 32, 40), mode="trilinear")[0]
        z, y, x = (slice(box[n], box[n + 1]) for n in (0, 2, 4))
        torch.testing.assert_close(upsampled(coarse, (2, 2, 2), (z, y, x)), whole[:, z, y, x])

    def test_odd_sizes(self) -> None:
        fine = noise(1, 5, 7, 9)
        coarse = pooled(fine, (2, 2, 2))
        assert coarse.shape[1:] == (3, 4, 5)
        back = upsampled(coarse, (2, 2, 2), (slice(0, 5), slice(0, 7), slice(0, 9)))
        assert back.shape == fine.shape
