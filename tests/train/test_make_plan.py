from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.nets import build_network
from napari_resmed.nets.size import edge_multiples
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.case_facts import CaseFacts, Intensities, LeftOut
from napari_resmed.train.fingerprint import ChannelFacts, Fingerprint
from napari_resmed.train.make_plan import changed, make_plan
from napari_resmed.train.pace import CARE
from napari_resmed.train.patch_size import smaller, step_multiple
from napari_resmed.train.plan import Plan
from napari_resmed.train.wishes import Wishes
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.small import LITTLE_NETWORK, little_plan

LIVER = LabelSet((Label(1, "liver", (1, 1, 1)),))
# Hounsfield units of a CT with air around the patient; a foreground of soft tissue.
CT = (
    Intensities(-1024, -1000, -990, -200, 400, 900, 2000, -300, 500),
    Intensities(-950, -900, -80, 90, 220, 1500, 3000, 90, 50),
)
MR = (Intensities(0, 0, 5, 100, 700, 900, 1500, 200, 150), Intensities(20, 50, 90, 300, 600, 700, 900, 300, 100))


def situation(
    shape: tuple[int, int, int] = (64, 96, 80),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    count: int = 10,
    labels: LabelSet = LIVER,
    looks: tuple[Intensities, Intensities] = MR,
    modality: str = "",
    extent_mm: float = 40.0,
    channels: tuple[str, ...] = ("image",),
    groups: str = "",
) -> tuple[Dataset, Fingerprint]:
    """A data set and its fingerprint, as if it had been looked at."""
    facts = tuple(
        CaseFacts(
            name=f"case{number}",
            grid_shape=shape,
            spacing_mm=spacing,
            modality=modality,
            image=(looks[0],) * len(channels),
            foreground=(looks[1],) * len(channels),
            voxels={0: 1000, **dict.fromkeys(labels.values, 100)},
            extent_mm=dict.fromkeys(labels.values, (extent_mm,) * 3),
        )
        for number in range(count)
    )
    size = tuple(n * mm for n, mm in zip(shape, spacing, strict=True))
    fingerprint = Fingerprint(
        name="data",
        labels=labels,
        cases=facts,
        left_out=(LeftOut("dirty", "no labels", "it has no labels"),),
        channels=tuple(ChannelFacts(name, *looks) for name in channels),
        spacing_mm=spacing,
        median_shape=shape,
        largest_shape=shape,
        median_size_mm=size,  # type: ignore[arg-type]
        dimensions=2 if 1 in shape else 3,
        class_shares={},
        annotated_in={},
        present_in={},
    )
    image = Volume(np.zeros((2, 2, 2)), make_affine())
    cases = tuple(Case(case.name, (image,) * len(channels), group=groups) for case in facts)
    return Dataset(cases, labels, channels, name="data"), fingerprint


def plan_of(base: Model | None = None, wishes: Wishes | None = None, **given) -> Plan:
    dataset, facts = situation(**given)
    return make_plan("new", dataset, facts, base, wishes or Wishes(device="cpu"))


def runs(plan: Plan) -> bool:
    """Whether the plan's own network, built as it stands, takes its patches and answers voxel by voxel, in training.

    On torch's meta device: the very layers with the very sizes, without the numbers.
    """
    with torch.device("meta"):
        network = build_network(plan.network, plan.arguments).train()
        answer = network(torch.zeros((plan.batch, len(plan.channels), *plan.patch)))
    answers = answer.unbind(1) if answer.dim() == 6 else [answer]
    outputs = plan.background_classes + len(plan.labels)
    return all(one.shape == (plan.batch, outputs, *plan.patch) for one in answers)


SHAPES = st.tuples(*[st.integers(2, 400)] * 3)
SPACINGS = st.tuples(*[st.sampled_from([0.3, 0.7, 0.97, 1.0, 1.5, 2.5, 3.0, 5.0, 8.0])] * 3)
TIMES = st.one_of(st.none(), st.sampled_from([0.1, 1.0, 2.0, 10.0, 60.0, 600.0]))


