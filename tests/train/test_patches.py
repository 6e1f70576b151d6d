from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.patches import Batch, Sampling, ahead, draw_batch, draw_patch
from napari_resmed.train.store import Prepared
from tests.train.small import STILL

DEFORMED = replace(STILL, undeformed=0.0)
ISO = (1.0, 1.0, 1.0)


def prepared(target: np.ndarray, image: np.ndarray | None = None, places: dict | None = None) -> Prepared:
    """A case whose image, if it is not given, says where each voxel lies: z, y and x as channels."""
    target = target.astype(np.int16)
    if image is None:
        image = np.stack(np.meshgrid(*map(np.arange, target.shape), indexing="ij")).astype(np.float32)
    if places is None:
        places = {int(k): np.argwhere(target == k).astype(np.int16) for k in np.unique(target) if k > 0}
    return Prepared(image, target, np.ones(4, bool), places)  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_case(number: int = 0, shape: tuple = (12, 13, 14)) -> Prepared:
    target = np.random.default_rng(number).integers(0, 3, shape)
    image = np.full((1, *shape), number, np.float32) + np.random.default_rng(number).random(shape) / 2
    return prepared(target, image.astype(np.float16))


class TestBatchOfAStep:
    SAMPLING = Sampling((8, 8, 8), ISO, 2)

    def draw(self, step: int, seed: int = 0, part: slice = slice(None), count: int = 5) -> Batch:
        return draw_batch(small_case, range(count), self.SAMPLING, Augmentation(), seed, step, part)

    def test_is_the_same_whatever_was_drawn_before(self) -> None:
        once = self.draw(7)
        for step in (3, 11, 0):
            self.draw(step)
        again = self.draw(7)
        assert torch.equal(once.image, again.image)
        assert torch.equal(once.target, again.target)

    def test_hangs_on_step_and_seed(self) -> None:
        assert not torch.equal(self.draw(7).image, self.draw(8).image)
        assert not torch.equal(self.draw(7).image, self.draw(7, seed=1).image)

    def test_shapes_and_types(self) -> None:
        batch = self.draw(0)
        assert (batch.image.shape, batch.image.dtype) == ((2, 1, 8, 8, 8), torch.float32)
        assert (batch.target.shape, batch.target.dtype) == ((2, 8, 8, 8), torch.int16)
        assert (batch.annotated.shape, batch.annotated.dtype) == ((2, 4), torch.bool)

    @pytest.mark.parametrize("ranks", [2, 4])
    def test_devices_share_it_out(self, ranks: int) -> None:
        sampling = replace(self.SAMPLING, batch=4)
        whole = draw_batch(small_case, range(5), sampling, Augmentation(), 0, 3)
        parts = [
            draw_batch(small_case, range(5), sampling, Augmentation(), 0, 3, slice(rank, None, ranks))
            for rank in range(ranks)
        ]
        for rank, part in enumerate(parts):
            assert torch.equal(part.image, whole.image[rank::ranks])

    @settings(max_examples=25)
    @given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 1000))
    def test_every_case_once_a_lap(self, cases: int, batch: int, seed: int) -> None:
        taken: list[int] = []
        sampling = Sampling((2, 2, 2), ISO, batch)
        tiny = [small_case(number, (3, 3, 3)) for number in range(cases)]

        def take(number: int) -> Prepared:
            taken.append(number)
            return tiny[number]

        for step in range(3 * cases):
            draw_batch(take, range(cases), sampling, STILL, seed, step)
        laps = [taken[start : start + cases] for start in range(0, len(taken), cases)]
        assert len(laps) == 3 * batch
        assert all(sorted(lap) == list(range(cases)) for lap in laps)

    def test_laps_differ_in_order(self) -> None:
        orders = set()
        for lap in range(6):
            taken: list[int] = []
            for step in range(lap * 6, lap * 6 + 6):
                draw_batch(
                    lambda number, taken=taken: (taken.append(number), small_case(number, (3, 3, 3)))[1],  # type: ignore[misc]
                    range(6),
                    Sampling((2, 2, 2), ISO, 1),
                    STILL,
                    0,
                    step,
                )
            orders.add(tuple(taken))
        assert len(orders) > 3


