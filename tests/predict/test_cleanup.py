from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_fill_holes

from napari_resmed.errors import ModelError
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.predict.cleanup import clean_up

LARGEST = Cleanup(largest_component=True)
FILLED = Cleanup(fill_holes=True)


def cleaned(labels: np.ndarray, wishes: dict[int, Cleanup], voxel_mm3: float = 1.0) -> np.ndarray:
    result = labels.copy()
    clean_up(result, wishes, voxel_mm3)
    return result


def two_pieces() -> np.ndarray:
    labels = np.zeros((6, 8, 10), np.uint16)
    labels[1:3, 1:4, 1:4] = 300  # 18 voxels
    labels[4, 6, 6:9] = 300  # 3 voxels
    labels[0, 7, 9] = 2
    labels[5, 0, 0] = 2
    return labels


class TestPieces:
    def test_the_largest_stays(self) -> None:
        labels = two_pieces()
        expected = labels.copy()
        expected[4, 6, 6:9] = 0
        assert clean_up(labels, {300: LARGEST}, 1.0) == (3, 0)
        np.testing.assert_array_equal(labels, expected)

    def test_one_of_two_that_are_equal_stays(self) -> None:
        assert (cleaned(two_pieces(), {2: LARGEST}) == 2).sum() == 1

    def test_what_touches_by_a_corner_is_one_piece(self) -> None:
        labels = np.zeros((4, 4, 4), np.uint8)
        labels[0, 0, 0] = labels[1, 1, 1] = labels[2, 2, 2] = 1
        np.testing.assert_array_equal(cleaned(labels, {1: LARGEST}), labels)

    def test_a_minimum_is_in_cubic_millimetres(self) -> None:
        wish = {300: Cleanup(minimum_mm3=6.0)}
        assert (cleaned(two_pieces(), wish, 2.0) == 300).sum() == 21  # 3 voxels of 2 mm³ are 6 mm³: not smaller
        assert (cleaned(two_pieces(), wish, 1.9) == 300).sum() == 18
        assert (cleaned(two_pieces(), wish, 0.1) == 300).sum() == 0

    def test_labels_that_are_not_there(self) -> None:
        labels = two_pieces()
        np.testing.assert_array_equal(cleaned(labels, {7: LARGEST, 4000: FILLED}), labels)

    def test_nothing_to_do(self) -> None:
        assert clean_up(two_pieces(), {}, 1.0) == (0, 0)
        assert clean_up(two_pieces(), {300: Cleanup()}, 1.0) == (0, 0)


class TestHoles:
    def shell(self) -> np.ndarray:
        labels = np.zeros((7, 7, 7), np.uint8)
        labels[1:6, 1:6, 1:6] = 3
        labels[2:5, 2:5, 2:5] = 0
        return labels

    def test_what_is_enclosed_is_filled(self) -> None:
        labels = self.shell()
        assert clean_up(labels, {3: FILLED}, 1.0) == (0, 27)
        assert (labels[1:6, 1:6, 1:6] == 3).all()
        assert (labels == 3).sum() == 125

    def test_an_opening_in_a_face_is_no_hole_and_one_at_an_edge_is(self) -> None:
        labels = self.shell()
        labels[3, 3, 5] = 0
        np.testing.assert_array_equal(cleaned(labels, {3: FILLED}), labels)
        labels = self.shell()
        labels[1, 1, 1] = 0  # the room inside does not reach it by a face
        assert (cleaned(labels, {3: FILLED}) == 3).sum() == 124

    def test_the_edge_of_the_image_encloses_nothing(self) -> None:
        labels = self.shell()[3:]
        np.testing.assert_array_equal(cleaned(labels, {3: FILLED}), labels)

    def test_a_hole_that_another_label_touches_is_nobodys(self) -> None:
        labels = self.shell()
        labels[3, 3, 3] = 1
        np.testing.assert_array_equal(cleaned(labels, {3: FILLED, 1: FILLED}), labels)

    def test_what_a_removed_piece_leaves_is_filled(self) -> None:
        labels = self.shell()
        labels[3, 3, 3] = 1
        labels[0, 0, :3] = 1
        done = cleaned(labels, {1: LARGEST, 3: FILLED})
        assert (done[1:6, 1:6, 1:6] == 3).all()
        assert (done == 1).sum() == 3


WISHES = st.dictionaries(
    st.integers(1, 3),
    st.builds(Cleanup, st.booleans(), st.sampled_from([0.0, 2.0, 5.0]), st.booleans()),
)
# Much of label 1, so that it encloses something now and then.
MAPS = arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.sampled_from([0, 0, 1, 1, 1, 1, 2, 3]))


class TestAlways:
    @settings(max_examples=60)
    @given(MAPS, WISHES)
    def test_again_changes_nothing_and_others_are_never_touched(
        self, labels: np.ndarray, wishes: dict[int, Cleanup]
    ) -> None:
        done = cleaned(labels, wishes)
        np.testing.assert_array_equal(cleaned(done, wishes), done)
        for value in (1, 2, 3):
            wish = wishes.get(value, Cleanup())
            lost, gained = (labels == value) & (done != value), (labels != value) & (done == value)
            assert not lost.any() or wish.largest_component or wish.minimum_mm3 > 0
            assert not gained.any() or wish.fill_holes
            assert not (gained & ~binary_fill_holes(labels == value)).any()


class TestWish:
    def test_through_a_file_and_back(self) -> None:
        wish = Cleanup(True, 12.5, True)
        assert Cleanup.from_json(wish.to_json()) == wish
        assert Cleanup.from_json({}) == Cleanup()

    @pytest.mark.parametrize(
        "entry", [{"erode": 1}, {"fill_holes": "yes"}, {"minimum_mm3": -1}, "all", {"minimum_mm3": "1"}]
    )
    def test_what_is_not_understood_is_refused(self, entry: object) -> None:
        with pytest.raises(ModelError):
            Cleanup.from_json(entry)