class TestNetworkAndPatch:
    @settings(max_examples=150)
    @given(SHAPES, SPACINGS, TIMES, st.sampled_from([2.0, 10.0, 100.0]))
    def test_fit_each_other_whatever_the_images(self, shape, spacing, minutes, extent_mm) -> None:
        wishes = Wishes(minutes=minutes, device="cpu")
        plan = plan_of(shape=shape, spacing=spacing, wishes=wishes, extent_mm=extent_mm)
        assert runs(plan)
        assert math.prod(plan.patch) <= 96**3 or max(plan.patch) <= 32
        for window, size, old, new in zip(plan.patch, shape, spacing, plan.preparation.spacing_mm, strict=True):
            assert window < size * old / new + 16  # no more than the image, rounded up
            assert new >= old - 1e-3  # never finer than the images

    @settings(max_examples=12)
    @given(SHAPES, SPACINGS)
    def test_fit_each_other_in_real_numbers(self, shape, spacing) -> None:
        plan = plan_of(shape=shape, spacing=spacing, wishes=Wishes(minutes=0.1, device="cpu"))
        thin = {**plan.arguments, "channels": [2] * len(plan.arguments["channels"])}
        network = build_network(plan.network, thin)
        answer = network(torch.rand((1, 1, *plan.patch)))
        answer.sum().backward()
        assert answer.shape == (1, 2, *plan.patch)
        assert all(torch.isfinite(weight.grad).all() for weight in network.parameters() if weight.grad is not None)

    def test_thick_slices_are_made_coarser_last(self) -> None:
        plan = plan_of(shape=(24, 256, 256), spacing=(5.0, 0.8, 0.8))
        strides = [[s] * 3 if isinstance(s, int) else s for s in plan.arguments["strides"]]
        assert strides[0] == [1, 2, 2]
        spacing = np.array(plan.preparation.spacing_mm)
        for stride in strides:
            finest = spacing.min()
            assert all(mm < 2 * finest for mm, k in zip(spacing, stride, strict=True) if k == 2)
            spacing = spacing * stride

    def test_cubes_are_halved_alike(self) -> None:
        plan = plan_of(shape=(96, 96, 96), wishes=Wishes(minutes=600, device="cpu"))
        assert plan.patch == (96, 96, 96)
        assert (plan.network, plan.arguments["features"]) == ("UNetWithHead", 16)
        assert plan.arguments["strides"] == [2, 2, 2, 2]
        assert plan.arguments["channels"] == [32, 64, 128, 160, 160]
        assert plan.reasons["patch"] == "the whole image"

    def test_a_part_of_an_image_is_halved_at_once(self) -> None:
        plan = plan_of(shape=(128, 128, 128), wishes=Wishes(minutes=600, device="cpu"))
        assert plan.patch == (96, 96, 96)
        assert plan.network == "UNet"
        assert plan.arguments["strides"] == [2, 2, 2, 2]
        assert plan.arguments["channels"] == [32, 64, 128, 256, 320]

    def test_channels_and_classes(self) -> None:
        labels = LabelSet((Label(3, "a", (1, 1, 1)), Label(7, "b", (1, 1, 1))))
        plan = plan_of(labels=labels, channels=("T1", "FLAIR"))
        assert (plan.arguments["in_channels"], plan.arguments["out_channels"]) == (2, 3)
        assert runs(plan)