class TestWhereAPatchLies:
    def test_a_structures_voxel_in_the_middle(self) -> None:
        target = np.zeros((40, 40, 40), int)
        target[15, 22, 25], target[20, 20, 20] = 1, 2
        sampling = Sampling((9, 9, 9), ISO, 1, structure_share=1.0)
        middles = Counter()
        for seed in range(200):
            _, patch, _ = draw_patch(prepared(target), sampling, STILL, generator(seed))
            middles[int(patch[4, 4, 4])] += 1
        # Each structure as often as any other, though both are a single voxel among 64 000.
        assert set(middles) == {1, 2}
        assert 60 < middles[1] < 140

    def test_the_share_on_structures(self) -> None:
        target = np.zeros((40, 40, 40), int)
        target[20, 20, 20] = 1
        for share in (0.0, 0.5):
            sampling = Sampling((9, 9, 9), ISO, 1, structure_share=share)
            hits = sum(
                int(draw_patch(prepared(target), sampling, STILL, generator(seed))[1][4, 4, 4]) == 1
                for seed in range(300)
            )
            assert abs(hits / 300 - share) < 0.1

    def test_near_the_edge_it_stays_inside(self) -> None:
        target = np.zeros((20, 20, 20), int)
        target[0, 0, 19] = 1
        sampling = Sampling((8, 8, 8), ISO, 1, structure_share=1.0)
        image, patch, _ = draw_patch(prepared(target), sampling, STILL, generator())
        assert (patch != UNKNOWN).all()
        assert patch[0, 0, 7] == 1
        assert image[:, 0, 0, 7].tolist() == [0, 0, 19]

    def test_a_small_image_lies_in_the_middle_of_unknown(self) -> None:
        target = np.ones((4, 20, 7), int)
        sampling = Sampling((8, 8, 10), ISO, 1, structure_share=1.0)
        for seed in range(10):
            image, patch, _ = draw_patch(prepared(target), sampling, STILL, generator(seed))
            known = patch.numpy() != UNKNOWN
            assert known.sum() == 4 * 8 * 7
            assert known[2:6, :, 1:8].all() or known[2:6, :, 2:9].all()
            assert (image.numpy()[:, ~known] == 0).all()

    def test_where_only_paint_counts_it_lies_on_paint(self) -> None:
        target = np.full((40, 40, 40), UNKNOWN)
        target[5, 10:20, 10:20] = 0
        target[30, 20:25, 20:25] = 1
        places = {k: np.argwhere(target == k).astype(np.int16) for k in (0, 1)}
        sampling = Sampling((9, 9, 9), ISO, 1, structure_share=0.5)
        seen = Counter(
            int(draw_patch(prepared(target, places=places), sampling, STILL, generator(seed))[1][4, 4, 4])
            for seed in range(100)
        )
        assert set(seen) == {0, 1}
        assert 30 < seen[0] < 70

    def test_a_case_without_structures(self) -> None:
        _, patch, _ = draw_patch(prepared(np.zeros((9, 9, 9))), Sampling((4, 4, 4), ISO, 1), STILL, generator())
        assert (patch == 0).all()

    def test_a_case_of_which_nothing_is_known(self) -> None:
        _, patch, _ = draw_patch(prepared(np.full((9, 9, 9), UNKNOWN)), Sampling((4, 4, 4), ISO, 1), STILL, generator())
        assert (patch == UNKNOWN).all()


