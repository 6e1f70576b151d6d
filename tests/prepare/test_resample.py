from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.prepare.resample import along, linear_weights, resampled_size

SIZES = st.integers(1, 40)
STEPS = st.floats(0.1, 10)


class TestResampledSize:
    @pytest.mark.parametrize(
        ("size", "spacing", "target", "expected"), [(100, 1, 1, 100), (100, 1, 2, 50), (10, 3, 1, 30), (3, 0.1, 5, 1)]
    )
    def test_covers_the_same_extent(self, size: int, spacing: float, target: float, expected: int) -> None:
        assert resampled_size(size, spacing, target) == expected

    @given(SIZES, st.floats(0.1, 10), st.floats(0.1, 10))
    def test_to_within_half_a_sample(self, size: int, spacing: float, target: float) -> None:
        found = resampled_size(size, spacing, target)
        assert found >= 1
        assert abs(found * target - size * spacing) <= target / 2 + 1e-9 or found == 1


class TestLinearWeights:
    @given(SIZES, SIZES, STEPS)
    def test_rows_sum_to_one(self, size_in: int, size_out: int, step: float) -> None:
        weights = linear_weights(size_in, size_out, step)
        assert weights.shape == (size_out, size_in)
        assert weights.min() >= 0
        assert torch.allclose(weights.sum(1), torch.ones(size_out))

    @given(SIZES)
    def test_the_same_grid_is_the_identity(self, size: int) -> None:
        assert torch.equal(linear_weights(size, size, 1.0), torch.eye(size))

    @given(SIZES, SIZES, STEPS)
    def test_a_constant_stays(self, size_in: int, size_out: int, step: float) -> None:
        assert torch.allclose(linear_weights(size_in, size_out, step) @ torch.ones(size_in), torch.ones(size_out))

    @given(st.integers(2, 40), st.floats(0.1, 1))
    def test_a_ramp_is_exact_where_the_grid_is_finer(self, size: int, step: float) -> None:
        count = int(size / step)
        place = ((torch.arange(count) - (count - 1) / 2) * step + (size - 1) / 2).clamp(0, size - 1)
        ramp = torch.arange(size, dtype=torch.float32)
        assert torch.allclose(linear_weights(size, count, step) @ ramp, place, atol=1e-4)

    @given(st.integers(20, 60), st.sampled_from([2.0, 3.0, 4.0, 2.5]))
    def test_a_ramp_is_exact_inside_where_it_is_coarser(self, size: int, step: float) -> None:
        count = round(size / step)
        place = (torch.arange(count) - (count - 1) / 2) * step + (size - 1) / 2
        found = linear_weights(size, count, step) @ torch.arange(size, dtype=torch.float32)
        inside = (place >= step) & (place <= size - 1 - step)
        # The widened triangle averages symmetrically around every sample but for how the grids interleave.
        assert inside.any()
        assert torch.allclose(found[inside], place[inside], atol=0.1)

    def test_mirror_images_have_mirrored_weights(self) -> None:
        weights = linear_weights(17, 7, 2.4)
        assert torch.allclose(weights.flip(0, 1), weights, atol=1e-6)

    def test_nothing_between_coarse_samples_is_skipped(self) -> None:
        assert (linear_weights(40, 10, 4.0).sum(0) > 0.1).all()


class TestAlong:
    @pytest.mark.parametrize("axis", [0, 1, 2, 3])
    def test_is_a_product_along_one_axis(self, axis: int) -> None:
        data = torch.randn((3, 4, 5, 6), generator=torch.Generator().manual_seed(0))
        weights = torch.randn((2, data.shape[axis]), generator=torch.Generator().manual_seed(1))
        letters = "abcd"
        expected = torch.einsum(f"abcd,z{letters[axis]}->{letters.replace(letters[axis], 'z')}", data, weights)
        assert torch.allclose(along(data, axis, weights), expected, atol=1e-5)