class TestTime:
    def test_ten_minutes_where_nothing_is_said(self) -> None:
        assert (plan_of().minutes, plan_of().steps) == (10.0, None)

    @pytest.mark.parametrize(("count", "an_epoch"), [(2, 50), (10, 50), (400, 180)])
    def test_epochs_become_steps(self, count: int, an_epoch: int) -> None:
        plan = plan_of(count=count, wishes=Wishes(epochs=3, device="cpu"))
        assert (plan.minutes, plan.steps, plan.check_every) == (None, 3 * an_epoch, an_epoch)
        assert plan.steps * plan.batch >= 3 * len(plan.training)

    def test_many_cases_are_looked_at_often_enough(self) -> None:
        assert plan_of(count=3000).check_every == 250

    def test_looking_takes_a_tenth_of_many_epochs_and_is_done_ten_times(self) -> None:
        many = {"shape": (300, 300, 300), "count": 20}
        long, short = (plan_of(**many, wishes=Wishes(epochs=epochs, device="cpu")) for epochs in (400, 20))
        assert short.check_every == short.steps // 10 > 50
        sizes = [300 / mm for mm in long.preparation.spacing_mm]
        windows = math.prod(math.ceil(2 * size / edge) - 1 for size, edge in zip(sizes, long.patch, strict=True))
        passes = len(long.held_out) * windows * (long.steps / long.check_every)
        assert 0.05 < passes / (3 * long.batch * long.steps) < 0.15

    def test_less_time_is_smaller_patches(self) -> None:
        sizes = [
            math.prod(plan_of(shape=(128, 128, 128), wishes=Wishes(minutes=minutes, device="cpu")).patch)
            for minutes in (0.5, 5, 60)
        ]
        assert sizes[0] < sizes[1] <= sizes[2]
        assert sizes[0] >= 32**3

    @pytest.mark.parametrize(
        ("wish", "said"),
        [
            ({"minutes": 5, "epochs": 3}, "found both minutes and epochs"),
            ({"minutes": 0}, "found 0 minutes, expected more than 0"),
            ({"minutes": -1}, "found -1 minutes"),
            ({"minutes": float("nan")}, "found nan minutes"),
            ({"minutes": float("inf")}, "found inf minutes"),
            ({"epochs": 0}, "found 0 epochs, expected at least 1"),
            ({"care": "reckless"}, "found the care 'reckless', expected bold, normal, careful"),
            ({"devices": 0}, "found 0 devices, expected at least 1"),
            ({"memory_mb": 0}, "found 0 MB of memory, expected more than 0"),
        ],
    )
    def test_wishes_that_cannot_be_met(self, wish: dict, said: str) -> None:
        with pytest.raises(InputError, match=said):
            Wishes(**wish)


class TestSpacing:
    def test_the_median_where_that_can_be(self) -> None:
        plan = plan_of(shape=(40, 60, 60), spacing=(2.0, 1.25, 1.25))
        assert plan.preparation.spacing_mm == (2.0, 1.25, 1.25)
        assert plan.reasons["spacing"] == "the median of the cases"

    def test_large_images_are_looked_at_coarser_the_finest_axis_first(self) -> None:
        plan = plan_of(shape=(300, 512, 512), spacing=(2.0, 0.7, 0.7), extent_mm=100)
        z, y, x = plan.preparation.spacing_mm
        assert y == x > 0.7
        assert z >= 2.0
        assert "coarser than the cases" in plan.reasons["spacing"]
        voxels = 600 / z * 358.4 / y * 358.4 / x
        assert voxels <= 20 * 96**3 * 1.001

    @pytest.mark.parametrize("extent_mm", [3.0, 4.0, 6.0])
    def test_but_not_so_coarse_that_thin_structures_vanish(self, extent_mm: float) -> None:
        plan = plan_of(shape=(400, 512, 512), spacing=(0.7, 0.7, 0.7), extent_mm=extent_mm)
        assert max(plan.preparation.spacing_mm) <= max(0.7, extent_mm / 4)
        assert "as far as the thinnest structures allow" in plan.reasons["spacing"]

    def test_structures_that_are_thin_already_do_not_make_it_finer(self) -> None:
        plan = plan_of(shape=(400, 512, 512), spacing=(0.7, 0.7, 0.7), extent_mm=0.7)
        assert plan.preparation.spacing_mm == (0.7, 0.7, 0.7)

    def test_single_slices_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"single slices \(2D\); training a segmentation needs volumes"):
            plan_of(shape=(1, 200, 200))


