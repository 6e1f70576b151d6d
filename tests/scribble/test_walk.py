from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_resmed.scribble.edges import make_levels
from napari_resmed.scribble.steps import to_end
from napari_resmed.scribble.walk import random_walk


def halves(shape: tuple[int, int, int] = (12, 16, 20)) -> torch.Tensor:
    """An image with an edge in the middle of x, and little noise."""
    image = torch.zeros((1, *shape))
    image[..., shape[2] // 2 :] = 1
    return image + 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def even(image: torch.Tensor, classes: int = 2) -> torch.Tensor:
    return torch.full((classes, *image.shape[1:]), 1 / classes)


def walk(
    image: torch.Tensor,
    prior: torch.Tensor,
    strength: float,
    seeds: torch.Tensor,
    spacing: tuple[float, float, float] = (1, 1, 1),
) -> torch.Tensor:
    places = seeds.nonzero()
    classes = seeds[tuple(places.T)].long() - 1
    return to_end(random_walk(make_levels(image, spacing), prior, strength, places, classes))


class TestRandomWalk:
    def test_strokes_spread_as_far_as_the_edge(self) -> None:
        image = halves()
        seeds = torch.zeros(image.shape[1:], dtype=torch.int16)
        seeds[6, 4:12, 2:4], seeds[6, 4:12, 16:18] = 1, 2
        found = walk(image, even(image), 1e-4, seeds)
        assert (found.argmax(0)[..., :10] == 0).all()
        assert (found.argmax(0)[..., 10:] == 1).all()
        torch.testing.assert_close(found.sum(0), torch.ones(image.shape[1:]), atol=0.02, rtol=0)

    def test_it_solves_its_own_equation(self) -> None:
        # A row of voxels without edges: the walk between two strokes is a straight line.
        image = torch.zeros((1, 1, 1, 11))
        seeds = torch.zeros((1, 1, 11), dtype=torch.int16)
        seeds[..., 0], seeds[..., 10] = 1, 2
        found = walk(image, even(image), 0.0, seeds)
        np.testing.assert_allclose(found[1, 0, 0], np.linspace(0, 1, 11), atol=0.01)

    def test_called_away_to_the_prior_far_from_strokes(self) -> None:
        image = torch.zeros((1, 20, 20, 20))
        prior = torch.zeros((2, 20, 20, 20))
        prior[1] = 1
        seeds = torch.zeros((20, 20, 20), dtype=torch.int16)
        seeds[10, 10, 8:12] = 1
        found = walk(image, prior, 0.05, seeds).argmax(0)
        assert found[10, 10, 9] == 0
        assert found[2, 2, 2] == 1

    @pytest.mark.parametrize("shape", [(1, 30, 30), (3, 40, 40), (40, 5, 5)])
    def test_thin_images(self, shape: tuple[int, int, int]) -> None:
        image = torch.rand((2, *shape), generator=torch.Generator().manual_seed(1))
        seeds = torch.zeros(shape, dtype=torch.int16)
        seeds[0, 0, 0], seeds[-1, -1, -1] = 1, 2
        found = walk(image, even(image), 0.01, seeds, (6.0, 0.5, 0.5))
        assert torch.isfinite(found).all()
        assert found.argmax(0)[0, 0, 0] == 0
        assert found.argmax(0)[-1, -1, -1] == 1
