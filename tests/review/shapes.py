"""Shapes to measure: smooth, rough, hollow, and a pair of label maps as a model and a reader would draw them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def ball(
    shape: tuple[int, ...], centre: tuple[float, ...], radius_mm: float, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    grid = np.indices(shape)
    away = sum(((g - c) * mm) ** 2 for g, c, mm in zip(grid, centre, spacing_mm, strict=True))
    return away <= radius_mm**2


def blobs(seed: int, shape: tuple[int, ...] = (14, 30, 26), labels: int = 3, smooth: float = 2.0) -> np.ndarray:
    """Labels 0..n in smooth regions that touch each other and the edge of the image."""
    fields = np.random.default_rng(seed).normal(size=(labels + 1, *shape))
    return np.argmax([gaussian_filter(field, smooth) for field in fields], axis=0).astype(np.uint8)


def disturbed(labels: np.ndarray, seed: int, share: float = 0.15) -> np.ndarray:
    """The same map with ragged edges and some wrong regions."""
    other = blobs(seed + 1000, labels.shape, int(labels.max()))
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=labels.shape), 1.0)
    return np.where(noise > np.quantile(noise, 1 - share), other, labels).astype(labels.dtype)
