from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network
from recipes.brain_mr import anatomy, measure
from recipes.brain_mr.__main__ import HELD_OUT
from recipes.brain_mr.labels import labels
from recipes.brain_mr.train import STAGES, example, loss_of
from recipes.overlap import dice


@pytest.fixture(scope="module")
def head(shared_data: Path) -> anatomy.Head:
    return anatomy.read_head(shared_data / "brain_labelmaps" / HELD_OUT[0])


def middle(rows: np.ndarray, name: str) -> np.ndarray:
    return np.argwhere(rows == 1 + list(anatomy.STRUCTURES).index(name)).mean(0)


class TestReadHead:
    def test_axes_run_to_superior_posterior_left(self, head: anatomy.Head) -> None:
        rows = head.anatomy.labels.numpy()
        cortex, cerebellum = middle(rows, "cerebral cortex"), middle(rows, "cerebellar cortex")
        assert cerebellum[0] < cortex[0] - 20  # lower
        assert cerebellum[1] > cortex[1] + 20  # further back

    def test_left_is_at_the_high_end(self, shared_data: Path) -> None:
        from napari_resmed.io import read

        path = shared_data / "brain_labelmaps" / HELD_OUT[0]
        volume = read(path)
        left = volume.affine @ [*np.argwhere(volume.data == 17).mean(0), 1]  # left hippocampus
        right = volume.affine @ [*np.argwhere(volume.data == 53).mean(0), 1]
        assert left[0] > right[0] + 30

    def test_every_structure_is_there(self, head: anatomy.Head) -> None:
        present = set(np.unique(head.anatomy.labels.numpy()).tolist())
        assert set(range(1, 1 + len(anatomy.STRUCTURES))) <= present


class TestDrawT1:
    def test_white_is_brighter_than_grey_than_fluid(self) -> None:
        names = list(anatomy.STRUCTURES)
        for seed in range(50):
            mean = anatomy.draw_t1(torch.Generator().manual_seed(seed)).mean
            white, grey, fluid = (
                mean[1 + names.index(n)] for n in ("cerebral white matter", "cerebral cortex", "lateral ventricle")
            )
            assert white > grey > fluid >= 0


class TestExample:
    def test_image_and_truth_fit(self, head: anatomy.Head) -> None:
        stage = STAGES[0]
        image, target = example(head, stage, torch.Generator().manual_seed(5))
        assert image.shape == (1, 1, *(stage.patch,) * 3)
        assert target.shape == (1, *(stage.patch,) * 3)
        assert 0 <= image.min() <= image.max() <= 1
        assert target.max() <= len(anatomy.STRUCTURES)

    def test_maps_15_and_16_are_kept_out(self) -> None:
        assert HELD_OUT == ("training_seg_15.nii.gz", "training_seg_16.nii.gz")


class TestLoss:
    def test_the_right_answer_costs_nothing(self) -> None:
        target = torch.randint(0, 3, (1, 6, 6, 6), generator=torch.Generator().manual_seed(0))
        logits = torch.nn.functional.one_hot(target, 3).movedim(-1, 1) * 40.0
        loss, dice = loss_of(logits, target)
        assert loss == pytest.approx(0, abs=1e-4)
        assert torch.isnan(dice[0])
        assert torch.allclose(dice[1:], torch.ones(2), atol=1e-4)

    def test_a_structure_that_is_not_there_does_not_count(self) -> None:
        target = torch.zeros((1, 6, 6, 6), dtype=torch.long)
        target[0, :3] = 1
        _, dice = loss_of(torch.zeros((1, 4, 6, 6, 6)), target)
        assert torch.isnan(dice).tolist() == [True, False, True, True]


class TestLabels:
    def test_every_structure_has_a_name_a_colour_and_nearly_all_a_code(self) -> None:
        assert [label.name for label in labels()] == list(anatomy.STRUCTURES)
        assert len({label.colour for label in labels()}) == len(labels())
        assert [label.name for label in labels() if label.code is None] == ["ventral diencephalon"]

    def test_codes_are_those_of_the_standard(self) -> None:
        from pydicom.sr._concepts_dict import concepts

        # DICOM's context group 7140, Brain Structure for Volumetric Measurement, as pydicom carries it.
        known = {
            (value, meaning)
            for keyword in concepts["SCT"].values()
            for value, (meaning, groups) in keyword.items()
            if 7140 in groups
        }
        for label in labels():
            if label.code:
                assert (label.code.value, label.code.meaning) in known


class TestBuiltInModel:
    def test_is_whole_small_and_says_what_was_measured(self) -> None:
        model = find_model("brain-mr")
        assert model.folder is not None
        size = sum(file.stat().st_size for file in model.folder.rglob("*") if file.is_file())
        assert size < 12e6
        assert max(model.preparation.spacing_mm) <= 1.5
        assert len(model.labels) >= 14
        assert model.measured["held_out_maps"]["mean_dice"] >= 0.75
        assert min(model.measured["mni152"]["gm"], model.measured["mni152"]["wm"]) >= 0.80
        warm_network(model, choose_machine("cpu", "fp32"))

    def test_card_figure_holds_on_a_fresh_head(self, head: anatomy.Head) -> None:
        model = find_model("brain-mr")
        image, truth = measure.synthesised(head, 10_001, skull=False)
        found = measure.run_job(image, model.folder or "")
        scores = [dice(found == v, truth == v) for v in model.labels.values]
        card = model.measured["held_out_maps"]["images_dice"][f"{HELD_OUT[0]} 1"]
        # The same weights on the same image; processors round bf16 and threads add in their own order.
        assert np.nanmean(scores) == pytest.approx(card, abs=0.01)
