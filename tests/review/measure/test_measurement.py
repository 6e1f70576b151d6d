"""Against SimpleITK where it measures the same, and by hand where it cannot."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from napari_resmed import geometry
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.review.measure import FIGURES, Measurement, measure
from napari_resmed.review.measure import measurement as measurement_module
from tests.affines import AXIS_ORDERS, affines, make_affine, world
from tests.review.shapes import ball, blobs


def measured(labels: LabelMap, image: np.ndarray | None = None) -> list[Measurement]:
    steps = measure(labels, image)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            assert shares == sorted(shares)
            return end.value


def as_itk(data: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """The same place in SimpleITK, which has no sheared grids."""
    image = sitk.GetImageFromArray(data)
    spacing = np.array(geometry.spacing(affine))
    image.SetSpacing(spacing[::-1].tolist())
    image.SetDirection((affine[:3, :3] / spacing)[:, ::-1].reshape(-1).tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


PLACES = {
    "cubic": make_affine(),
    "uneven": make_affine(spacing_mm=(3.0, 0.8, 1.1), origin_mm=(-20, 5, 300)),
    "sagittal": make_affine((1, 2, 0), (-1, 1, -1), spacing_mm=(2, 1, 1.5)),
    "oblique": make_affine((0, 2, 1), degrees=(20, -15, 30), spacing_mm=(1, 2.5, 0.7), origin_mm=(9, 8, 7)),
}


@pytest.mark.parametrize("place", PLACES)
class TestAgainstSimpleITK:
    def test_shapes(self, place: str) -> None:
        affine = PLACES[place]
        data = blobs(3)
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.ComputeFeretDiameterOn()
        shapes.ComputePerimeterOn()
        shapes.Execute(as_itk(data, affine))
        found = measured(LabelMap(data, affine))
        assert [one.value for one in found] == list(shapes.GetLabels()) == [1, 2, 3]
        for one in found:
            assert one.voxels == shapes.GetNumberOfPixels(one.value)
            assert one.volume_ml == pytest.approx(shapes.GetPhysicalSize(one.value) / 1000, rel=1e-9)
            np.testing.assert_allclose(one.centroid_mm, shapes.GetCentroid(one.value), atol=1e-6)
            box = shapes.GetBoundingBox(one.value)
            assert (*one.box_first[::-1], *one.box_size[::-1]) == box
            assert one.diameter_3d_mm == pytest.approx(shapes.GetFeretDiameter(one.value), rel=1e-9)
            # The same formula, to rounding. On other grids ITK keeps the weights of cubic voxels, which is another
            # figure for flat faces: there, bodies of known surface are the judge (TestSurface).
            if place == "cubic":
                assert one.surface_area_mm2 == pytest.approx(shapes.GetPerimeter(one.value), rel=1e-9)

    def test_intensities(self, place: str) -> None:
        affine = PLACES[place]
        data = blobs(4)
        image = np.random.default_rng(0).normal(100, 30, data.shape).astype(np.float32)
        bins = 4096
        filter = sitk.LabelIntensityStatisticsImageFilter()
        filter.SetNumberOfBins(bins)
        filter.Execute(as_itk(data, affine), as_itk(image, affine))
        for one in measured(LabelMap(data, affine), image):
            inside = one.intensity
            assert inside is not None
            assert inside.mean == pytest.approx(filter.GetMean(one.value), rel=1e-6)
            assert inside.sd == pytest.approx(filter.GetStandardDeviation(one.value), rel=1e-5)
            assert (inside.min, inside.max) == (filter.GetMinimum(one.value), filter.GetMaximum(one.value))
            # ITK takes the median from a histogram of the whole image: to the width of its bins.
            width = float(np.ptp(image)) / bins
            assert inside.median == pytest.approx(filter.GetMedian(one.value), abs=2 * width)
            assert inside.median == np.median(image[data == one.value])


class TestDiameters:
    @settings(max_examples=40)
    @given(affines(), st.integers(0, 10**6))
    def test_are_those_between_all_voxel_centres(self, affine: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        data = (rng.random(rng.integers(1, 9, 3)) < rng.choice([0.02, 0.3, 0.9])).astype(np.uint8)
        data.flat[rng.integers(data.size)] = 1
        (found,) = measured(LabelMap(data, affine))
        index = np.argwhere(data)
        points = world(affine, index)
        longest = pdist(points).max() if len(points) > 1 else 0.0
        assert found.diameter_3d_mm == pytest.approx(longest, abs=1e-9)
        planes = index[:, geometry.canonical_order(affine).axes[0]]
        within = [pdist(points[planes == plane]).max(initial=0.0) for plane in np.unique(planes)]
        assert found.diameter_axial_mm == pytest.approx(max(within), abs=1e-9)

    def test_axial_is_axial_in_a_sagittal_image(self) -> None:
        # Index order is x, z, y here: the long rod along the second axis runs from head to foot.
        data = np.zeros((5, 20, 6), np.uint8)
        data[2, :, 1:5] = 1
        (found,) = measured(LabelMap(data, make_affine((0, 2, 1), spacing_mm=(1, 2, 3))))
        assert found.diameter_axial_mm == pytest.approx(9)
        assert found.diameter_3d_mm == pytest.approx(np.hypot(38, 9))


class TestSurface:
    @pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3, 1, 1), (0.8, 0.8, 2.4), (5, 0.9, 0.9)])
    def test_of_a_ball(self, spacing_mm: tuple[float, float, float]) -> None:
        shape = tuple(int(34 / mm) + 4 for mm in spacing_mm)
        data = ball(shape, tuple((n - 1) / 2 for n in shape), 15, spacing_mm).astype(np.uint8)
        (found,) = measured(LabelMap(data, make_affine(spacing_mm=spacing_mm)))
        assert found.surface_area_mm2 == pytest.approx(4 * np.pi * 15**2, rel=0.02)

    def test_of_a_ball_on_a_sheared_grid(self) -> None:
        affine = make_affine(spacing_mm=(2, 1, 1), degrees=(10, 20, 30), shear=(0.1, 0.3, -0.2))
        index = np.indices((24, 60, 60)).reshape(3, -1).T
        points = world(affine, index)
        middle = world(affine, np.array([[11.5, 29.5, 29.5]]))
        data = (np.linalg.norm(points - middle, axis=1) <= 15).reshape(24, 60, 60).astype(np.uint8)
        (found,) = measured(LabelMap(data, affine))
        assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.01)
        assert found.surface_area_mm2 == pytest.approx(4 * np.pi * 15**2, rel=0.03)
        np.testing.assert_allclose(found.centroid_mm, middle[0], atol=1e-6)


class TestEveryOrderOfAxes:
    @pytest.mark.parametrize("case", AXIS_ORDERS[1::7], ids=str)
    def test_gives_the_same(self, case: tuple) -> None:
        order, signs = case
        data = blobs(5, (8, 12, 10))
        image = np.arange(data.size, dtype=np.int16).reshape(data.shape)
        straight = LabelMap(data, make_affine(spacing_mm=(2.5, 1, 0.7), degrees=(3, 0, 9)))
        turn = geometry.AxisOrder(order, tuple(sign < 0 for sign in signs))
        turned = LabelMap(turn.apply(data), turn.apply_to_affine(straight.affine, data.shape))
        for one, other in zip(measured(straight, image), measured(turned, turn.apply(image)), strict=True):
            a, b = one.to_row(of_image=True), other.to_row(of_image=True)
            for figure in FIGURES:
                if not figure.key.startswith("box"):
                    assert b[figure.key] == pytest.approx(a[figure.key], rel=1e-6, abs=1e-6), figure.key


class TestSlabs:
    def test_one_slice_at_a_time_gives_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        labels = LabelMap(blobs(6), PLACES["oblique"])
        image = np.random.default_rng(1).random(labels.shape)
        whole = measured(labels, image)
        monkeypatch.setattr(measurement_module, "_SLAB_VOXELS", 1)
        assert [one.to_row(of_image=True) for one in measured(labels, image)] == [
            one.to_row(of_image=True) for one in whole
        ]


class TestRows:
    NAMES = LabelSet((Label(2, "Liver", (1, 2, 3)), Label(70_000, "Spot", (4, 5, 6)), Label(9, "Gone", (7, 8, 9))))

    def labels(self) -> LabelMap:
        data = np.zeros((4, 5, 6), np.int32)
        data[1:3, 1:3, 1:3] = 2
        data[3, 4, 5] = 70_000
        return LabelMap(data, make_affine(), labels=self.NAMES)

    def test_every_label_has_one(self) -> None:
        rows = [one.to_row(of_image=False) for one in measured(self.labels())]
        assert [(row["value"], row["name"], row["voxels"]) for row in rows] == [
            (2, "Liver", 8),
            (9, "Gone", 0),
            (70_000, "Spot", 1),
        ]
        keys = {figure.key for figure in FIGURES if not figure.of_image} | {"value", "name"}
        assert all(set(row) == keys for row in rows)
        assert rows[1]["volume_ml"] == 0
        assert {row for row in rows[1] if rows[1][row] is None} == keys - {"value", "name", "voxels", "volume_ml"}
        assert (rows[2]["diameter_3d_mm"], rows[2]["diameter_axial_mm"]) == (0, 0)

    def test_voxels_without_a_value_do_not_count(self) -> None:
        image = np.ones((4, 5, 6), np.float32)
        image[1, 1, 1], image[1, 1, 2], image[3, 4, 5] = np.nan, np.inf, np.nan
        liver, gone, spot = (one.to_row(of_image=True) for one in measured(self.labels(), image))
        assert (liver["voxels"], liver["intensity_mean"], liver["intensity_sd"]) == (8, 1.0, 0.0)
        for row in (gone, spot):
            assert {row[figure.key] for figure in FIGURES if figure.of_image} == {None}
        assert set(liver) == set(gone) == set(spot) == {"value", "name", *(figure.key for figure in FIGURES)}

    def test_nothing_there(self) -> None:
        assert measured(LabelMap(np.zeros((2, 3, 4), np.uint8), make_affine())) == []

    def test_all_of_one_label(self) -> None:
        (found,) = measured(LabelMap(np.ones((2, 3, 4), np.uint8), make_affine()), np.full((2, 3, 4), 7, np.int16))
        corners = np.array(list(product((0, 1), (0, 2), (0, 3))))
        assert found.diameter_3d_mm == pytest.approx(pdist(corners).max())
        assert found.box_size == (2, 3, 4)
        assert (found.intensity.mean, found.intensity.sd) == (7, 0)
