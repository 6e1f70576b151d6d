from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.errors import InputError
from napari_resmed.labels import Code, Label, LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.nets import build_network
from napari_resmed.nets.size import edge_multiples
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.plan import Plan
from tests.train.small import LITTLE_NETWORK, little_plan

# Everything said that can be said.
FULL = little_plan(
    labels=LabelSet(
        (Label(3, "liver", (1, 2, 3), Code("SCT", "10200004", "Liver")), Label(70_000, "tumour", (4, 5, 6)))
    ),
    channels=("CT", "PET"),
    arguments={**LITTLE_NETWORK, "in_channels": 2, "strides": [[1, 2, 2]]},
    preparation=Preparation((3.0, 0.8, 0.8), (1.0, 99.0), windows=((-160.0, 240.0), None)),
    patch=(7, 64, 96),
    left_out=(("case9", "it has no labels"), ("case8", "its image holds NaN")),
    augmentation=Augmentation(Deformation(elastic=((30.0, 2.0),), mirror=False), undeformed=0.2, noise=0.0),
    mirror_axes=(),
    mirror_pairs=((3, 70_000),),
    cleanup={3: Cleanup(largest_component=True, fill_holes=True), 70_000: Cleanup(minimum_mm3=5.5)},
    minutes=2.5,
    steps=None,
    base="brain-mr",
    reasons={"patch": "the whole image"},
)


class TestRoundTrip:
    @pytest.mark.parametrize("plan", [FULL, little_plan()], ids=["full", "little"])
    def test_through_a_file(self, plan: Plan, tmp_path: Path) -> None:
        plan.save(tmp_path / "plan.json")
        assert Plan.load(tmp_path / "plan.json") == plan

    def test_a_model_knows_mirrored_images_where_its_patches_were_mirrored(self) -> None:
        assert (FULL.model().mirror_axes, FULL.model().mirror_pairs) == ((), ())
        mirrored = replace(FULL, augmentation=Augmentation())
        assert (mirrored.model().mirror_axes, mirrored.model().mirror_pairs) == ((2,), ((3, 70_000),))

    def test_a_model_cleans_up_as_its_plan_says(self) -> None:
        assert FULL.model().cleanup == FULL.cleanup
        assert little_plan().model().cleanup == {}

    def test_is_readable(self, tmp_path: Path) -> None:
        FULL.save(tmp_path / "plan.json")
        text = (tmp_path / "plan.json").read_text()
        assert text.count("\n") > 50
        assert list(json.loads(text))[:3] == ["name", "labels", "channels"]

    def test_what_is_left_out_takes_its_default(self) -> None:
        needed = ("name", "labels", "channels", "network", "arguments", "preparation", "patch", "batch", "training")
        values = {
            name: value for name, value in little_plan().to_json().items() if name in (*needed, "steps", "mirror_axes")
        }
        plan = Plan.from_json(values)
        assert (plan.learning_rate, plan.memory_mb, plan.held_out) == (3e-3, 2048, ())

    def test_without_names_no_case_is_named(self) -> None:
        plan = replace(FULL, training=("Müller^Anna", "b"), held_out=("Meier",))
        told = json.dumps(plan.without_names(), ensure_ascii=False)
        assert not any(name in told for name in ("Müller", "Meier", "case9"))
        values = plan.without_names()
        assert [values[name] for name in ("training", "held_out", "left_out")] == [2, 1, 2]