class TestIntensities:
    @pytest.mark.parametrize("modality", ["", "CT"])
    def test_ct_gets_a_window_around_its_structures(self, modality: str) -> None:
        plan = plan_of(looks=CT, modality=modality)
        assert plan.preparation.windows == ((-130.0, 270.0),)
        assert "Hounsfield" in plan.reasons["intensities"]

    def test_hounsfield_units_are_disturbed_as_little_as_scanners_do(self) -> None:
        wide = replace(CT[1], p95=1300)  # bone among the structures
        of_bone, of_glands = (plan_of(looks=(CT[0], one), modality="CT") for one in (wide, CT[1]))
        for plan in (of_bone, of_glands):
            (window,) = plan.preparation.windows
            width = window[1] - window[0]
            assert plan.augmentation.noise * width <= 41  # HU
            assert plan.augmentation.brightness * width <= 26
        assert of_bone.augmentation.noise < of_glands.augmentation.noise

    def test_other_intensities_are_disturbed_more(self) -> None:
        usual = Augmentation()
        for plan in (plan_of(looks=MR), plan_of(looks=CT, modality="CT", channels=("CT", "PET"))):
            found = plan.augmentation
            assert (found.noise, found.brightness, found.gamma) == (usual.noise, usual.brightness, usual.gamma)

    @pytest.mark.parametrize(("looks", "modality"), [(MR, ""), (MR, "MR"), (CT, "MR")])
    def test_nothing_else_does(self, looks: tuple, modality: str) -> None:
        assert plan_of(looks=looks, modality=modality).preparation.windows == ()

    def test_label_maps_alone_tell_no_hounsfield_units(self) -> None:
        dataset, facts = situation(looks=CT, modality="CT", channels=("CT",))
        alone = replace(facts, cases=tuple(replace(case, has_image=False) for case in facts.cases))
        assert make_plan("new", dataset, alone, None, Wishes(device="cpu")).preparation.windows == ()

    def test_one_image_without_air_is_no_ct(self) -> None:
        dataset, facts = situation(looks=CT)
        odd = replace(facts.cases[3], image=(MR[0],))
        facts = replace(facts, cases=(*facts.cases[:3], odd, *facts.cases[4:]))
        assert make_plan("new", dataset, facts, None, Wishes(device="cpu")).preparation.windows == ()

    def test_of_ct_and_pet_the_ct_alone(self) -> None:
        plan = plan_of(looks=CT, modality="CT", channels=("CT", "PET"))
        assert plan.preparation.windows == ((-130.0, 270.0), None)


class TestSides:
    @pytest.mark.parametrize("name", ["left kidney", "Kidney_L", "LeftParotid", "LKidney"])
    def test_named_ones_are_never_mirrored(self, name: str) -> None:
        plan = plan_of(labels=LabelSet((Label(1, name, (1, 1, 1)), Label(2, "x", (1, 1, 1)))))
        assert plan.mirror_axes == ()
        assert not plan.augmentation.deformation.mirror
        assert "never mirrored" in plan.reasons["mirror_axes"]

    def test_a_pair_changes_places(self) -> None:
        names = ("left kidney", "right kidney")
        plan = plan_of(labels=LabelSet(tuple(Label(value, name, (1, 1, 1)) for value, name in enumerate(names, 1))))
        assert plan.mirror_pairs == ((1, 2),)
        assert plan.sampling.pairs == ((1, 2),)
        assert plan.augmentation.deformation.mirror
        assert plan.mirror_axes == ()
        assert "exchanged" in plan.reasons["mirror_axes"]

    def test_others_are(self) -> None:
        assert plan_of().mirror_pairs == ()
        assert plan_of().mirror_axes == (2,)
        assert plan_of().augmentation.deformation.mirror


