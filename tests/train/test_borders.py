from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.train.borders import border_contrast

BOX = (slice(10, 20), slice(10, 20), slice(10, 20))


def cube() -> np.ndarray:
    data = np.zeros((30, 30, 30), np.uint8)
    data[BOX] = 5
    return data


def noisy(step: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (30, 30, 30)) + step * (cube() > 0)


def test_a_border_that_is_seen() -> None:
    figure = border_contrast(noisy(10)[None], cube(), {5: BOX})[5]
    # A step of 10 is nine times the mean difference of two normal values (1.13); most moved borders cross some of it.
    assert figure > 1


def test_a_border_that_follows_nothing() -> None:
    assert border_contrast(noisy(0)[None], cube(), {5: BOX})[5] == pytest.approx(0, abs=0.05)


def test_a_border_beside_the_real_one() -> None:
    moved = np.roll(cube(), (4, 4, 4), (0, 1, 2))
    assert border_contrast(noisy(10)[None], moved, {5: (slice(14, 24),) * 3})[5] < 0.1


@pytest.mark.parametrize(("factor", "offset"), [(1000, 0), (-1, 5), (1e-6, -3)])
def test_unit_and_sign_do_not_matter(factor: float, offset: float) -> None:
    plain = border_contrast(noisy(3)[None], cube(), {5: BOX})[5]
    assert border_contrast(noisy(3)[None] * factor + offset, cube(), {5: BOX})[5] == pytest.approx(plain, rel=1e-6)


def test_the_channel_that_shows_it_counts() -> None:
    alone = border_contrast(noisy(10)[None], cube(), {5: BOX})
    assert border_contrast(np.stack([noisy(0, 1), noisy(10)]), cube(), {5: BOX}) == alone


def test_what_has_no_border() -> None:
    whole = np.ones((30, 30, 30), np.uint8)
    assert border_contrast(noisy(1)[None], whole, {1: (slice(0, 30),) * 3}) == {}
    assert border_contrast(noisy(1)[None], whole, {}) == {}


def test_a_single_slice() -> None:
    flat = (slice(0, 1), slice(10, 20), slice(10, 20))
    image, labels = np.repeat(noisy(10)[15:16], 1, 0), cube()[15:16]
    # Its border is too short to tell.
    assert border_contrast(image[None], labels, {5: flat}) == {}
    wide = np.kron(labels, np.ones((1, 4, 4), np.uint8))
    seen = np.random.default_rng(0).normal(0, 1, wide.shape) + 10.0 * (wide > 0)
    assert border_contrast(seen[None], wide, {5: (slice(0, 1), slice(40, 80), slice(40, 80))})[5] > 1
