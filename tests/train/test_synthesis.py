from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.synthesis import (
    Anatomy,
    Degradation,
    Intensities,
    deform,
    degrade,
    paint,
    rescale,
)

STILL = Deformation(rotation_deg=0, scale=0, shear=0, shift_mm=0, elastic=(), mirror=False)
CLEAN = Degradation(bias_strength=(0, 0), blur_mm=(0, 0), thick_slice_probability=0, noise=(0, 0), gamma=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def anatomy() -> Anatomy:
    labels = torch.randint(0, 5, (20, 24, 28), generator=seeded(1), dtype=torch.uint8)
    return Anatomy(labels, 1.0, (9.5, 11.5, 13.5))


class TestDeform:
    def test_without_any_deformation_it_cuts(self, anatomy: Anatomy) -> None:
        patch = deform(anatomy, (10, 12, 14), 1.0, STILL, seeded())
        assert torch.equal(patch, anatomy.labels[5:15, 6:18, 7:21])

    def test_a_coarser_grid_takes_every_second(self, anatomy: Anatomy) -> None:
        patch = deform(anatomy, (5, 6, 7), 2.0, STILL, seeded())
        assert patch.shape == (5, 6, 7)
        # Centres at 9.5 + 2 (k - 2): half-way between voxels, rounded to the even one.
        assert torch.equal(patch[:, 0, 0].long(), anatomy.labels[[6, 8, 10, 12, 14], 6, 8].long())

    def test_outside_is_background(self, anatomy: Anatomy) -> None:
        patch = deform(anatomy, (40, 12, 14), 1.0, STILL, seeded())
        assert patch[:10].sum() == 0
        assert patch[30:].sum() == 0
        assert torch.equal(patch[10:30], anatomy.labels[:, 6:18, 7:21])

    def test_mirroring_is_left_for_right(self, anatomy: Anatomy) -> None:
        ranges = Deformation(rotation_deg=0, scale=0, shear=0, shift_mm=0, elastic=(), mirror=True)
        seen = {
            bool(torch.equal(deform(anatomy, (20, 24, 28), 1.0, ranges, seeded(s)), anatomy.labels)) for s in range(8)
        }
        assert seen == {True, False}
        flipped = [deform(anatomy, (20, 24, 28), 1.0, ranges, seeded(s)) for s in range(8)]
        assert any(torch.equal(patch, anatomy.labels.flip(2)) for patch in flipped)

    def test_a_seed_is_a_patch(self, anatomy: Anatomy) -> None:
        one, again, other = (deform(anatomy, (16, 16, 16), 1.5, Deformation(), seeded(s)) for s in (3, 3, 4))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)

    def test_only_values_of_the_map(self, anatomy: Anatomy) -> None:
        patch = deform(anatomy, (16, 16, 16), 1.5, Deformation(), seeded(3))
        assert patch.dtype == torch.uint8
        assert patch.max() <= 4


class TestPaint:
    def test_every_structure_gets_its_mean_and_spread(self) -> None:
        labels = torch.zeros((40, 40, 40), dtype=torch.uint8)
        labels[20:] = 1
        image = paint(labels, Intensities(torch.tensor([0.2, 0.8]), torch.tensor([0.0, 0.1])), seeded())
        assert torch.equal(image[:20], torch.full((20, 40, 40), 0.2))
        assert image[20:].mean() == pytest.approx(0.8, abs=0.003)
        assert image[20:].std() == pytest.approx(0.1, abs=0.003)


class TestDegrade:
    def test_nothing_to_do_is_only_rescaled(self) -> None:
        image = torch.rand((12, 12, 12), generator=seeded())
        assert torch.allclose(degrade(image.clone(), 1.0, CLEAN, seeded()), rescale(image.clone()), atol=1e-6)

    @pytest.mark.parametrize("seed", range(6))
    def test_always_between_zero_and_one(self, seed: int) -> None:
        image = degrade(torch.rand((20, 24, 28), generator=seeded(seed)) * 3, 1.5, Degradation(), seeded(seed))
        assert image.shape == (20, 24, 28)
        assert 0 <= image.min() < image.max() <= 1
        assert torch.isfinite(image).all()

    def test_blur_keeps_the_sum_and_lowers_the_peak(self) -> None:
        image = torch.zeros((31, 31, 31))
        image[15, 15, 15] = 1
        from napari_resmed.train import synthesis

        blurred = synthesis._blur(image, (2.0, 2.0, 2.0))
        assert blurred.sum() == pytest.approx(1, abs=1e-4)
        # The peak of a Gaussian of sigma 2 voxels in three dimensions, cut at 2.5 sigma.
        assert blurred.max() == pytest.approx((2 * torch.pi * 4) ** -1.5, rel=0.05)

    def test_thick_slices_blur_along_one_axis(self) -> None:
        ranges = Degradation(
            bias_strength=(0, 0),
            blur_mm=(0, 0),
            thick_slice_probability=1,
            thick_slice_mm=(5, 5),
            noise=(0, 0),
            gamma=0,
        )
        image = torch.rand((30, 30, 30), generator=seeded())
        thick = degrade(image.clone(), 1.0, ranges, seeded(2))
        rough = sorted(
            (thick.diff(dim=axis).abs().mean() / image.diff(dim=axis).abs().mean()).item() for axis in range(3)
        )
        assert rough[0] < 0.5 * rough[1]