class TestDeformed:
    @pytest.mark.parametrize("patch", [(7, 7, 7), (8, 8, 8), (30, 6, 9)])
    def test_the_identity_is_the_cut(self, patch: tuple[int, int, int]) -> None:
        # In a corner, so that patches of odd and even size begin on a voxel, not between two; the last is larger than the
        # image.
        target = np.zeros((20, 21, 22), int)
        target[0, 20, 0] = 1
        case = prepared(target)
        sampling = Sampling(patch, ISO, 1, structure_share=1.0)
        cut = draw_patch(case, sampling, STILL, generator())
        deformed = draw_patch(case, sampling, DEFORMED, generator())
        assert torch.equal(cut[1], deformed[1])
        assert torch.allclose(cut[0], deformed[0], atol=2e-3)
        assert (cut[1] == 1).sum() == 1

    @pytest.mark.parametrize("spacing", [ISO, (3.0, 1.0, 0.5)])
    def test_target_and_image_move_together(self, spacing: tuple[float, float, float]) -> None:
        shape = (30, 31, 32)
        strong = Augmentation(Deformation(25, 0.2, 0.1, 5.0, ((20.0, 3.0), (8.0, 1.0))), undeformed=0, probability=0)
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
        image = np.concatenate([index, np.ones((1, *shape), np.float32)])
        for axis in range(3):
            # The target is its own index along one axis: what the image says must be what the target says, all over
            # where it is the image's (the last channel), and does not fade into the dark outside.
            case = prepared(index[axis], image, places={})
            for seed in range(6):
                found, target, _ = draw_patch(case, Sampling((16, 16, 16), spacing, 1), strong, generator(seed))
                inside = found[3] > 0.9999
                assert inside.sum() > 100
                assert (target[inside] != UNKNOWN).all()
                assert ((found[axis] - target).abs()[inside] <= 0.5 + 1e-2).all()
                assert (found[3][target == UNKNOWN] <= 0.5 + 1e-3).all()

    def test_beyond_the_image_is_unknown_and_dark(self) -> None:
        shape = (10, 10, 10)
        image = np.ones((1, *shape), np.float32)
        far = replace(DEFORMED, deformation=replace(DEFORMED.deformation, shift_mm=12.0))
        seen = 0
        for seed in range(20):
            patch_image, patch, _ = draw_patch(
                prepared(np.ones(shape), image), Sampling((8, 8, 8), ISO, 1), far, generator(seed)
            )
            unknown = patch == UNKNOWN
            seen += int(unknown.sum())
            assert (patch_image[0][unknown] <= 0.5 + 1e-4).all()
            assert (patch_image[0][~unknown] > 0.1).all()
        assert seen > 1000

    def test_wholly_outside(self) -> None:
        away = replace(DEFORMED, deformation=replace(DEFORMED.deformation, shift_mm=500.0))
        for seed in range(5):
            image, patch, _ = draw_patch(small_case(), Sampling((4, 4, 4), ISO, 1), away, generator(seed))
            assert (patch == UNKNOWN).all()
            assert (image == 0).all()

    def test_left_and_right_change_places_with_what_was_annotated(self) -> None:
        """Class 1 on one half, class 2 on the other, 3 in the middle; of the pair only 2 was looked for."""
        target = np.full((12, 12, 12), UNKNOWN)
        target[:, :, :5], target[:, :, 5:7], target[:, :, 7:] = 1, 3, 2
        case = replace(prepared(target), annotated=np.array([True, False, True, True]))
        ranges = replace(DEFORMED, deformation=replace(DEFORMED.deformation, mirror=True))
        seen = set()
        for seed in range(30):
            image, patch, annotated = draw_patch(
                case, Sampling((6, 6, 6), ISO, 1, pairs=((1, 2),)), ranges, generator(seed)
            )
            mirrored = bool(image[2, 3, 3, 4] < image[2, 3, 3, 1])
            assert annotated.tolist() == ([True, True, False, True] if mirrored else [True, False, True, True])
            x = image[2].round()  # where each voxel was
            clear = (image[2] - x).abs() < 0.4
            expected = torch.where(x < 5, 2 if mirrored else 1, torch.where(x < 7, 3, 1 if mirrored else 2))
            seen.add((mirrored, bool(clear.any())))
            assert torch.equal(patch[clear].long(), expected[clear].long())
        assert {(True, True), (False, True)} <= seen

    def test_what_is_unknown_stays_so(self) -> None:
        ranges = replace(DEFORMED, deformation=replace(DEFORMED.deformation, mirror=True))
        case = prepared(np.full((9, 9, 9), UNKNOWN))
        for seed in range(6):
            _, patch, _ = draw_patch(case, Sampling((4, 4, 4), ISO, 1, pairs=((1, 2),)), ranges, generator(seed))
            assert (patch == UNKNOWN).all()

    def test_mirrors_only_where_it_may(self) -> None:
        case = prepared(np.zeros((12, 12, 12)))
        rising: dict[bool, set[bool]] = {}
        for mirror in (True, False):
            ranges = replace(DEFORMED, deformation=replace(DEFORMED.deformation, mirror=mirror))
            patches = [draw_patch(case, Sampling((6, 6, 6), ISO, 1), ranges, generator(seed))[0] for seed in range(30)]
            rising[mirror] = {bool(image[2, 3, 3, 4] > image[2, 3, 3, 1]) for image in patches}
            assert all(image[0, 4, 3, 3] > image[0, 1, 3, 3] for image in patches)
            assert all(image[1, 3, 4, 3] > image[1, 3, 1, 3] for image in patches)
        assert rising == {True: {True, False}, False: {True}}