class TestWhoIsHeldOut:
    def test_a_fifth_of_the_cases(self) -> None:
        plan = plan_of(count=10)
        assert (len(plan.training), len(plan.held_out)) == (8, 2)
        assert set(plan.training) | set(plan.held_out) == {f"case{k}" for k in range(10)}
        assert "2 of 10 cases" in plan.reasons["held_out"]

    def test_cases_of_one_image_stay_together(self) -> None:
        dataset, facts = situation(count=10)
        (held, *_) = make_plan("new", dataset, facts, None, Wishes(device="cpu")).held_out
        others = tuple(case.name for case in facts.cases if case.name != held)
        same = replace(facts, same_images=((held, *others[:4]),))
        plan = make_plan("new", dataset, same, None, Wishes(device="cpu"))
        assert {held, *others[:4]} <= set(plan.training) or {held, *others[:4]} <= set(plan.held_out)

    def test_of_a_patient_of_the_test_split_nothing_is_learnt(self) -> None:
        dataset, facts = situation(count=10)
        test = Case("t", (Path("t.nii"),), split="test", group="P")
        same = replace(facts, same_images=(("case1", "t"),))
        made = (replace(dataset.cases[0], group="P", split="train"), *dataset.cases[1:], test)
        with pytest.raises(InputError, match="given to test and train"):
            make_plan("new", replace(dataset, cases=made), same, None, Wishes(device="cpu"))
        plan = make_plan("new", replace(dataset, cases=(*dataset.cases, test)), same, None, Wishes(device="cpu"))
        assert not {"case1", "t"} & {*plan.training, *plan.held_out}

    @pytest.mark.parametrize("given", [{"count": 1}, {"count": 3, "groups": "one patient"}])
    def test_a_block_of_each_image_of_a_single_patient(self, given: dict) -> None:
        plan = plan_of(**given)
        assert (len(plan.training), plan.held_out) == (given["count"], ())
        assert "a block of slices" in plan.reasons["held_out"]

    def test_dirty_cases_are_listed(self) -> None:
        assert plan_of().left_out == (("dirty", "it has no labels"),)


class TestChanged:
    def test_an_optimiser_gets_its_usual_rate(self) -> None:
        plan = plan_of()
        by = changed(plan, {"optimiser": "adamw"}, "bold")
        assert (by.optimiser, by.learning_rate) == ("adamw", CARE["bold"][0])
        assert by.reasons["optimiser"] == "as asked for"
        assert changed(by, {"optimiser": "muon"}, "normal").learning_rate == plan.learning_rate == 7 * CARE["normal"][0]
        assert changed(plan_of(base_model()), {"optimiser": "muon"}, "normal").learning_rate == CARE["normal"][1]

    def test_a_rate_alone_changes_no_optimiser(self) -> None:
        plan = changed(plan_of(), {"learning_rate": 0.5}, "normal")
        assert (plan.optimiser, plan.learning_rate) == ("muon", 0.5)
        plan = changed(plan_of(), {"learning_rate": 0.5, "optimiser": "sgd"}, "normal")
        assert (plan.optimiser, plan.learning_rate) == ("sgd", 0.5)

    def test_a_whole_plan_from_before_there_was_a_choice_means_adamw(self) -> None:
        whole = plan_of().to_json()
        del whole["optimiser"]
        assert changed(plan_of(), whole, "normal").optimiser == "adamw"

    def test_a_strange_optimiser_is_refused(self) -> None:
        with pytest.raises(InputError, match="optimiser is 'lion'"):
            changed(plan_of(), {"optimiser": "lion"}, "normal")


