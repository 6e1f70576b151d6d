from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.classes import read_classes
from napari_resmed.prepare.fixed_size import fixed_size
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.train.classify.make_plan import Start, Usable, make_class_plan, smaller_batch
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.view import LEAST_FRAMES, MOST_DEEP, MOST_DYNAMIC, View, decide_view
from napari_resmed.train.wishes import Wishes
from napari_resmed.volume import Volume

SERIES = View(Preparation((1.0, 1.0, 1.0), orientation=STORED), (1, 32, 32), "whole", True, {}, 10)
DYNAMIC = View(Preparation((1.0, 1.0, 1.0)), (16, 20, 20), "whole", False, {}, 6)
FLAT = View(Preparation((1.0, 1.0, 1.0), orientation=STORED), (1, 28, 28), "whole", True, {})


def cases(counts: dict[str, int], per_patient: int = 1, **more: Any) -> Dataset:
    made = tuple(
        Case(f"{name}{n}", (Path(f"{name}{n}.png"),), group=f"{name}-{n // per_patient}", class_name=name, **more)
        for name, count in counts.items()
        for n in range(count)
    )
    return Dataset(made, classes=tuple(counts))


def plan(dataset: Dataset, view: View = FLAT, fold: tuple[int, int] | None = None, **wishes: Any) -> ClassPlan:
    usable = Usable(tuple(case.name for case in dataset.cases), ())
    return make_class_plan("m", dataset, usable, view, None, Wishes(**wishes), "cpu", fold)