class TestAhead:
    @staticmethod
    def batch(step: int) -> Batch:
        time.sleep(0.02 if step % 3 == 0 else 0)  # every third is slow: the order must not hang on that
        return Batch(torch.tensor([float(step)]), torch.zeros(1), torch.ones(1))

    @staticmethod
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("resmed-patches")]

    @pytest.mark.parametrize("workers", [0, 1, 3])
    def test_in_order_from_the_first(self, workers: int) -> None:
        batches = ahead(self.batch, 5, 4, workers)
        assert [float(next(batches).image) for _ in range(12)] == list(range(5, 17))
        batches.close()  # type: ignore[attr-defined]
        assert self.threads() == []

    def test_closed_before_it_began(self) -> None:
        ahead(self.batch, 0, 3, 2).close()  # type: ignore[attr-defined]
        assert self.threads() == []

    def test_never_more_than_so_many_wait(self) -> None:
        made: list[int] = []

        def make(step: int) -> Batch:
            made.append(step)
            return self.batch(step)

        batches = ahead(make, 0, 3, 2)
        for taken in range(1, 6):
            next(batches)
            time.sleep(0.05)
            assert len(made) <= taken + 3
        batches.close()  # type: ignore[attr-defined]

    def test_a_failure_arrives_where_its_batch_would(self) -> None:
        def make(step: int) -> Batch:
            if step == 3:
                raise MemoryError
            return self.batch(step)

        batches = ahead(make, 0, 4, 2)
        assert [float(next(batches).image) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(MemoryError):
            next(batches)
        assert self.threads() == []

    @pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread anyway")
    def test_the_networks_own_threads_stay(self) -> None:
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            torch.rand((64, 64)) @ torch.rand((64, 64))
            batches = ahead(self.batch, 0, 2, 2)
            next(batches)
            assert torch.get_num_threads() == 2
            batches.close()  # type: ignore[attr-defined]
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(before)


class TestPainted:
    def draw(self, case: Prepared, share: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return draw_patch(case, Sampling((8, 8, 8), ISO, 1, synthetic=share), DEFORMED, generator(3))

    def test_has_the_same_labels_and_another_image(self) -> None:
        image, target, _ = self.draw(small_case(), 0.0)
        painted, same, _ = self.draw(small_case(), 1.0)
        assert torch.equal(target, same)
        assert painted.shape == image.shape
        assert not torch.equal(painted, image)

    def test_what_has_no_image_is_painted_anyway(self) -> None:
        alone = replace(small_case(), has_image=False)
        assert torch.equal(self.draw(alone, 0.0)[0], self.draw(small_case(), 1.0)[0])

    @pytest.mark.parametrize("ranges", [STILL, DEFORMED])
    def test_shows_what_is_held_out_of_its_case_too(self, ranges: Augmentation) -> None:
        """As an image of the case would: structures do not end where the held-out slices begin."""
        target = np.zeros((8, 8, 8), np.int8)
        target[:, 2:6, 2:6] = 1
        part = target.copy()
        part[4:] = UNKNOWN
        split = replace(prepared(part), has_image=False, whole=target)
        sampling = Sampling((8, 8, 8), ISO, 1)
        shown, known, _ = draw_patch(split, sampling, ranges, generator(3))
        assert (known[4:] == UNKNOWN).all()
        assert torch.equal(shown, draw_patch(replace(split, target=target), sampling, ranges, generator(3))[0])
        assert not torch.equal(shown, draw_patch(replace(split, whole=None), sampling, ranges, generator(3))[0])