class TestTheRest:
    def test_wishes_are_taken_over(self) -> None:
        wishes = Wishes(minutes=3, care="bold", device="cpu", precision="fp32", devices=3, memory_mb=77, seed=5)
        plan = plan_of(wishes=wishes)
        assert (plan.minutes, plan.learning_rate, plan.device, plan.precision) == (
            3,
            7 * CARE["bold"][0],
            "cpu",
            "fp32",
        )
        assert (plan.devices, plan.batch, plan.memory_mb, plan.seed) == (3, 3, 77, 5)

    def test_memory_is_a_part_of_what_is_free(self) -> None:
        import psutil

        assert 256 <= plan_of().memory_mb <= max(256, psutil.virtual_memory().total / 4 / 2**20)

    def test_a_device_that_is_not_there(self) -> None:
        with pytest.raises(InputError, match="cuda:99 is not there"):
            plan_of(wishes=Wishes(device="cuda:99"))

    def test_bends_go_with_the_patch(self) -> None:
        small, large = plan_of(shape=(32, 32, 32)), plan_of(shape=(96, 96, 96))
        assert small.augmentation.deformation.shift_mm < large.augmentation.deformation.shift_mm
        assert small.augmentation.deformation.elastic[0][1] < large.augmentation.deformation.elastic[0][1]

    def test_every_decision_has_its_reason(self) -> None:
        assert {"spacing", "patch", "network", "held_out", "mirror_axes"} <= plan_of().reasons.keys()

    def test_survives_its_own_file(self, tmp_path: Path) -> None:
        plan = plan_of(looks=CT, modality="CT", shape=(30, 200, 200), spacing=(5.0, 0.8, 0.8))
        plan.save(tmp_path / "plan.json")
        assert Plan.load(tmp_path / "plan.json") == plan


def base_model(network: str = "UNet", patch: tuple[int, int, int] = (96, 96, 96), **arguments) -> Model:
    known = {
        "UNet": {
            "channels": [16, 32, 64, 128, 256], "strides": [2, 2, 2, 2], "num_res_units": 2, "norm": "instance",
        },
        "DynUNet": {
            "kernel_size": [3] * 5, "strides": [1, 2, 2, 2, [1, 2, 2]], "upsample_kernel_size": [2, 2, 2, [1, 2, 2]],
            "filters": [8] * 5, "deep_supervision": True, "deep_supr_num": 2,
        },
        "SegResNet": {"init_filters": 8},
    }[network]  # fmt: skip
    return Model(
        name="base",
        network=network,
        arguments={"spatial_dims": 3, "in_channels": 1, "out_channels": 18, **known, **arguments},
        preparation=Preparation((1.5, 1.5, 1.5), windows=((-100.0, 200.0),)),
        patch=patch,
        labels=LabelSet(tuple(Label(k, f"s{k}", (1, 1, 1)) for k in range(1, 18))),
    )


