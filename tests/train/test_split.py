from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.errors import InputError
from napari_resmed.train.split import folds, one_side, split_cases

NAMES = [f"case{number}" for number in range(20)]

# Names, each with a patient and what it shows.
studies = st.lists(st.tuples(st.integers(0, 12), st.frozensets(st.integers(1, 4), max_size=3)), min_size=1, max_size=25)


class TestSplit:
    @given(studies, st.integers(0, 5), st.floats(0.05, 0.6))
    def test_whatever_the_data(self, cases, seed: int, share: float) -> None:
        names = [f"c{number}" for number in range(len(cases))]
        groups = [f"p{patient}" for patient, _ in cases]
        shown = {name: sorted(values) for name, (_, values) in zip(names, cases, strict=True)}
        split = split_cases(names, groups, seed=seed, share=share, structures=shown)
        patient = dict(zip(names, groups, strict=True))
        assert sorted(split.train + split.validation) == sorted(names)
        assert not {patient[name] for name in split.train} & {patient[name] for name in split.validation}
        assert split.train
        assert bool(split.validation) == (len(set(groups)) > 1)

    def test_a_fifth_of_a_few(self) -> None:
        split = split_cases(NAMES)
        assert (len(split.train), len(split.validation)) == (16, 4)
        assert list(split.train) == [name for name in NAMES if name in split.train]

    @pytest.mark.parametrize(
        ("cases", "held"), [(1, 0), (2, 1), (3, 1), (4, 1), (7, 1), (8, 2), (40, 8), (60, 8), (90, 9)]
    )
    def test_how_many(self, cases: int, held: int) -> None:
        names = [f"c{number}" for number in range(cases)]
        assert len(split_cases(names).validation) == held

    def test_a_seed_is_a_split(self) -> None:
        assert split_cases(NAMES, seed=3) == split_cases(NAMES, seed=3)
        assert len({split_cases(NAMES, seed=seed).validation for seed in range(10)}) > 5
        assert set(split_cases(NAMES[::-1], seed=3).validation) == set(split_cases(NAMES, seed=3).validation)

    def test_what_was_given_stays(self) -> None:
        given = ["train"] * 10 + ["validation"] * 3 + ["test"] * 4 + [""] * 3
        split = split_cases(NAMES, given=given)
        assert split.validation == tuple(NAMES[10:13])
        assert split.train == (*NAMES[:10], *NAMES[17:])

    def test_the_undecided_are_drawn(self) -> None:
        for seed in range(10):
            split = split_cases(NAMES, given=["train"] * 15 + [""] * 5, seed=seed)
            assert set(split.validation) <= set(NAMES[15:])
            assert len(split.validation) == 4

    @pytest.mark.parametrize(("images", "held"), [(2, 1), (3, 1), (5, 1), (10, 2)])
    def test_label_maps_beside_images_are_no_reason_to_hold_out_every_image(self, images: int, held: int) -> None:
        maps = [f"map{number}" for number in range(40)]
        names = [*NAMES[:images], *maps]
        given = [""] * images + ["train"] * len(maps)
        split = split_cases(names, given=given, structures={name: [1] for name in names}, beside=maps)
        assert len(split.validation) == held
        assert set(split.validation) < set(NAMES[:images])
        assert set(maps) < set(split.train)

    def test_label_maps_are_not_held_out_either_where_all_is_given_to_training(self) -> None:
        maps = [f"map{number}" for number in range(40)]
        for seed in range(5):
            given = ["train"] * 18 + ["test"] * 2 + ["train"] * 40
            split = split_cases([*NAMES, *maps], given=given, seed=seed, beside=maps)
            assert len(split.validation) == 4
            assert set(split.validation) < set(NAMES[:18])
        assert len(split_cases(maps * 1, beside=maps).validation) == len(split_cases(maps).validation)

    def test_all_given_to_training_is_no_reason_to_hold_nothing_out(self) -> None:
        assert len(split_cases(NAMES, given=["train"] * 20).validation) == 4

    def test_undecided_cases_follow_their_patient(self) -> None:
        split = split_cases(["a1", "a2", "b", "c"], ["a", "a", "b", "c"], ["validation", "", "", ""])
        assert split.validation == ("a1", "a2")

    @pytest.mark.parametrize("seed", range(20))
    def test_every_structure_lies_on_both_sides(self, seed: int) -> None:
        shown = {name: [1] for name in NAMES}
        shown[NAMES[2]], shown[NAMES[11]] = [1, 2], [1, 2]
        shown[NAMES[5]], shown[NAMES[6]], shown[NAMES[7]] = [1, 3], [1, 3], [1, 3]
        shown[NAMES[8]] = [1, 4]
        split = split_cases(NAMES, seed=seed, structures=shown)
        for side in (split.train, split.validation):
            assert {1, 2, 3} <= {value for name in side for value in shown[name]}
        # Only one patient has it: that is learnt from.
        assert NAMES[8] in split.train
        assert 3 <= len(split.validation) <= 5

    def test_patients_that_share_nothing(self) -> None:
        split = split_cases(["a", "b"], structures={"a": [1], "b": [2]})
        assert len(split.validation) == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"names": ["a", "a"]}, "found 2 cases with 1 names"),
            ({"names": ["a", "b"], "groups": ["p"]}, "2 names and 1 groups"),
            ({"names": ["a", "b"], "share": 1.0}, "share of 1.0"),
            ({"names": ["a", "b"], "groups": ["p", "p"], "given": ["train", "test"]}, "were given to test and train"),
        ],
    )
    def test_what_does_not_fit(self, arguments, message: str) -> None:
        with pytest.raises(InputError, match=message):
            split_cases(**arguments)