class TestEdits:
    @pytest.mark.parametrize(
        "change",
        [
            {"learning_rate": 1e-2},
            {"optimiser": "muon"},
            {"cleanup": {"1": Cleanup(largest_component=True).to_json()}},
            {"minutes": 5, "steps": None},
            {"patch": [16, 32, 8]},
            {"training": ["case0"], "held_out": []},
            {"augmentation": Augmentation(noise=0).to_json()},
            {"seed": 7, "weight_decay": 0, "structure_share": 1},
        ],
    )
    def test_take(self, change: dict[str, Any]) -> None:
        before = json.loads(json.dumps(little_plan().to_json()))
        edited = json.loads(json.dumps({**before, **change}))
        assert edited != before
        assert json.loads(json.dumps(Plan.from_json(edited).to_json())) == edited

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"learning_rat": 1}, "has an entry 'learning_rat', expected "),
            ({"minutes": 5}, "either minutes or steps, not both"),
            ({"steps": None}, "either minutes or steps, not both and not none"),
            ({"minutes": 0, "steps": None}, "minutes is 0, expected more than 0"),
            ({"minutes": float("inf"), "steps": None}, "minutes is inf, expected more than 0"),
            ({"minutes": "5", "steps": None}, "minutes is '5', expected a number"),
            ({"steps": "many"}, "steps is 'many', expected a whole number"),
            ({"steps": 2.5}, "steps is 2.5, expected a whole number"),
            ({"steps": True}, "steps is True, expected a whole number"),
            ({"batch": 0}, "batch is 0, expected more than 0"),
            ({"batch": 1.5}, "batch is 1.5, expected a whole number"),
            ({"batch": 3, "devices": 2}, "a batch of 3 patches cannot be shared by 2 devices; take a multiple"),
            ({"devices": 0}, "devices is 0, expected more than 0"),
            ({"seed": -1}, "seed is -1, expected 0 or more"),
            ({"seed": None}, "seed is None, expected a whole number"),
            ({"learning_rate": float("nan")}, "learning_rate is nan, expected more than 0"),
            ({"learning_rate": -1}, "learning_rate is -1, expected more than 0"),
            ({"weight_decay": -0.1}, "weight_decay is -0.1, expected 0 or more"),
            ({"optimiser": "lion"}, "optimiser is 'lion', expected adamw, adam, sgd, muon"),
            ({"patience": "long"}, "patience is 'long', expected a number"),
            ({"memory_mb": 0}, "memory_mb is 0, expected more than 0"),
            ({"check_every": 0}, "check_every is 0, expected more than 0"),
            ({"structure_share": 1.5}, "structure_share is 1.5, expected 0 to 1"),
            ({"synthetic": 2.0}, "synthetic is 2.0, expected 0 to 1"),
            ({"structure_share": -0.5}, "structure_share is -0.5, expected 0 or more"),
            ({"patch": [16, 16]}, "not enough values"),
            ({"patch": [16, 16, "x"]}, "invalid literal"),
            ({"patch": [0, 16, 16]}, "expected multiples of 2, 2, 2"),
            ({"patch": [16, 15, 16]}, "patch is [16, 15, 16], expected multiples of 2, 2, 2"),
            ({"training": []}, "learns from no case"),
            ({"held_out": ["case1"]}, "both learns from and holds out case1"),
            ({"mirror_axes": [2, 3]}, "mirror_axes are [2, 3], expected 0 (z), 1 (y) or 2 (x)"),
            ({"mirror_pairs": [[1, 7]]}, "expected pairs of the labels' values, each value once"),
            ({"mirror_pairs": [[1, 1]]}, "expected pairs of the labels' values, each value once"),
            ({"mirror_pairs": [[1]]}, "not enough values"),
            ({"cleanup": {"7": {"largest_component": True}}}, "wants the label 7 cleaned up, which it does not have"),
            ({"cleanup": {"1": {"largest": True}}}, "expected largest_component, minimum_mm3, fill_holes"),
            ({"cleanup": {"liver": {"fill_holes": True}}}, "invalid literal"),
            ({"mirror_axes": []}, "mirrors patches along x though its mirror_axes leave that out"),
            ({"labels": []}, "says nothing of patch, labels, channels or background"),
            ({"labels": [{"value": 1, "name": "a"}]}, "its network has out_channels 3, its description 2"),
            ({"labels": [{"value": 1}]}, "expected value, name and colour"),
            ({"channels": ["CT", "PET"]}, "its network has in_channels 1, its description 2"),
            ({"preparation": {}}, "preparation is incomplete"),
            ({"augmentation": {}}, "deformation"),
            ({"augmentation": {**Augmentation().to_json(), "sharpen": 1}}, "sharpen"),
            ({"augmentation": {**Augmentation().to_json(), "noise": "much"}}, "much"),
            ({"arguments": None}, "wrong at"),
        ],
        ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
    )
    def test_each_wrong_value_is_one_sentence(self, change: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError) as caught:
            Plan.from_json({**little_plan().to_json(), **change})
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["name", "labels", "network", "arguments", "preparation", "patch", "training"])
    def test_what_is_missing(self, name: str) -> None:
        values = little_plan().to_json()
        del values[name]
        with pytest.raises(InputError, match="incomplete or wrong at|learns from no case"):
            Plan.from_json(values)


