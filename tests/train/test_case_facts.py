from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.case_facts import CaseFacts, Intensities, examine, known_voxels
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, make_affine
from tests.io.datasets.folders import image, labels

NAMES = LabelSet((Label(1, "liver", (1, 1, 1)), Label(2, "spleen", (2, 2, 2))))
DATASET = Dataset((), NAMES)
NOISE = np.random.default_rng(0).normal(100, 5, (6, 7, 8))


def case(values: list[tuple[tuple[slice | int, ...], int]], **more: object) -> Case:
    """A 6 x 7 x 8 image whose labels are painted as listed."""
    data = np.zeros((6, 7, 8), np.uint8)
    for where, value in values:
        data[where] = value
    affine = make_affine(spacing_mm=(3, 2, 1))
    return Case("a", (Volume(NOISE, affine),), LabelMap(data, affine), **more)  # type: ignore[arg-type]


BLOCK = (slice(1, 3), slice(2, 5), slice(0, 4))


class TestFacts:
    def test_counts_by_hand(self) -> None:
        facts = examine(case([(BLOCK, 1), ((5, 6, 7), 2)]), DATASET).facts
        assert facts is not None
        assert (facts.grid_shape, facts.spacing_mm, facts.size_mm) == ((6, 7, 8), (3, 2, 1), (18, 14, 8))
        assert facts.voxels == {0: 336 - 25, 1: 24, 2: 1}
        assert facts.extent_mm == {1: (6, 6, 4), 2: (3, 2, 1)}
        assert facts.unknown_share == 0
        assert facts.cut_off == (1, 2)
        assert facts.voxel_ml == pytest.approx(0.006)

    def test_intensities_are_numpys(self) -> None:
        facts = examine(case([(BLOCK, 1)]), DATASET).facts
        assert facts is not None
        percentiles = np.percentile(NOISE, (0.5, 5, 50, 95, 99.5))
        whole = (NOISE.min(), *percentiles, NOISE.max(), NOISE.mean(), NOISE.std())
        assert facts.image == (Intensities(*map(float, whole)),)
        inside = NOISE[BLOCK]
        assert facts.foreground[0] is not None
        assert facts.foreground[0].mean == pytest.approx(inside.mean())
        assert facts.foreground[0].maximum == inside.max()

    @pytest.mark.parametrize("order", AXIS_ORDERS[::7])
    def test_the_order_of_axes_changes_nothing(self, order) -> None:
        world = case([(BLOCK, 1), ((5, 6, 7), 2)])
        plain = examine(world, DATASET).facts
        axes, signs = order
        moved = []
        for volume in (world.images[0], world.labels):
            assert isinstance(volume, Volume)
            data = volume.data.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
            affine = np.eye(4)
            for new, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
                affine[:3, new] = volume.affine[:3, axis] * sign
            moved.append(replace(volume, data=data, affine=affine))
        turned = examine(replace(world, images=(moved[0],), labels=moved[1]), DATASET).facts
        assert plain is not None
        assert turned is not None
        assert (turned.grid_shape, turned.spacing_mm) == (plain.grid_shape, plain.spacing_mm)
        assert (turned.voxels, turned.extent_mm) == (plain.voxels, plain.extent_mm)

    def test_large_volumes_are_counted_in_slabs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = examine(case([(BLOCK, 1), ((5, 6, 7), 2)]), DATASET).facts
        monkeypatch.setattr("napari_resmed.train.case_facts._SLAB_VOXELS", 60)
        assert examine(case([(BLOCK, 1), ((5, 6, 7), 2)]), DATASET).facts == whole

    def test_labels_alone_are_of_no_modality(self) -> None:
        only = replace(case([(BLOCK, 1)]).labels, modality="CT")  # type: ignore[type-var]
        facts = examine(Case("a", (only,), only), DATASET).facts  # type: ignore[arg-type]
        assert facts is not None
        assert (facts.modality, facts.has_image) == ("", False)

    def test_as_json_and_back(self) -> None:
        for one in (case([(BLOCK, 1)]), case([(BLOCK, 1)], annotated=(1,), only_painted=True)):
            facts = examine(one, DATASET).facts
            assert facts is not None
            assert CaseFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts

    def test_samples_to_pool(self) -> None:
        seen = examine(case([(BLOCK, 1)]), DATASET, samples=10)
        assert seen.image_sample is not None
        assert seen.foreground_sample is not None
        assert seen.image_sample.shape == seen.foreground_sample.shape == (1, 10)
        assert set(seen.foreground_sample[0].tolist()) <= set(NOISE[BLOCK].astype(np.float32).ravel().tolist())