class TestPlan:
    def test_more_time_a_larger_network(self) -> None:
        dataset = cases({"a": 1500, "b": 1500})
        sizes = [
            plan(dataset, minutes=minutes).arguments["backbone_arguments"]["features"][0] for minutes in (1, 10, 600)
        ]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[2] == 64

    def test_what_is_large_is_halved_first(self) -> None:
        def halvings(dataset: Dataset, *patch: int, minutes: float = 600) -> int:
            view = replace(FLAT, patch=patch, flat=patch[0] == 1)  # type: ignore[arg-type]
            return int(plan(dataset, view, minutes=minutes).arguments["backbone_arguments"]["halvings"])

        few = cases({"a": 20, "b": 20})
        assert [halvings(few, 1, edge, edge) for edge in (79, 80)] == [0, 1]
        assert [halvings(few, *shape) for shape in ((28, 28, 28), (10, 80, 80), (64, 64, 64))] == [0, 1, 2]
        # Where time is short, a blurred look at what is large; of a small image nothing would be left.
        many = cases({"a": 300, "b": 300})
        assert [halvings(many, 1, edge, edge, minutes=0.01) for edge in (28, 128)] == [0, 2]

    def test_patients_are_on_one_side(self) -> None:
        made = plan(cases({"a": 30, "b": 30}, per_patient=3))
        of = {case.name: case.patient for case in cases({"a": 30, "b": 30}, per_patient=3).cases}
        assert not {of[name] for name in made.training} & {of[name] for name in made.held_out}
        assert {name[0] for name in made.held_out} == {"a", "b"}

    def test_a_rare_class_is_drawn_more_often(self) -> None:
        assert plan(cases({"a": 20, "b": 20})).balance == "none"
        made = plan(cases({"a": 60, "b": 6}))
        assert made.balance == "sampling"
        assert "10" in made.reasons["balance"] or "9" in made.reasons["balance"]

    def test_a_split_without_a_class_on_one_side(self) -> None:
        learnt = cases({"a": 4, "b": 4}, split="train").cases
        held = tuple(Case(f"h{n}", (Path("h.png"),), split="validation", class_name="a") for n in range(3))
        with pytest.raises(InputError, match="'b' is held out"):
            plan(Dataset((*learnt, *held), classes=("a", "b")))

    def test_a_fold_leaves_the_test_split_alone(self) -> None:
        learnt = cases({"a": 4, "b": 4}).cases
        tests = tuple(Case(f"t{n}", (Path("t.png"),), split="test", class_name="ab"[n % 2]) for n in range(4))
        made = plan(Dataset((*learnt, *tests), classes=("a", "b")), fold=(0, 2))
        assert sorted([*made.training, *made.held_out]) == sorted(case.name for case in learnt)

    def test_folds_hold_everything_out_once(self) -> None:
        dataset = cases({"a": 12, "b": 12})
        held = [name for number in range(3) for name in plan(dataset, fold=(number, 3)).held_out]
        assert sorted(held) == sorted(case.name for case in dataset.cases)

    def test_a_series_gets_a_head_that_knows_the_order(self) -> None:
        made = plan(cases({"a": 20, "b": 20}), SERIES)
        assert made.network == "SequenceClassifier"
        assert made.arguments["mixer"] == "gru"
        assert "in their order" in made.reasons["network"]
        # Weights of a ResNet of slices see it frame by frame.
        dataset = cases({"a": 20, "b": 20})
        usable = Usable(tuple(case.name for case in dataset.cases), ())
        start = Start("r.pth", {"spatial_dims": 2, "backbone": "resnet10", "backbone_arguments": {}})
        made = make_class_plan("m", dataset, usable, SERIES, start, Wishes(), "cpu")
        assert (made.network, made.arguments["spatial_dims"]) == ("SequenceClassifier", 3)
        # Those of volumes take it for one.
        deep = replace(start, arguments={**start.arguments, "spatial_dims": 3})
        made = make_class_plan("m", dataset, usable, SERIES, deep, Wishes(), "cpu")
        assert (made.network, made.arguments["spatial_dims"]) == ("ImageClassifier", 3)

    @pytest.mark.parametrize("dims", [0, 2, 3])
    def test_volumes_in_time_are_seen_one_by_one(self, dims: int) -> None:
        dataset = cases({"a": 20, "b": 20})
        usable = Usable(tuple(case.name for case in dataset.cases), ())
        own = {"spatial_dims": dims, "backbone": "resnet10", "backbone_arguments": {}}
        start = Start("m", own, "ImageClassifier" if dims == 3 else "") if dims else None
        made = make_class_plan("m", dataset, usable, DYNAMIC, start, Wishes(), "cpu")
        assert (made.network, made.arguments["spatial_dims"]) == ("SequenceClassifier", 4)
        assert made.model().image_shape == (6, 16, 20, 20)

    def test_modalities_that_may_be_missing_get_a_branch_each(self) -> None:
        whole = cases({"a": 20, "b": 20}).cases
        both = replace(cases({"a": 20, "b": 20}), channels=("T1", "T2"))
        assert plan(both).network == "ImageClassifier"
        some = tuple(replace(case, channels=(n % 2,)) if n < 10 else case for n, case in enumerate(whole))
        made = plan(replace(both, cases=some))
        assert made.network == "BranchClassifier"
        assert made.arguments["drop_channels"] > 0
        assert "a branch for every modality" in made.reasons["network"]

    def test_devices_share_a_batch(self) -> None:
        made = plan(cases({"a": 60, "b": 60}), devices=3)
        assert made.devices == 3
        assert made.batch % 3 == 0
        with pytest.raises(InputError, match="cannot be shared by 3 devices"):
            replace(made, batch=4)

    def test_less_a_step_down_to_two_a_device(self) -> None:
        made = plan(cases({"a": 60, "b": 60}), devices=2)
        sizes = []
        while made is not None:
            sizes.append(made.batch)
            made = smaller_batch(made)  # type: ignore[assignment]
        assert sizes[-1] == 4
        assert all(size % 2 == 0 for size in sizes)
        assert sizes == sorted(set(sizes), reverse=True)

    def test_it_is_the_same_through_json(self) -> None:
        made = plan(cases({"a": 20, "b": 20}))
        assert ClassPlan.from_json(made.to_json()) == made

    @pytest.mark.parametrize(
        "change",
        [
            {"balance": "luck"}, {"optimiser": "lion"}, {"curve": "up"}, {"label_smoothing": 2.0}, {"held_out": []},
            {"classes": ["a", "b", "c"]}, {"mirror_axes": [3]}, {"colour": "red"}, {"minutes": None}, {"fit": "tight"},
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(InputError):
            ClassPlan.from_json({**plan(cases({"a": 20, "b": 20})).to_json(), **change})


class TestView:
    def test_real_files(self, shared_data: Path) -> None:
        flat = decide_view(read_classes(shared_data / "classification/pneumoniamnist.npz")[0], "cpu")
        assert flat.flat
        assert flat.patch == (1, 28, 28)
        forget_archives()

    def test_thick_slices_stay_as_they_are_and_fine_ones_become_coarser(self, monkeypatch: pytest.MonkeyPatch) -> None:
        thick = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1]])
        made = tuple(
            Case(
                f"c{n}",
                (Volume(np.random.default_rng(n).random((10, 80, 80), np.float32), thick),),
                class_name="ab"[n % 2],
            )
            for n in range(4)
        )
        view = decide_view(Dataset(made, classes=("a", "b")), "cpu")
        assert not view.flat
        assert view.patch == (10, 80, 80)
        assert view.preparation.spacing_mm == (4, 1, 1)
        monkeypatch.setitem(MOST_DEEP, "cpu", 30_000)
        z, y, x = decide_view(Dataset(made, classes=("a", "b")), "cpu").patch
        assert z == 10
        assert y == x
        assert 28_000 < z * y * x <= 31_000

    def test_a_black_rim_is_cut_away(self) -> None:
        def rimmed(number: int, size: int) -> Volume:
            data = np.zeros((40, 40, 40), np.float32)
            rng = np.random.default_rng(number)
            data[number : number + size, 12:30, 20:36] = rng.uniform(1, 2, (size, 18, 16))
            return Volume(data, np.array([[0.0, 0, 2, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))

        def view(size: int) -> View:
            made = tuple(Case(f"c{n}", (rimmed(n, size),), class_name="ab"[n % 2]) for n in range(4))
            return decide_view(Dataset(made, classes=("a", "b")), "cpu")

        cut = view(20)
        assert (cut.fit, cut.patch) == ("middle", (22, 20, 18))
        assert "rim" in cut.reasons["fit"]
        # Wherever it lies all of it is seen, as large as it is.
        image = fixed_size(rimmed(9, 14), cut.preparation, cut.patch, cut.fit)[0]
        assert image.shape == cut.patch
        assert [int((image > 0).any((b, c)).sum()) for b, c in ((1, 2), (0, 2), (0, 1))] == [14, 18, 16]
        assert not image[:4].any()
        assert (view(36).fit, view(36).patch) == ("middle", (40, 20, 18))

    def test_a_rim_that_is_worth_nothing_stays(self) -> None:
        data = np.zeros((20, 20, 20), np.float32)
        data[1:19, 1:19, 2:20] = np.random.default_rng(0).uniform(1, 2, (18, 18, 18))
        made = tuple(Case(f"c{n}", (Volume(data, np.eye(4)),), class_name="ab"[n]) for n in range(2))
        view = decide_view(Dataset(made, classes=("a", "b")), "cpu")
        assert (view.fit, view.patch, view.preparation.crop_nonzero) == ("whole", (20, 20, 20), False)

    def test_large_pictures_are_made_smaller(self) -> None:
        picture = Volume(np.random.default_rng(0).random((1, 512, 1024), np.float32), np.eye(4))
        made = tuple(Case(f"c{n}", (picture,), class_name="ab"[n]) for n in range(2))
        view = decide_view(Dataset(made, classes=("a", "b")), "cpu")
        z, y, x = view.patch
        assert z == 1
        assert y * x <= 1.05 * 128**2
        assert x == pytest.approx(2 * y, abs=2)

    def test_frames_stay_in_their_order_however_they_lie(self) -> None:
        # A sagittal loop: turned as a volume is, its frames would become columns.
        sagittal = np.array([[8.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
        made = tuple(
            Case(
                f"c{n}",
                (Volume(np.random.default_rng(n).random((6 + n, 1, 40, 30), np.float32), sagittal, "tzyx"),),
                class_name="ab"[n % 2],
            )
            for n in range(4)
        )
        view = decide_view(Dataset(made, classes=("a", "b")), "cpu")
        assert view.series
        assert view.preparation.orientation == STORED
        assert (view.frames, view.patch) == (8, (1, 40, 30))

    def test_volumes_in_time_are_fewer_or_coarser_where_they_must(self) -> None:
        axial = np.eye(4)[[2, 1, 0, 3]]

        def seen(frames: int, shape: tuple[int, ...]) -> View:
            volume = Volume(np.random.default_rng(0).random((frames, *shape), np.float32), axial, "tzyx")
            made = tuple(Case(f"c{n}", (volume,), class_name="ab"[n]) for n in range(2))
            return decide_view(Dataset(made, classes=("a", "b")), "cpu")

        small = seen(5, (10, 16, 16))
        assert (small.frames, small.patch, small.flat) == (5, (10, 16, 16), False)
        assert "made of" not in small.reasons["frames"]
        large = seen(24, (30, 40, 40))
        assert LEAST_FRAMES <= large.frames < 24
        assert f"{large.frames} frames are made of 24" in large.reasons["frames"]
        assert large.frames * np.prod(large.patch) <= 1.2 * MOST_DYNAMIC["cpu"]
        assert "coarser" in large.reasons["patch"]

    def test_ct_gets_a_fixed_window(self) -> None:
        rng = np.random.default_rng(0)
        made = tuple(
            Case(f"c{n}", (Volume(rng.integers(-1000, 500, (8, 16, 16)), np.eye(4)),), class_name="ab"[n])
            for n in range(2)
        )
        view = decide_view(Dataset(made, classes=("a", "b")), "cpu")
        window = view.preparation.window(0)
        assert window is not None
        assert -1000 <= window[0] < window[1] <= 500

    def test_each_modality_has_its_own(self) -> None:
        rng = np.random.default_rng(0)
        ct = Volume(rng.integers(-1000, 500, (8, 16, 16)), np.eye(4))
        pet = Volume(rng.random((8, 16, 16)), np.eye(4))
        made = tuple(Case(f"c{n}", (pet, ct), class_name="ab"[n]) for n in range(2))
        view = decide_view(Dataset(made, channels=("PET", "CT"), classes=("a", "b")), "cpu")
        assert view.preparation.window(0) is None
        assert view.preparation.window(1) is not None
