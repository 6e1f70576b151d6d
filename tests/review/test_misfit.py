from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import ModelError
from napari_resmed.models.model import Model
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.review.appearance import appearance_of
from napari_resmed.review.familiar import LEAST_FACTOR, Familiar, UsualVolume, log_odds, usual_certainty
from napari_resmed.review.misfit import LIMIT, familiar_to, first_for, judge_answer, judge_image
from napari_resmed.review.quality import Look, Usual
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import describe

VOLUMES = {1: UsualVolume(10.0, 1.3), 2: UsualVolume(20.0, 1.3), 300: UsualVolume(5.0, 1.3)}
HEADS = Familiar(
    images=12,
    extent_mm=((150.0, 200.0), (160.0, 220.0), (140.0, 180.0)),
    voxel_mm=3.0,
    lowest=((0.0, 12.0),),
    volumes=VOLUMES,
    certainty=(3.0, 0.5),
)


def model(known: Familiar | None = HEADS, **changes: Any) -> Model:
    training = {} if known is None else {"familiar": known.to_json()}
    return replace(describe("heads", **changes), training=training)


def image(
    shape: tuple[int, int, int] = (17, 18, 16),
    mm: tuple[float, float, float] = (10, 10, 10),
    least: float = 0,
    **more: Any,
) -> Volume:
    data = np.full(shape, least, np.float32)
    data[3:-3, 3:-3, 3:-3] = least + 100
    return Volume(data, make_affine(spacing_mm=mm), **more)


def said(volume: Volume, of: Model) -> list[str]:
    return list(judge_image(volume, volume.data[None] / 100, of))


# Voxels of 10 mm would be too long; these tests are about other things.
COARSE = replace(HEADS, voxel_mm=10.0)


class TestTheFirstFor:
    HEADS_MR, NECK_CT = model(HEADS), replace(model(None, channels=("CT",)), name="neck")

    def test_the_modality_that_the_file_says(self) -> None:
        assert first_for(image(modality="CT"), [self.HEADS_MR, self.NECK_CT]) is self.NECK_CT
        assert first_for(image(modality="MR"), [self.NECK_CT, self.HEADS_MR]) is self.HEADS_MR

    def test_what_the_values_say_where_it_does_not(self) -> None:
        windowed = replace(self.NECK_CT, preparation=Preparation((1, 1, 1), windows=((-100.0, 300.0),)))
        assert first_for(image(least=-1000), [self.HEADS_MR, windowed]) is windowed
        assert first_for(image(), [windowed, self.HEADS_MR]) is self.HEADS_MR

    def test_an_image_of_yes_and_no(self) -> None:
        mask = image().with_data(image().data > 50)
        assert first_for(mask, [self.HEADS_MR]) is self.HEADS_MR
        assert said(mask.with_data(mask.data), model(replace(COARSE, volumes={}))) == []

    def test_the_first_of_several_and_where_none_is(self) -> None:
        assert first_for(image(modality="MR"), [self.HEADS_MR, replace(self.HEADS_MR, name="other")]) is self.HEADS_MR
        assert first_for(image(modality="PT"), [self.HEADS_MR, self.NECK_CT]) is self.HEADS_MR
        assert first_for(image(), []) is None


class TestImage:
    def test_one_that_fits_is_not_spoken_of(self) -> None:
        assert said(image(modality="MR"), model(COARSE)) == []
        assert said(image(), model(COARSE)) == []

    def test_of_another_modality(self) -> None:
        (note,) = said(image(modality="CT"), model(COARSE))
        assert note == "the image is CT, heads was trained on MR: expect a poor result"

    def test_hounsfield_units_where_the_file_does_not_say(self) -> None:
        (note,) = said(image(least=-1000), model(COARSE))
        assert note.startswith("the values of the image go down to -1000, as Hounsfield units of CT do; heads was")
        assert said(image(least=-1000, modality="MR"), model(COARSE)) == []

    def test_none_of_them_where_they_are_expected(self) -> None:
        ct = replace(COARSE, lowest=((-1024.0, -990.0),))
        (note,) = said(image(), model(ct, channels=("image",)))
        assert note.startswith("the values of the image begin at 0; heads was trained on CT in Hounsfield units")
        assert said(image(least=-1000), model(ct, channels=("image",))) == []

    def test_a_model_that_says_nothing_has_its_name_and_window(self) -> None:
        assert len(said(image(least=-1000, shape=(40, 40, 40)), model(None))) == 1
        assert said(image(least=-1000, shape=(40, 40, 40)), model(None, channels=("image",))) == []
        ct = replace(model(None, channels=("CT",)), preparation=Preparation((1, 1, 1), windows=((-100.0, 300.0),)))
        assert len(said(image(shape=(40, 40, 40)), ct)) == 1
        assert said(image(least=-1000, shape=(40, 40, 40)), ct) == []

    def test_a_part_of_what_it_expects(self) -> None:
        (note,) = said(image((8, 18, 16)), model(COARSE))
        assert note == (
            "the image covers only 80 mm from head to foot, heads was trained on 150 to 200 mm: expect a poor result"
        )

    def test_is_named_by_direction_and_not_by_axis(self) -> None:
        turned = Volume(image((18, 8, 16)).data, make_affine((1, 2, 0), spacing_mm=(10, 10, 10)))
        (note,) = said(turned, model(COARSE))
        assert "80 mm from head to foot" in note

    def test_more_than_it_ever_saw_whole(self) -> None:
        crops = replace(COARSE, extent_mm=((10.0, 16.0),) * 3)
        (first, *_) = said(image(), model(crops))
        assert "covers 170 mm from head to foot, heads was trained on 10 to 16 mm: cut out its part" in first
        # Windows of 16 mm saw no more of these than of any larger image.
        assert said(image(), model(replace(COARSE, extent_mm=((50.0, 60.0),) * 3))) == []

    def test_voxels_far_coarser(self) -> None:
        (note,) = said(image(), model())
        assert (
            note == "the image's voxels are 10 mm long, those heads was trained on at most 3 mm: expect a poor result"
        )

    def test_that_looks_unlike_the_others(self) -> None:
        rng = np.random.default_rng(0)
        ball = np.linalg.norm(np.mgrid[:12, :12, :12] - 5.5, axis=0) < 5
        images = [(0.7 * ball + rng.normal(0.1, 0.05, ball.shape)).clip(0, 1)[None] for _ in range(24)]
        looks = Usual.of([Look({}, (appearance_of(one[0]),)) for one in images])
        of = model(Familiar(looks=looks), patch=(1, 1, 1))
        (note,) = judge_image(image(), images[0][:, ::-1] * 0 + rng.random(ball.shape), of)
        assert note == "the image is far from the training images of heads; expect a poor result"
        assert list(judge_image(image(), images[3], of)) == []