class TestRescale:
    def test_percentiles_become_zero_and_one(self) -> None:
        image = torch.arange(7000, dtype=torch.float32).reshape(7, 10, 100)
        scaled = rescale(image.clone(), 10, 90)
        assert scaled.min() == 0
        assert scaled.max() == 1
        assert scaled.reshape(-1)[3500] == pytest.approx(0.5, abs=0.01)

    def test_a_constant_stays_finite(self) -> None:
        assert torch.isfinite(rescale(torch.ones(5, 5, 5))).all()


def test_an_image_is_made_where_the_label_map_lies(anatomy: Anatomy, monkeypatch: pytest.MonkeyPatch) -> None:
    # Torch's device of shapes alone refuses tensors of another device as a GPU does; only numbers of chance it has none.
    monkeypatch.setattr(
        "napari_resmed.train.synthesis.normals", lambda shape, _, device: torch.empty(shape, device=device)
    )
    there = Anatomy(anatomy.labels.to("meta"), anatomy.spacing_mm, anatomy.centre)
    thick = Degradation(thick_slice_probability=1, thick_slice_mm=(4.0, 5.0))
    rows = deform(there, (10, 12, 14), 1.0, Deformation(), seeded())
    intensities = Intensities(torch.rand(5), torch.rand(5))
    image = degrade(paint(rows, intensities, seeded()), 1.0, thick, seeded())
    assert (image.device.type, image.shape, image.dtype) == ("meta", (10, 12, 14), torch.float32)


CUBE = torch.rand((8, 8, 8), generator=seeded())
LABELS = torch.zeros((8, 8, 8), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Anatomy(LABELS.float(), 1.0, (4, 4, 4)), r"a label map of float32 \(8, 8, 8\), expected uint8 \(z, y, x\)"),
        (lambda: Anatomy(LABELS[None], 1.0, (4, 4, 4)), r"a label map of uint8 \(1, 8, 8, 8\), expected uint8"),
        (lambda: Anatomy(LABELS, 0.0, (4, 4, 4)), r"voxels of \(0, 0, 0\), expected three numbers above 0"),
        (lambda: Degradation(blur_mm=(3.0, 1.0)), r"blur_mm \(3, 1\), expected the lowest, of 0 or more, and the highest"),
        (lambda: Degradation(noise=(-0.1, 0.1)), r"noise \(-0.1, 0.1\), expected the lowest"),
        (lambda: Degradation(thick_slice_probability=1.5), "thick_slice_probability 1.5, expected 0 to 1"),
        (lambda: Degradation(gamma=-1), "gamma -1, expected 0 or more"),
        (lambda: Intensities(torch.rand(3), torch.rand(2)), r"the shapes \(3,\) and \(2,\), expected \(rows,\) of both"),
        (lambda: deform(Anatomy(LABELS, 1.0, (4, 4, 4)), (0, 8, 8), 1.0, STILL, seeded()), r"a patch of \(0, 8, 8\)"),
        (lambda: deform(Anatomy(LABELS, 1.0, (4, 4, 4)), (8, 8, 8), -1, STILL, seeded()), r"a spacing of \(-1, -1, -1\)"),
        (lambda: paint(LABELS + 5, Intensities(torch.rand(2), torch.rand(2)), seeded()), "labels 5 to 5, expected 0 to 1"),
        (lambda: paint(LABELS.int() - 1, Intensities(torch.rand(2), torch.rand(2)), seeded()), "labels -1 to -1"),
        (lambda: degrade(CUBE[None], 1.0, CLEAN, seeded()), r"an image of float32 \(1, 8, 8, 8\), expected float32"),
        (lambda: degrade(CUBE, (1.0, 2.0), CLEAN, seeded()), r"a spacing of \(1, 2\), expected three numbers above 0"),
        (lambda: rescale(CUBE, 99, 1), "the percentiles 99 and 1, expected the lower first"),
        (lambda: rescale(CUBE[:0]), "an image without voxels"),
    ],
)  # fmt: skip
def test_what_does_not_go_is_refused(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=f"found .*{said}"):
        wrong()


def test_a_spacing_may_be_numpys() -> None:
    one, other = (degrade(CUBE.clone(), mm, Degradation(), seeded()) for mm in (1.0, np.float32(1)))
    assert torch.equal(one, other)