class TestKnown:
    def test_paint_counts_and_complete_slices(self) -> None:
        one = case([(BLOCK, 1), ((5, slice(None), 0), 2)], only_painted=True, complete_slices=((0, 1), (2, 7)))
        assert isinstance(one.labels, LabelMap)
        known = known_voxels(one.labels, one, DATASET)
        expected = one.labels.data > 0
        expected = expected.copy()
        expected[1] = True
        expected[:, :, 7] = True
        assert np.array_equal(known, expected)
        facts = examine(one, DATASET).facts
        assert facts is not None
        assert facts.unknown_share == pytest.approx(1 - expected.mean())
        assert facts.voxels == {0: int((expected & (one.labels.data == 0)).sum()), 1: 24, 2: 7}

    def test_ignored_and_painted_background(self) -> None:
        dataset = Dataset((), NAMES, background=3, ignored=4)
        one = case([(BLOCK, 1), (5, 4), ((4, slice(None), slice(None)), 3)])
        facts = examine(one, dataset).facts
        assert facts is not None
        assert facts.voxels == {0: 336 - 24 - 56, 1: 24, 2: 0}
        assert facts.unknown_share == pytest.approx(56 / 336)
        painted = examine(replace(one, only_painted=True), dataset).facts
        assert painted is not None
        assert painted.voxels == {0: 56, 1: 24, 2: 0}

    def test_a_structure_nobody_looked_for(self) -> None:
        facts = examine(case([(BLOCK, 1), (5, 2)], annotated=(1,)), DATASET).facts
        assert facts is not None
        assert facts.voxels == {0: 336 - 24 - 56, 1: 24}
        assert facts.unknown_share == pytest.approx(56 / 336)


class TestLeftOut:
    @pytest.mark.parametrize(
        ("change", "dataset", "kind", "reason"),
        [
            ({"labels": None}, DATASET, "no labels", "it has no labels"),
            ({"labels": labels(1)}, DATASET, "grid", "its labels lie on another grid than its image"),
            ({"images": (image(), image())}, DATASET, "channels", "it has 2 channels, expected 1"),
            ({"images": (Path("no/such.nii"),)}, DATASET, "unreadable", "its file such.nii is missing"),
            ({"labels": Path("no/such.nii")}, DATASET, "unreadable", "its file such.nii is missing"),
            ({}, Dataset((), LabelSet((Label(2, "spleen", (2, 2, 2)),))), "values", "unexpected value 1; expected 0 and 2 spleen"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_with_the_files(self, change, dataset: Dataset, kind: str, reason: str) -> None:
        found = examine(replace(case([(BLOCK, 1)]), **change), dataset).left_out
        assert found is not None
        assert found.kind == kind
        assert reason in found.reason

    @pytest.mark.parametrize(
        ("voxel", "kind", "reason"),
        [
            (np.nan, "not finite", "its image holds NaN or infinity"),
            (np.inf, "not finite", "its image holds NaN or infinity"),
            (None, "constant", r"its image holds one value only (7)"),
        ],
    )
    def test_images(self, voxel: float | None, kind: str, reason: str) -> None:
        data = np.full((6, 7, 8), 7.0) if voxel is None else NOISE.copy()
        if voxel is not None:
            data[3, 3, 3] = voxel
        one = case([(BLOCK, 1)])
        assert isinstance(one.images[0], Volume)
        found = examine(replace(one, images=(one.images[0].with_data(data),)), DATASET).left_out
        assert found is not None
        assert (found.kind, found.reason) == (kind, reason)

    @pytest.mark.parametrize(
        ("painted", "change", "dataset", "reason"),
        [
            ([], {}, DATASET, "its labels are empty: nothing but 0"),
            ([], {"only_painted": True}, DATASET, "nothing is painted in it"),
            ([(BLOCK, 3)], {"only_painted": True}, replace(DATASET, background=3), "only background is painted in it"),
            ([(BLOCK, 3)], {}, replace(DATASET, ignored=3), "its labels are empty: nothing but 0"),
            ([(BLOCK, 1)], {"annotated": ()}, DATASET, "no structure was annotated in it"),
        ],
    )
    def test_nothing_to_learn_from(self, painted, change, dataset: Dataset, reason: str) -> None:
        found = examine(case(painted, **change), dataset).left_out
        assert found is not None
        assert (found.kind, found.reason) == ("empty", reason)

    @pytest.mark.parametrize(
        ("value", "kind", "reason"),
        [
            (0, "empty", "its labels are empty: nothing but 0"),
            (2, "constant", "its labels hold one value only (2): there is no shape to paint"),
        ],
    )
    def test_labels_alone_are_not_called_an_image(self, value: int, kind: str, reason: str) -> None:
        only = LabelMap(np.full((6, 7, 8), value, np.uint8), make_affine())
        found = examine(Case("a", (only,), only), DATASET).left_out
        assert found is not None
        assert (found.kind, found.reason) == (kind, reason)

    def test_said_to_be_absent_is_something(self) -> None:
        facts = examine(case([], annotated=(1, 2)), DATASET).facts
        assert facts is not None
        assert facts.voxels == {0: 336, 1: 0, 2: 0}
        assert facts.foreground == (None,)