class TestFile:
    @pytest.mark.parametrize(
        ("text", "said"),
        [("{", "cannot be read as a plan"), ("[1]", "holds no JSON object"), ("\udcff", "cannot be read")],
    )
    def test_that_is_no_plan(self, text: str, said: str, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError, match=said) as caught:
            Plan.load(tmp_path / "plan.json")
        assert "plan.json" in str(caught.value)

    def test_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="none.json cannot be read as a plan"):
            Plan.load(tmp_path / "none.json")


class TestWhatIsDerived:
    def test_model(self) -> None:
        model = FULL.model(description="x")
        assert isinstance(model, Model)
        assert (model.name, model.labels, model.channels, model.patch) == (
            "small",
            FULL.labels,
            ("CT", "PET"),
            (7, 64, 96),
        )
        assert model.preparation == FULL.preparation
        assert model.description == "x"

    def test_sampling(self) -> None:
        sampling = FULL.sampling
        assert (sampling.patch, sampling.spacing_mm, sampling.batch) == ((7, 64, 96), (3.0, 0.8, 0.8), 2)

    def test_schedule(self) -> None:
        assert (FULL.schedule(99.0).seconds, FULL.schedule(99.0).steps) == (99.0, None)
        assert (little_plan().schedule(99.0).seconds, little_plan().schedule(99.0).steps) == (None, 30)


UNET = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "num_res_units": 1}
DYNUNET = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}


class TestEdgeMultiples:
    @pytest.mark.parametrize(
        ("network", "arguments", "expected"),
        [
            ("UNet", {**UNET, "channels": [2, 2, 2], "strides": [2, 2]}, (4, 4, 4)),
            ("UNet", {**UNET, "channels": [2, 2, 2], "strides": [[1, 2, 2], 2]}, (2, 4, 4)),
            ("UNet", {**UNET, "channels": [2, 2], "strides": [1]}, (1, 1, 1)),
            (
                "DynUNet",
                {
                    **DYNUNET, "kernel_size": [3, 3, 3], "strides": [1, [1, 2, 2], 2],
                    "upsample_kernel_size": [[1, 2, 2], 2], "filters": [2, 2, 2],
                },
                (2, 4, 4),
            ),
            ("SegResNet", {**DYNUNET, "init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]}, (4, 4, 4)),
            ("SegResNet", {**DYNUNET, "init_filters": 8}, (8, 8, 8)),
        ],
    )  # fmt: skip
    def test_are_just_what_the_network_takes(self, network: str, arguments: dict, expected: tuple) -> None:
        assert edge_multiples(network, arguments) == expected
        built = build_network(network, arguments).eval()
        for factor in (2, 3):
            shape = tuple(factor * multiple for multiple in expected)
            with torch.inference_mode():
                assert built(torch.zeros((1, 1, *shape))).shape == (1, 2, *shape)

    @given(st.lists(st.sampled_from([1, 2, [1, 2, 2], [2, 1, 2]]), max_size=5))
    def test_are_products(self, strides: list) -> None:
        edges = edge_multiples("UNet", {"strides": strides})
        for axis in range(3):
            halved = sum((stride if isinstance(stride, int) else stride[axis]) == 2 for stride in strides)
            assert edges[axis] == 2**halved
