from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import FORMAT, Model
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import describe

TWO_CHANNELS = describe(channels=("T1", "T2"), arguments={**describe().arguments, "in_channels": 2})


def metadata(model: Model | None = None) -> dict[str, Any]:
    model = model or describe()
    return {"version": model.version, "description": model.description, "resmed": model.to_json()}


def volume(shape: tuple[int, ...], axes: str = "") -> Volume:
    return Volume(np.zeros(shape, np.float32), make_affine(), axes)


class TestRoundTrip:
    def test_through_json(self) -> None:
        model = replace(describe(spacing_mm=(3, 2, 1), mirror_axes=(2,)), mirror_pairs=((1, 300),))
        assert Model.from_json(json.loads(json.dumps(metadata(model)))) == model

    def test_with_what_is_cleaned_up(self) -> None:
        model = replace(describe(), cleanup={300: Cleanup(True, 12.5), 1: Cleanup(fill_holes=True)})
        assert Model.from_json(json.loads(json.dumps(metadata(model)))) == model
        assert "cleanup" not in describe().to_json()

    def test_with_what_finds_its_part(self) -> None:
        model = replace(describe(), found_by=FoundBy("brain-mr", ("left hippocampus", "right hippocampus"), 6))
        assert Model.from_json(json.loads(json.dumps(metadata(model)))) == model
        assert "found_by" not in describe().to_json()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ("brain-mr", "the model says 'brain-mr' of what finds its part, expected margin_mm, model, structures"),
            ({"model": "brain-mr", "structures": ["thalamus"]}, "expected margin_mm, model, structures"),
            ({"model": "brain-mr", "structures": "thalamus", "margin_mm": 6}, "of what finds its part"),
            (
                {"model": "brain-mr", "structures": [], "margin_mm": 6},
                "expected a name of a model, and structures of it",
            ),
            (
                {"model": "", "structures": ["thalamus"], "margin_mm": 6},
                "expected a name of a model, and structures of it",
            ),
            (
                {"model": "models/brain-mr", "structures": ["thalamus"], "margin_mm": 6},
                "finds its part by 'models/brain-mr' within thalamus, expected a name of a model",
            ),
            ({"model": "brain-mr", "structures": ["thalamus"] * 2, "margin_mm": 6}, "expected a name of a model"),
            ({"model": "brain-mr", "structures": ["thalamus"], "margin_mm": -6}, "a margin of -6.0 mm, expected 0"),
            ({"model": "brain-mr", "structures": ["thalamus"], "margin_mm": float("nan")}, "a margin of nan mm"),
            ({"model": "brain-mr", "structures": ["thalamus"], "margin_mm": "wide"}, "its part is found is wrong at"),
        ],
    )
    def test_with_what_finds_no_part(self, wrong: object, said: str) -> None:
        damaged = metadata()
        damaged["resmed"]["found_by"] = wrong
        with pytest.raises(ModelError, match=said):
            Model.from_json(damaged)

    def test_cleaning_up_what_is_no_label_is_refused(self) -> None:
        with pytest.raises(ModelError, match="wants the label 7 cleaned up, which it does not have"):
            replace(describe(), cleanup={7: Cleanup(True)})

    def test_pairs_are_counted_as_the_network_counts_its_classes(self) -> None:
        paired = replace(describe(), mirror_pairs=((1, 300),))
        assert paired.mirrored_classes == ((1, 3),)
        two_backgrounds = {**paired.arguments, "out_channels": 5}
        assert replace(paired, arguments=two_backgrounds, background_classes=2).mirrored_classes == ((2, 4),)

    def test_class_values_begin_with_background(self) -> None:
        assert describe().values == (0, 1, 2, 300)


