from __future__ import annotations

import gc
import os
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.geometry import canonical_order
from napari_resmed.io import write
from napari_resmed.io.datasets import load_case
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.store import ASSUMED, Prepared, Store, classes_of, hold_out_block
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.train.small import NAMES, case, dataset, picture

ISO = Preparation((1.0, 1.0, 1.0))


def same(one: Prepared, other: Prepared) -> bool:
    arrays = zip((one.image, one.target, one.annotated), (other.image, other.target, other.annotated), strict=True)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in arrays) and all(
        np.array_equal(one.places[k], other.places[k]) for k in one.places.keys() | other.places.keys()
    )


class TestPrepared:
    def test_image_target_and_places_belong_together(self, tmp_path: Path) -> None:
        found = Store(dataset(1), ISO, tmp_path, 100)[0]
        image, labels = picture(0)
        assert (found.image.dtype, found.target.dtype) == (np.float16, np.int8)
        assert found.image.shape == (1, *image.shape)
        # Classes are numbered in the order of the label values, 1 and 5.
        assert np.array_equal(found.target, np.select([labels == 1, labels == 5], [1, 2], 0))
        assert found.image[0][labels == 1].mean() > 0.9
        assert found.annotated.tolist() == [True, True, True]
        assert set(found.places) == {1, 2}  # background is everywhere
        for number, places in found.places.items():
            assert (found.target[tuple(places.T)] == number).all()

    def test_numbers_beyond_half_precision(self, tmp_path: Path) -> None:
        # As a model of another program may take them, which leaves intensities alone.
        made = dataset(1)
        (one,) = made.cases
        wide = one.images[0].with_data(one.images[0].data * 1e6)  # type: ignore[union-attr]
        raw = Preparation((1.0, 1.0, 1.0), normalization=(Normalization("none"),))
        found = Store(replace(made, cases=(replace(one, images=(wide,)),)), raw, tmp_path, 100)[0]
        assert np.array_equal(found.image[0], wide.data)

    def test_another_spacing(self, tmp_path: Path) -> None:
        found = Store(dataset(1), Preparation((2.0, 1.0, 0.5)), tmp_path, 100)[0]
        assert found.target.shape == found.image.shape[1:] == (10, 22, 48)

    @pytest.mark.parametrize("order", AXIS_ORDERS[::7], ids=axis_order_name)
    def test_any_order_of_axes_is_turned(self, order: tuple, tmp_path: Path) -> None:
        affine = make_affine(*order)
        found = Store(dataset(1, affine=affine), ISO, tmp_path, 100)[0]
        labels = picture(0)[1]
        assert np.array_equal(found.target > 0, canonical_order(affine).apply(labels) > 0)

    def test_places_of_a_large_structure_are_a_sample(self, tmp_path: Path) -> None:
        labels = np.zeros((30, 30, 30), np.uint8)
        labels[5:25] = 1
        image = np.random.default_rng(0).random(labels.shape, np.float32)
        only = Case("a", (Volume(image, make_affine()),), LabelMap(labels, make_affine()))
        found = Store(Dataset((only,), LabelSet((Label(1, "a", (1, 1, 1)),))), ISO, tmp_path, 100)[0]
        assert len(found.places[1]) == 2000
        assert len(np.unique(found.places[1], axis=0)) == 2000
        assert np.ptp(found.places[1][:, 0]) > 15

    def test_many_classes(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 200, (12, 12, 12)).astype(np.uint16) * 300
        named = LabelSet(tuple(Label(300 * k, f"s{k}", (1, 1, 1)) for k in range(1, 200)))
        only = Case(
            "a", (Volume(rng.random(labels.shape, np.float32), make_affine()),), LabelMap(labels, make_affine())
        )
        found = Store(Dataset((only,), named), ISO, tmp_path, 100)[0]
        assert np.array_equal(found.target, labels // 300)
        assert found.target.dtype == np.int16

    def test_a_case_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        gone = replace(case(0), name="case7", labels=tmp_path / "gone.nii.gz")
        with pytest.raises(InputError, match="case7.*gone.nii.gz is missing"):
            Store(Dataset((gone,), NAMES), ISO, tmp_path / "kept", 100)[0]


MANY = 120


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """As many cases as are wanted, though their files are one and the same."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    labels = (rng.random((64, 64, 64)) < 0.1).astype(np.uint8)
    write(Volume(rng.random(labels.shape, np.float32), make_affine()), folder / "image.nii")
    write(LabelMap(labels, make_affine(), labels=LabelSet((Label(1, "a", (1, 1, 1)),))), folder / "labels.nii")
    one = Case("a", (folder / "image.nii",), folder / "labels.nii")
    return Dataset(tuple(replace(one, name=f"case{k}") for k in range(MANY)), LabelSet((Label(1, "a", (1, 1, 1)),)))


class TestMemory:
    def test_stays_within_the_budget_for_many_cases(self, many: Dataset, tmp_path: Path) -> None:
        budget_mb = 8
        store = Store(many, ISO, tmp_path, budget_mb)
        one = store[0].nbytes
        assert one * MANY > 10 * budget_mb * 2**20
        seen: list[weakref.ref[np.ndarray]] = []
        for number in np.random.default_rng(0).permutation(MANY):
            seen += [weakref.ref(array) for array in (store[number].image, store[number].target)]
            assert store.bytes_in_memory <= budget_mb * 2**20
        gc.collect()
        # Not only by its own count: nobody else holds what it let go.
        alive = sum(array.nbytes for one in seen if (array := one()) is not None)
        assert 0 < alive <= budget_mb * 2**20

    def test_of_very_many_tiny_cases_all_that_python_needs_for_them_counts(self, tmp_path: Path) -> None:
        count, budget_mb = 300, 0.2
        (one,) = dataset(1).cases
        tiny = replace(
            one,
            images=(one.images[0].with_data(one.images[0].data[:4, :4, :4]),),  # type: ignore[union-attr]
            labels=one.labels.with_data(np.arange(64, dtype=np.uint8).reshape(4, 4, 4) % 2),  # type: ignore[union-attr]
        )
        many = Dataset(tuple(replace(tiny, name=f"case{number}") for number in range(count)), NAMES)
        first = Store(many, ISO, tmp_path, budget_mb)[0]
        assert first.nbytes * count > 2 * budget_mb * 2**20
        for number in range(1, count):
            os.link(tmp_path / "00000.npz", tmp_path / f"{number:05d}.npz")
        store = Store(many, ISO, tmp_path, budget_mb)
        tracemalloc.start()
        try:
            store[0]  # what the first load brings with it once and for all
            before = tracemalloc.get_traced_memory()[0]
            for number in range(count):
                store[number]
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert store.bytes_in_memory <= budget_mb * 2**20
        assert 0.5 * store.bytes_in_memory < held <= budget_mb * 2**20

    def test_parts_of_a_case_that_is_split_count_too(self, tmp_path: Path) -> None:
        store = Store(dataset(4), ISO, tmp_path, 100)
        whole = store[0].nbytes
        training, held_out = store.halves(0)
        assert training.image is held_out.image
        assert store.in_memory == {0}  # not the whole beside them
        assert whole < store.bytes_in_memory < training.nbytes + held_out.nbytes
        assert store.halves(0)[0] is training
        budget = 2.5 * store.bytes_in_memory
        store = Store(dataset(4), ISO, tmp_path, budget / 2**20)
        for number in (0, 1, 2, 3, 0):
            store.halves(number)
            assert store.bytes_in_memory <= budget
        assert len(store.in_memory) > 1
        store.assume_background(0, np.ones(training.target.shape, bool))
        assert store.halves(0)[0] is not training

    def test_holds_one_however_large(self, many: Dataset, tmp_path: Path) -> None:
        store = Store(many, ISO, tmp_path, 0.001)
        for number in (0, 1, 2):
            assert store.bytes_in_memory in (0, store[number].nbytes)
        assert store.bytes_in_memory == store[2].nbytes

    def test_what_is_used_stays(self, tmp_path: Path) -> None:
        store = Store(dataset(4), ISO, tmp_path, 100)
        size = store[0].nbytes
        store = Store(dataset(4), ISO, tmp_path, 3.5 * size / 2**20)
        first = store[0]
        for number in (1, 0, 2, 0, 3):
            store[number]
        assert store[0] is first


class TestThreads:
    def test_many_at_once(self, tmp_path: Path) -> None:
        store = Store(dataset(6), ISO, tmp_path, 0.2)
        expected = [Store(dataset(6), ISO, tmp_path / "alone", 100)[number] for number in range(6)]
        problems: list[object] = []

        def work(seed: int) -> None:
            try:
                for number in np.random.default_rng(seed).integers(0, 6, 25):
                    if not same(store[int(number)], expected[number]):
                        problems.append(number)
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert store.bytes_in_memory <= max(0.2 * 2**20, max(one.nbytes for one in expected))


class TestOnDisk:
    def test_is_used_again(self, tmp_path: Path) -> None:
        first = Store(dataset(1), ISO, tmp_path, 100)[0]
        gone = replace(case(0), images=(tmp_path / "gone.nii",))
        again = Store(Dataset((gone,), NAMES), ISO, tmp_path, 100)[0]
        assert same(first, again)

    @pytest.mark.parametrize("left", [0, 10, 200, 0.5, 0.99])
    def test_one_cut_off_by_a_crash_is_made_again(self, left: float, tmp_path: Path) -> None:
        first = Store(dataset(1), ISO, tmp_path, 100)[0]
        (path,) = tmp_path.glob("*.npz")
        whole = path.read_bytes()
        path.write_bytes(whole[: left if left >= 1 or left == 0 else int(left * len(whole))])  # type: ignore[misc]
        assert same(Store(dataset(1), ISO, tmp_path, 100)[0], first)
        assert len(path.read_bytes()) == len(whole)

    def test_one_with_zeros_where_data_was_is_made_again(self, tmp_path: Path) -> None:
        first = Store(dataset(1), ISO, tmp_path, 100)[0]
        (path,) = tmp_path.glob("*.npz")
        spoiled = bytearray(path.read_bytes())
        spoiled[2000:6000] = bytes(4000)
        path.write_bytes(spoiled)
        assert same(Store(dataset(1), ISO, tmp_path, 100)[0], first)

    def test_one_made_for_another_preparation_is_made_again(self, tmp_path: Path) -> None:
        Store(dataset(1), ISO, tmp_path, 100)[0]
        coarse = Preparation((2.0, 2.0, 2.0))
        assert Store(dataset(1), coarse, tmp_path, 100)[0].target.shape == (10, 11, 12)

    def test_one_made_for_other_labels_is_made_again(self, tmp_path: Path) -> None:
        Store(dataset(1), ISO, tmp_path, 100)[0]
        box_only = replace(dataset(1), labels=LabelSet((NAMES[5],)), background=1)
        found = Store(box_only, ISO, tmp_path, 100)[0]
        assert np.array_equal(found.target, picture(0)[1] == 5)

    def test_nothing_half_written_is_left(self, tmp_path: Path) -> None:
        store = Store(dataset(2), ISO, tmp_path, 100)
        store[0], store[1]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.npz", "00001.npz"]

    def test_a_full_disk_is_one_sentence(self, tiny_disk: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 60_000)
        with pytest.raises(WorkError) as caught:
            Store(dataset(1), ISO, tiny_disk / "prepared", 100)[0]
        assert str(caught.value).startswith("could not keep prepared cases in")
        assert str(caught.value).endswith("the disk is full; make room on the disk")
        assert [path.name for path in (tiny_disk / "prepared").iterdir()] == []

    def test_a_file_that_may_not_grow(self, tmp_path: Path, small_disk: Callable) -> None:
        with small_disk(), pytest.raises(WorkError, match="could not keep prepared cases in"):
            Store(dataset(1), ISO, tmp_path, 100)[0]


AFFINES = [make_affine(*order) for order in AXIS_ORDERS]


class TestClassesOf:
    LABELS = LabelSet((Label(2, "a", (1, 1, 1)), Label(7, "b", (1, 1, 1))))

    def of(self, labels: np.ndarray, background: int | None = None, ignored: int | None = None, **more) -> np.ndarray:
        image = Volume(np.random.default_rng(0).random(labels.shape), make_affine())
        made = Case("a", (image,), LabelMap(labels, make_affine()), **more)
        data = Dataset((made,), self.LABELS, background=background, ignored=ignored)
        return classes_of(made, data, load_case(made, data)[1])

    PAINTED = np.array([[[0, 2, 7, 3, 9]]], np.uint8)

    def test_plain(self) -> None:
        assert self.of(self.PAINTED[..., :3]).tolist() == [[[0, 1, 2]]]

    def test_background_and_ignored_values(self) -> None:
        assert self.of(self.PAINTED, background=3, ignored=9).tolist() == [[[0, 1, 2, 0, UNKNOWN]]]

    def test_only_painted(self) -> None:
        found = self.of(self.PAINTED, background=3, ignored=9, only_painted=True)
        assert found.tolist() == [[[UNKNOWN, 1, 2, 0, UNKNOWN]]]

    def test_what_was_not_looked_for_is_unknown_where_it_is_painted(self) -> None:
        assert self.of(self.PAINTED[..., :3], annotated=(7,)).tolist() == [[[0, UNKNOWN, 2]]]
        assert self.of(self.PAINTED[..., :3], annotated=()).tolist() == [[[0, UNKNOWN, UNKNOWN]]]

    def test_complete_slices(self) -> None:
        labels = np.zeros((3, 3, 3), np.uint8)
        labels[1, 1, 1] = 2
        found = self.of(labels, only_painted=True, complete_slices=((0, 0), (2, 1)))
        expected = np.full((3, 3, 3), UNKNOWN)
        expected[0], expected[:, :, 1], expected[1, 1, 1] = 0, 0, 1
        assert np.array_equal(found, expected)

    @settings(max_examples=40)
    @given(
        st.sampled_from(AFFINES),
        st.sampled_from(AFFINES),
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=3),
    )
    def test_complete_slices_in_the_labels_own_order_of_axes(
        self, ours: np.ndarray, theirs: np.ndarray, slices
    ) -> None:
        """Labels were painted on an image whose axes run another way."""
        shape = (4, 5, 6)
        rng = np.random.default_rng(0)
        labels = rng.choice([0, 0, 2, 7], shape).astype(np.uint8)
        complete = np.zeros(shape, bool)
        for axis, index in slices:
            complete[(slice(None),) * axis + (index,)] = True
        expected = np.select([labels == 2, labels == 7, complete], [1, 2, 0], UNKNOWN)
        # The same voxels at the same places in the order of axes of another affine, by way of the canonical one.
        to, back = canonical_order(theirs), canonical_order(ours)
        turned = np.array(back.undo(to.apply(labels)))
        place = to.apply_to_affine(theirs, shape)
        affine = _as_undone(back, place, turned.shape)
        image = Volume(rng.random(turned.shape), affine)
        made = Case("a", (image,), LabelMap(labels, theirs), only_painted=True, complete_slices=tuple(slices))
        data = Dataset((made,), self.LABELS)
        found = classes_of(made, data, load_case(made, data)[1])
        assert np.array_equal(found, back.undo(to.apply(expected)))


def _as_undone(order, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The affine of an array that ``order`` would bring to ``affine``."""
    move = order.apply_to_affine(np.eye(4), shape)
    return affine @ np.linalg.inv(move)


def held(target: np.ndarray, annotated: tuple[bool, ...] = (True,) * 4) -> tuple[Prepared, Prepared]:
    return hold_out_block(Prepared(np.zeros((1, *target.shape), np.float16), target, np.array(annotated), {}))


class TestHoldOutBlock:
    @settings(max_examples=60)
    @given(st.tuples(*[st.integers(2, 14)] * 3), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.9]))
    def test_nothing_is_on_both_sides_and_nothing_is_lost(self, shape: tuple, seed: int, unknown: float) -> None:
        rng = np.random.default_rng(seed)
        target = rng.choice([0, 0, 0, 1, 2], shape).astype(np.int8)
        target[rng.random(shape) < unknown] = UNKNOWN
        assume(len(np.argwhere(target > 0)) > 1)
        training, out = held(target)
        one, other = training.target != UNKNOWN, out.target != UNKNOWN
        assert not (one & other).any()
        assert np.array_equal(one | other, target != UNKNOWN)
        for part, where in ((training, one), (out, other)):
            assert np.array_equal(part.target[where], target[where])
            assert (part.target > 0).any()
            for number, places in part.places.items():
                assert (part.target[tuple(places.T)] == number).all()
            assert part.image is training.image

    def test_a_fifth_of_whole_slices(self) -> None:
        target = np.zeros((40, 10, 10), np.int8)
        target[5:35, 4:6, 4:6] = 1
        training, out = held(target)
        slices = np.flatnonzero((out.target != UNKNOWN).any((1, 2)))
        assert len(slices) == 6
        assert (np.diff(slices) == 1).all()
        assert 15 < slices[0] < 29  # beyond the middle, not at the end
        assert (training.target[slices] == UNKNOWN).all()

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_painted_slices_are_held_out_whole(self, axis: int) -> None:
        target = np.full((50, 50, 50), UNKNOWN, np.int8)
        view = np.moveaxis(target, axis, 0)
        for place in (10, 18, 25, 31, 40):
            view[place, 20:40, 10:30] = 0
            view[place, 25:30, 15:20] = 1
        training, out = held(target)
        there = [np.flatnonzero((np.moveaxis(part.target, axis, 0) != UNKNOWN).any((1, 2))) for part in (training, out)]
        assert [len(slices) for slices in there] == [4, 1]
        assert there[1][0] in (25, 31)

    def test_one_painted_slice_is_cut_in_two(self) -> None:
        target = np.full((20, 30, 30), UNKNOWN, np.int8)
        target[7] = 0
        target[7, 5:25, 5:25] = 1
        training, out = held(target)
        assert (training.target == 1).sum() > 3 * (out.target == 1).sum() > 0

    def test_no_structure_is_held_out_altogether(self) -> None:
        # The second lies just where the block would: it has to be learnt, and shown where that can be.
        target = np.zeros((40, 8, 8), np.int8)
        target[2:38, 1:3] = 1
        target[20:28, 5:7] = 2
        training, out = held(target)
        assert {1, 2} <= set(np.unique(training.target))
        assert {1, 2} <= set(np.unique(out.target))

    def test_a_structure_on_one_slice_alone_is_learnt(self) -> None:
        target = np.zeros((20, 8, 8), np.int8)
        target[:, 1:3] = 1
        target[12, 5:7] = 2
        training, out = held(target)
        assert (training.target == 2).any()
        assert not (out.target == 2).any()

    def test_only_background_is_painted(self) -> None:
        target = np.full((20, 8, 8), UNKNOWN, np.int8)
        target[3:13] = 0
        training, out = held(target)
        assert (out.target == 0).any()
        assert (training.target == 0).any()

    @pytest.mark.parametrize("value", [0, 1])
    def test_a_single_voxel(self, value: int) -> None:
        target = np.full((5, 5, 5), UNKNOWN, np.int8)
        target[2, 2, 2] = value
        with pytest.raises(InputError, match="too little is painted to hold a part of it out"):
            held(target)

    def test_what_is_assumed_is_asked_for_on_both_sides_but_not_in_the_block_learnt_from(self) -> None:
        target = np.full((50, 40, 40), UNKNOWN, np.int8)
        for place in (10, 18, 25, 31, 40):
            target[place] = 0
            target[place, 25:30, 15:20] = 1
        plain, plain_out = held(target)
        target[(target == UNKNOWN) & (np.arange(40) < 8)] = ASSUMED
        training, out = held(target)
        for before, after in ((plain, training), (plain_out, out)):
            assert np.array_equal(before.target >= 0, after.target >= 0)  # the same slices are held out
        slices = np.flatnonzero((out.target >= 0).any((1, 2)))
        assert (training.target[slices] == UNKNOWN).all()
        elsewhere = np.setdiff1d(np.arange(50), slices)
        assert np.array_equal(training.target[elsewhere] == ASSUMED, target[elsewhere] == ASSUMED)
        assert np.array_equal(out.target == ASSUMED, target == ASSUMED)


class TestAssumeBackground:
    def test_marks_what_nobody_knows_and_keeps_it(self, tmp_path: Path) -> None:
        data = replace(dataset(1), cases=(replace(dataset(1).cases[0], only_painted=True),))
        preparation = Preparation((1.0, 1.0, 1.0))
        store = Store(data, preparation, tmp_path, 100)
        before = store[0].target.copy()
        assert (before == UNKNOWN).any()
        where = np.zeros(before.shape, bool)
        where[:10] = True
        store.assume_background(0, where)
        for one in (store, Store(data, preparation, tmp_path, 100)):  # also when it is opened again
            target = one[0].target
            assert np.array_equal(target == ASSUMED, where & (before == UNKNOWN))
            assert np.array_equal(target[before != UNKNOWN], before[before != UNKNOWN])
            assert (target[tuple(one[0].places[ASSUMED].T)] == ASSUMED).all()