class TestFromAModel:
    @settings(max_examples=40)
    @given(SHAPES, SPACINGS, TIMES, st.sampled_from(["UNet", "DynUNet", "SegResNet"]))
    def test_its_network_takes_the_patches(self, shape, spacing, minutes, network) -> None:
        plan = plan_of(base_model(network), Wishes(minutes=minutes, device="cpu"), shape=shape, spacing=spacing)
        assert plan.preparation.spacing_mm == (1.5, 1.5, 1.5)
        assert all(window <= most for window, most in zip(plan.patch, (96, 96, 96), strict=True))
        assert runs(plan)

    def test_a_crop_smaller_than_its_window(self) -> None:
        # The hippocampus at 1 mm, from a model of whole heads at 1.5 mm: 24, 34, 24 voxels, where it needs multiples of 16.
        plan = plan_of(base_model(), shape=(36, 51, 36))
        assert plan.patch == (32, 48, 32)

    def test_keeps_its_kind_and_moves_less(self) -> None:
        plan = plan_of(base_model(), wishes=Wishes(device="cpu", care="careful"))
        assert (plan.base, plan.network, plan.learning_rate) == ("base", "UNet", CARE["careful"][1])
        assert (plan.optimiser, plan_of().optimiser) == ("adamw", "muon")
        assert plan.preparation.windows == ((-100.0, 200.0),)
        assert "that of base" in plan.reasons["network"]

    def test_cleans_up_the_structures_it_knows_as_the_base_does(self) -> None:
        wish = Cleanup(largest_component=True)
        base = replace(base_model(), cleanup={2: wish, 3: Cleanup(minimum_mm3=9)})
        labels = LabelSet((Label(7, "s2", (1, 1, 1)), Label(8, "new", (1, 1, 1))))
        assert plan_of(base, labels=labels).cleanup == {7: wish}
        assert plan_of(labels=labels).cleanup == {}

    def test_windows_go_with_their_channels(self) -> None:
        windows = ((-100.0, 200.0), None)
        preparation = Preparation((1.5, 1.5, 1.5), windows=windows)
        arguments = {**base_model().arguments, "in_channels": 2}
        base = replace(base_model(), arguments=arguments, channels=("CT", "PET"), preparation=preparation)
        assert plan_of(base, channels=("CT", "PET")).preparation.windows == windows
        assert plan_of(base, channels=("PET", "CT")).preparation.windows == windows[::-1]

    @pytest.mark.parametrize("changes", [{"axes": (2, 1, 0)}, {"orientation": "stored"}], ids=["axes", "stored"])
    def test_sides_are_not_exchanged_where_they_lie_is_not_known(self, changes) -> None:
        names = ("left kidney", "right kidney")
        labels = LabelSet(tuple(Label(value, name, (1, 1, 1)) for value, name in enumerate(names, 1)))
        base = replace(base_model(), preparation=Preparation((1.5, 1.5, 1.5), **changes))
        assert plan_of(base_model(), labels=labels).mirror_pairs == ((1, 2),)
        plan = plan_of(base, labels=labels)
        assert (plan.mirror_pairs, plan.mirror_axes) == ((), ())
        assert not plan.augmentation.deformation.mirror

    @pytest.mark.parametrize(("kind", "noise"), [("zscore", 0.32), ("none", 0.0), ("unit", 0.08)])
    def test_images_of_another_program_are_disturbed_in_their_own_unit(self, kind: str, noise: float) -> None:
        preparation = Preparation((1.5, 1.5, 1.5), normalization=(Normalization(kind),))
        made = plan_of(replace(base_model(), preparation=preparation)).augmentation
        assert made.noise == pytest.approx(noise)
        assert (made.gamma > 0) == (kind == "unit")

    def test_more_channels_share_its_window(self) -> None:
        plan = plan_of(base_model(), channels=("a", "b"))
        assert plan.preparation.windows == ((-100.0, 200.0),) * 2
        assert plan.arguments["in_channels"] == 2


class TestSmaller:
    def test_first_the_batch_then_the_longest_edge(self) -> None:
        plan = little_plan(
            batch=4, patch=(32, 48, 64), arguments={**LITTLE_NETWORK, "channels": [4, 8, 8], "strides": [2, 2]}
        )
        batches, patches = [], []
        less: Plan | None = plan
        while (less := smaller(less)) is not None:
            batches.append(less.batch)
            patches.append(less.patch)
            assert all(size % multiple == 0 for size, multiple in zip(less.patch, (4, 4, 4), strict=True))
        assert batches[:2] == [2, 1]
        assert patches[1:4] == [(32, 48, 64), (32, 48, 48), (32, 36, 48)]
        assert set(batches[1:]) == {1}
        assert max(patches[-1]) <= 20
        volumes = [math.prod(patch) for patch in patches[1:]]
        assert volumes == sorted(volumes, reverse=True)

    @given(st.integers(1, 8), st.integers(1, 5))
    def test_a_batch_stays_shareable(self, patches: int, devices: int) -> None:
        plan: Plan | None = little_plan(batch=patches * devices, devices=devices)
        while plan is not None:
            assert plan.batch % plan.devices == 0
            plan = smaller(plan)

    @settings(max_examples=8)
    @given(SHAPES, SPACINGS, st.sampled_from(["", "UNet", "SegResNet"]))
    def test_its_network_takes_them_all(self, shape, spacing, base) -> None:
        plan: Plan | None = plan_of(base_model(base) if base else None, shape=shape, spacing=spacing)
        while plan is not None:
            assert runs(plan)
            plan = smaller(plan)


class TestStepMultiple:
    @pytest.mark.parametrize("strides", [[2, 2], [[1, 2, 2], 2], [1]])
    def test_is_the_largest_of_the_axes(self, strides: list) -> None:
        assert step_multiple("UNet", {"strides": strides}) == max(edge_multiples("UNet", {"strides": strides}))