class TestDamagedMetadata:
    def test_another_programs(self) -> None:
        with pytest.raises(ModelError, match="not a model of this program; import it first"):
            Model.from_json({"version": "1.0"})

    @pytest.mark.parametrize("found", [FORMAT + 1, None, "1"])
    def test_a_later_format(self, found: object) -> None:
        values = metadata()
        values["resmed"]["format"] = found
        with pytest.raises(ModelError, match=f"has format {found}, expected {FORMAT}; update this program"):
            Model.from_json(values)

    @pytest.mark.parametrize(
        "key", ["name", "task", "network", "preparation", "patch", "labels", "channels", "mirror_axes"]
    )
    def test_what_is_missing(self, key: str) -> None:
        values = metadata()
        del values["resmed"][key]
        with pytest.raises(ModelError, match=key):
            Model.from_json(values)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("patch", [16, 16]),
            ("patch", [16, 16, 0]),
            ("patch", "big"),
            ("labels", []),
            ("labels", [{"value": 1}]),
            ("labels", [{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]),
            ("labels", 3),
            ("channels", []),
            ("network", "UNet"),
            ("network", {"name": "UNet"}),
            ("network", {"name": "UNet", "arguments": 5}),
            ("preparation", None),
            ("mirror_axes", 3),
            ("mirror_pairs", [[1]]),
            ("mirror_pairs", [[1, 7]]),
            ("mirror_pairs", [[1, 2], [2, 300]]),
            ("measured", 7),
        ],
    )
    def test_what_makes_no_sense(self, key: str, value: object) -> None:
        values = copy.deepcopy(metadata())
        values["resmed"][key] = value
        with pytest.raises(InputError, match=r"metadata|model|label"):
            Model.from_json(values)


class TestContradictions:
    @pytest.mark.parametrize(("key", "described"), [("in_channels", 1), ("out_channels", 4)])
    def test_a_network_of_another_size(self, key: str, described: int) -> None:
        with pytest.raises(
            ModelError, match=f"contradicts itself: its network has {key} 7, its description {described}"
        ):
            describe(arguments={**describe().arguments, key: 7})

    def test_in_a_file(self) -> None:
        values = metadata()
        values["resmed"]["channels"] = ["T1", "T2"]
        with pytest.raises(ModelError, match="network has in_channels 1, its description 2"):
            Model.from_json(values)


class TestQuickLook:
    def test_is_the_same_model_at_the_coarser_spacing(self) -> None:
        model = replace(describe(), quick_spacing_mm=2.5)
        look = model.quick_look()
        assert look.preparation.spacing_mm == (2.5, 2.5, 2.5)
        assert replace(look, preparation=model.preparation, quick_spacing_mm=2.5) == model
        assert Model.from_json({"version": "1", "resmed": model.to_json()}).quick_spacing_mm == 2.5

    def test_where_there_is_none(self) -> None:
        with pytest.raises(ModelError, match="the model bands knows no quick look"):
            describe().quick_look()

    def test_a_finer_one(self) -> None:
        with pytest.raises(ModelError, match="looks quickly at 0.5 mm, expected a coarser spacing than its own, 1 mm"):
            replace(describe(), quick_spacing_mm=0.5)


class TestCheckFits:
    def test_a_volume_with_its_channels(self) -> None:
        describe().check_fits(volume((5, 6, 7)))
        TWO_CHANNELS.check_fits(volume((2, 5, 6, 7), "czyx"))

    @pytest.mark.parametrize("shape", [(1, 64, 64), (64, 64, 1)])
    def test_a_flat_image(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ModelError, match=r"the image is 2D \(.*\), the model bands needs a 3D volume"):
            describe().check_fits(volume(shape))

    def test_another_number_of_channels(self) -> None:
        with pytest.raises(ModelError, match=r"has 3 channels, the model bands takes 1 \(MR\)"):
            describe().check_fits(volume((3, 5, 6, 7), "czyx"))
        with pytest.raises(ModelError, match=r"has 1 channels, the model bands takes 2 \(T1, T2\)"):
            TWO_CHANNELS.check_fits(volume((5, 6, 7)))

    def test_time(self) -> None:
        with pytest.raises(ModelError, match="has 4 time points, the model bands takes one: save the one you want"):
            describe().check_fits(volume((4, 5, 6, 7), "tzyx"))