class TestAnswer:
    def test_a_usual_one(self) -> None:
        fit = judge_answer({1: 9.0, 2: 24.0, 300: 5.5}, 0.94, model())
        assert fit.reason == ""
        assert fit.score is not None
        assert 0 < fit.score < 1

    def test_structures_that_are_not_found(self) -> None:
        fit = judge_answer({1: 10.0}, 0.95, model())
        assert fit.score is not None
        assert fit.score > LIMIT
        assert "middle none instead of about 20 ml, bright none instead of about 5 ml of 3 structures" in fit.reason

    def test_is_not_thrown_by_one_that_is_twice_as_large(self) -> None:
        fit = judge_answer({1: 20.0, 2: 20.0, 300: 5.0}, 0.95, model())
        assert fit.score == pytest.approx(np.log(2) / np.log(1.3) / np.sqrt(3), abs=0.1)
        assert fit.reason == ""

    def test_a_network_that_is_unsure(self) -> None:
        fit = judge_answer({1: 10.0, 2: 20.0, 300: 5.0}, 0.6, model())
        assert fit.score == pytest.approx((3 - log_odds(0.6)) / 0.5, abs=0.01)
        assert fit.reason.endswith(
            "it is sure of what it found by 60%, usually by 95%: look at it before relying on it"
        )
        assert judge_answer({1: 10.0, 2: 20.0, 300: 5.0}, 0.999, model()).reason == ""

    def test_of_what_is_sought_alone(self) -> None:
        assert judge_answer({1: 10.0}, None, model()).score > LIMIT
        assert judge_answer({1: 10.0}, None, model(), ["dark"]).score == pytest.approx(0, abs=0.1)
        assert judge_answer({2: 20.0}, None, model(), ["dark"]).score > LIMIT
        assert judge_answer({1: 10.0}, 0.6, model(), ["dark"]).reason == ""

    def test_of_a_model_that_says_nothing_has_no_score(self) -> None:
        assert judge_answer({}, None, model(None)).score is None


class TestFamiliar:
    def test_is_read_as_it_was_written(self) -> None:
        assert Familiar.from_json(HEADS.to_json()) == HEADS
        assert familiar_to(model()) == HEADS
        assert familiar_to(model(None)) == Familiar()

    def test_what_cannot_be_read_is_refused(self) -> None:
        with pytest.raises(ModelError, match="familiar images cannot be read"):
            Familiar.from_json({"extent_mm": [[1]]})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"extent_mm": [[1.0, 2.0]]},
            {"looks": {"ranges": {}, "appearance": [{"mean": [0.5, 0.5], "covariance": [[1.0]]}]}},
            {"looks": {"ranges": {}, "appearance": [{"mean": [0.5, 0.5], "covariance": [[0.0, 0.0], [0.0, 0.0]]}]}},
        ],
    )
    def test_so_is_what_no_image_can_be_compared_with(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ModelError, match="familiar images cannot be read"):
            Familiar.from_json({**HEADS.to_json(), **wrong})

    def test_a_certainty_without_spread_is_taken_for_one_with_some(self) -> None:
        sure = replace(model(), training={"familiar": {**HEADS.to_json(), "certainty": [3.0, 0.0]}})
        assert judge_answer({1: 10.0, 2: 20.0, 300: 5.0}, 0.6, sure).score == pytest.approx(5.19, abs=0.01)

    def test_few_volumes_alike_are_not_taken_for_the_law(self) -> None:
        assert UsualVolume.of([1.0, 1.0, 1.0]).factor == LEAST_FACTOR
        assert UsualVolume.of([1.0, 2.0, 3.0]).factor > np.exp(1)

    def test_two_answers_tell_no_certainty(self) -> None:
        assert usual_certainty([0.9, 0.9]) is None
        assert usual_certainty([0.9, 0.9, 0.9]) == (pytest.approx(2.197, abs=1e-3), 0.5)