class TestOneSide:
    def test_cases_of_one_image_are_one_patient(self) -> None:
        names = ["a", "b", "c", "d"]
        assert one_side(names, ["", "", "x", "x"], [""] * 4, []) == ["a", "b", "x", "x"]
        assert one_side(names, ["", "", "x", "x"], [""] * 4, [("a", "c")]) == ["a", "b", "a", "a"]
        assert one_side(names, [""] * 4, [""] * 4, [("a", "b"), ("c", "d"), ("b", "c")]) == ["a"] * 4

    def test_what_was_given_stays(self) -> None:
        names, given = ["a", "b", "c"], ["train", "validation", ""]
        assert one_side(names, [""] * 3, given, [("a", "b")]) == ["a", "b", "c"]
        # c follows a; then b, which was held out, cannot come to them any more.
        assert one_side(names, [""] * 3, given, [("a", "c"), ("b", "c")]) == ["a", "b", "a"]


class TestFolds:
    @given(studies, st.integers(2, 5), st.integers(0, 3))
    def test_every_patient_is_held_out_once(self, cases, k: int, seed: int) -> None:
        names = [f"c{number}" for number in range(len(cases))]
        groups = [f"p{patient}" for patient, _ in cases]
        if len(set(groups)) < k:
            with pytest.raises(InputError, match="patients for"):
                folds(names, groups, k, seed)
            return
        parts = folds(names, groups, k, seed)
        assert len(parts) == k
        assert sorted(name for part in parts for name in part.validation) == sorted(names)
        patient = dict(zip(names, groups, strict=True))
        for part in parts:
            assert part.validation
            assert not {patient[name] for name in part.train} & {patient[name] for name in part.validation}
            assert len(part.train) + len(part.validation) == len(names)

    def test_nearly_equal(self) -> None:
        assert sorted(len(part.validation) for part in folds(NAMES[:17], k=5)) == [3, 3, 3, 4, 4]

    @pytest.mark.parametrize("seed", range(8))
    def test_a_rare_class_is_dealt_out(self, seed: int) -> None:
        names = [f"c{number:02d}" for number in range(50)]
        shown = {name: [int(number < 6)] for number, name in enumerate(names)}
        parts = folds(names, k=5, seed=seed, structures=shown)
        rare = [sum(shown[name] == [1] for name in part.validation) for part in parts]
        assert sorted(rare) == [1, 1, 1, 1, 2]
        assert [len(part.validation) for part in parts] == [10] * 5
