from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.loss import dice_and_cross_entropy, merge_unknown, segmentation_loss, supervised
from napari_resmed.train.patches import Batch

SIZE = (3, 4, 5)


def scores_of(batch: int, classes: int, seed: int = 0, size: tuple[int, int, int] = SIZE) -> Tensor:
    return 2 * torch.randn((batch, classes, *size), generator=torch.Generator().manual_seed(seed))


def target_of(batch: int, classes: int, seed: int = 0, unknown: bool = True) -> Tensor:
    low = UNKNOWN if unknown else 0
    return torch.randint(low, classes, (batch, *SIZE), generator=torch.Generator().manual_seed(seed), dtype=torch.int16)


def everything(batch: int, classes: int) -> Tensor:
    return torch.ones((batch, classes), dtype=torch.bool)


def plainly(scores: Tensor, target: Tensor, annotated: Tensor, balance: float = 0.0) -> float:
    """The same loss, said voxel by voxel in double precision, from probabilities rather than scores."""
    losses = []
    for score, truth, looked in zip(scores.double().numpy(), target.numpy(), annotated.numpy(), strict=True):
        classes = len(score)
        share = np.exp(score) / np.exp(score).sum(0)
        # What nobody looked for may be wherever background is said to be: its probability is background's.
        unseen = [k for k in range(1, classes) if not looked[k]]
        share[0] += share[unseen].sum(0)
        share[unseen] = 0
        known = [place for place in np.ndindex(truth.shape) if truth[place] != UNKNOWN]
        counts = [1 / sum(truth[other] == truth[place] for other in known) ** balance for place in known]
        surprise = [-np.log(share[(truth[place], *place)]) for place in known]
        entropy = np.average(surprise, weights=counts) if known else 0.0
        dices = []
        for k in range(1, classes):
            if looked[k]:
                hit = sum(share[(k, *place)] for place in known if truth[place] == k)
                told = sum(share[(k, *place)] for place in known)
                size = sum(truth[place] == k for place in known)
                if size:
                    dices.append((2 * hit + 1) / (told + size + 1))
        losses.append(entropy + 1 - (np.mean(dices) if dices else 1.0))
    return float(np.mean(losses))


class TestAgainstAPlainOne:
    @given(st.integers(1, 3), st.integers(2, 5), st.integers(0, 2**31 - 1), st.floats(0, 1), st.data())
    def test_the_same_figure(self, batch: int, classes: int, seed: int, balance: float, data: st.DataObject) -> None:
        flags = st.lists(st.booleans(), min_size=classes - 1, max_size=classes - 1)
        annotated = torch.tensor([[True, *data.draw(flags)] for _ in range(batch)])
        target = target_of(batch, classes, seed)
        for row, looked in zip(target, annotated, strict=True):
            for k in range(1, classes):
                if not looked[k]:
                    row[row == k] = UNKNOWN  # as the store makes it
        scores = scores_of(batch, classes, seed)
        found = dice_and_cross_entropy(scores, target, annotated, balance)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(plainly(scores, target, annotated, balance), rel=1e-4, abs=1e-5)

    def test_a_perfect_answer_costs_nothing(self) -> None:
        target = target_of(2, 3)
        sure = torch.nn.functional.one_hot(target.clamp_min(0).long(), 3).movedim(-1, 1) * 100.0
        assert float(dice_and_cross_entropy(sure, target, everything(2, 3))) == pytest.approx(0, abs=1e-5)

    def test_half_precision_scores(self) -> None:
        scores, target = scores_of(2, 3), target_of(2, 3)
        exact = dice_and_cross_entropy(scores, target, everything(2, 3))
        half = dice_and_cross_entropy(scores.bfloat16(), target, everything(2, 3))
        assert half.dtype == torch.float32
        assert float(half) == pytest.approx(float(exact), rel=0.02)


class TestStructuresThatAreNotThere:
    def test_cross_entropy_alone_says_so(self) -> None:
        target = torch.zeros((1, *SIZE), dtype=torch.int16)
        scores = scores_of(1, 3)
        expected = torch.nn.functional.cross_entropy(scores, target.long())
        assert torch.allclose(dice_and_cross_entropy(scores, target, everything(1, 3)), expected)

    def test_another_that_is_there_counts_whole(self) -> None:
        target = torch.zeros((1, *SIZE), dtype=torch.int16)
        target[0, 0] = 1
        scores = scores_of(1, 4)
        alone = torch.tensor([[True, True, False, False]])
        share = merge_unknown(scores, alone).softmax(1)[0, 1]
        dice = (2 * share[0].sum() + 1) / (share.sum() + target.sum() + 1)
        entropy = torch.nn.functional.cross_entropy(merge_unknown(scores, alone), target.long())
        assert torch.allclose(dice_and_cross_entropy(scores, target, alone), entropy + 1 - dice)


class TestBalance:
    def test_a_rare_class_counts_more_at_the_beginning_and_alike_at_the_end(self) -> None:
        target = torch.zeros((1, 10, 10, 10), dtype=torch.int16)
        target[0, 0, 0, :5] = 1
        pulls = {}
        for progress in (0.0, 0.5, 1.0):
            scores = torch.zeros((1, 2, 10, 10, 10), requires_grad=True)
            patch = Batch(torch.zeros((1, 1, 10, 10, 10)), target, everything(1, 2))
            segmentation_loss()(scores, patch, progress).backward()
            pulls[progress] = float(scores.grad[0, 0, 0, 0, 0].abs() / scores.grad[0, 0, 5, 5, 5].abs())
        assert pulls[0.0] > pulls[0.5] > pulls[1.0]

    def test_is_of_each_patch_by_itself(self) -> None:
        scores, target = scores_of(2, 3), target_of(2, 3)
        whole = dice_and_cross_entropy(scores, target, everything(2, 3), 0.5)
        each = [dice_and_cross_entropy(scores[k : k + 1], target[k : k + 1], everything(1, 3), 0.5) for k in (0, 1)]
        assert float(whole) == pytest.approx(float(sum(each)) / 2, rel=1e-5)


class TestUnknownVoxels:
    def test_have_no_gradient(self) -> None:
        scores, target = scores_of(2, 4).requires_grad_(), target_of(2, 4)
        dice_and_cross_entropy(scores, target, everything(2, 4)).backward()
        size = scores.grad.abs().sum(1)
        assert (size[target == UNKNOWN] == 0).all()
        assert (size[target != UNKNOWN] > 0).all()

    def test_what_is_answered_there_makes_no_difference(self) -> None:
        scores, target = scores_of(1, 3), target_of(1, 3)
        other = torch.where((target == UNKNOWN)[:, None], scores_of(1, 3, seed=9), scores)
        assert not torch.equal(scores, other)
        told = [dice_and_cross_entropy(s, target, everything(1, 3)) for s in (scores, other)]
        assert torch.equal(*told)

    def test_a_patch_of_which_nothing_is_known(self) -> None:
        scores = scores_of(2, 3).requires_grad_()
        loss = dice_and_cross_entropy(scores, torch.full((2, *SIZE), UNKNOWN, dtype=torch.int16), everything(2, 3))
        loss.backward()
        assert float(loss) == 0
        assert (scores.grad == 0).all()


class TestMergeUnknown:
    @given(st.integers(2, 6), st.integers(0, 2**31 - 1), st.data())
    def test_softmax_is_the_marginal_distribution(self, classes: int, seed: int, data: st.DataObject) -> None:
        looked = data.draw(st.lists(st.booleans(), min_size=classes - 1, max_size=classes - 1))
        annotated = torch.tensor([[True, *looked]])
        scores = scores_of(1, classes, seed)
        before, after = scores.softmax(1)[0], merge_unknown(scores, annotated).softmax(1)[0]
        unseen = [k for k in range(1, classes) if not looked[k - 1]]
        assert torch.allclose(after[0], before[[0, *unseen]].sum(0), atol=1e-6)
        for k in range(1, classes):
            assert torch.allclose(after[k], before[k] if looked[k - 1] else torch.zeros(()), atol=1e-6)

    def test_where_all_were_looked_for_nothing_changes(self) -> None:
        scores = scores_of(2, 3)
        assert merge_unknown(scores, everything(2, 3)) is scores

    def test_backgrounds_own_entry_is_not_read(self) -> None:
        scores = scores_of(1, 3)
        told = [merge_unknown(scores, torch.tensor([[first, True, False]])) for first in (True, False)]
        assert torch.equal(*told)

    def test_each_case_of_a_batch_by_itself(self) -> None:
        scores = scores_of(2, 3)
        annotated = torch.tensor([[True, True, False], [True, True, True]])
        merged = merge_unknown(scores, annotated)
        assert torch.allclose(merged[1].softmax(0), scores[1].softmax(0), atol=1e-6)
        assert torch.allclose(merged[:1], merge_unknown(scores[:1], annotated[:1]))

    def test_large_scores_in_half_precision(self) -> None:
        scores = (scores_of(1, 3) * 500).half()
        merged = merge_unknown(scores.float(), torch.tensor([[True, False, True]]))
        assert torch.isfinite(merged).all()


class TestStructuresNobodyLookedFor:
    ANNOTATED = torch.tensor([[True, True, False]])

    def test_answering_one_where_background_is_said_is_not_punished(self) -> None:
        target = torch.zeros((1, *SIZE), dtype=torch.int16)
        told = []
        for sure_of in (0, 2):
            scores = torch.zeros((1, 3, *SIZE))
            scores[:, sure_of] = 20
            told.append(float(dice_and_cross_entropy(scores, target, self.ANNOTATED)))
            punished = float(dice_and_cross_entropy(scores, target, everything(1, 3)))
            assert punished < 0.1 if sure_of == 0 else punished > 10
        assert told == pytest.approx([0, 0], abs=1e-4)

    def test_their_share_of_background_is_left_to_the_network(self) -> None:
        # Only the sum of background and the unseen structure counts: moving between the two has no gradient.
        scores = scores_of(1, 3).requires_grad_()
        target = torch.zeros((1, *SIZE), dtype=torch.int16)
        dice_and_cross_entropy(scores, target, self.ANNOTATED).backward()
        share = scores.detach().softmax(1)
        both = share[:, [0, 2]] / share[:, [0, 2]].sum(1, keepdim=True)
        pull = scores.grad[:, [0, 2]]
        # The gradient on the pair is that of their log-sum-exp, shared out by their probabilities.
        assert torch.allclose(pull, both * pull.sum(1, keepdim=True), atol=1e-7)
        assert (pull.sum(1) < 0).all()  # together they are wanted

    def test_where_another_structure_is_they_are_ruled_out(self) -> None:
        scores = scores_of(1, 3).requires_grad_()
        target = torch.ones((1, *SIZE), dtype=torch.int16)
        dice_and_cross_entropy(scores, target, self.ANNOTATED).backward()
        assert (scores.grad[:, 1] < 0).all()
        assert (scores.grad[:, 2] > 0).all()

    def test_nothing_looked_for_teaches_nothing(self) -> None:
        scores = scores_of(1, 3).requires_grad_()
        target = torch.zeros((1, *SIZE), dtype=torch.int16)
        dice_and_cross_entropy(scores, target, torch.tensor([[True, False, False]])).backward()
        assert scores.grad.abs().max() < 1e-7


class TestBatch:
    @given(st.integers(1, 3), st.integers(0, 2**31 - 1))
    def test_split_in_two_is_the_mean_of_its_halves(self, half: int, seed: int) -> None:
        scores, target = scores_of(2 * half, 3, seed), target_of(2 * half, 3, seed)
        target[0] = UNKNOWN  # halves that know different amounts
        annotated = everything(2 * half, 3)
        annotated[-1, 1] = False
        target[-1][target[-1] == 1] = UNKNOWN
        whole = dice_and_cross_entropy(scores, target, annotated)
        parts = [
            dice_and_cross_entropy(scores[part], target[part], annotated[part])
            for part in (slice(0, half), slice(half, None))
        ]
        assert float(whole) == pytest.approx(float(sum(parts) / 2), rel=1e-5)


class TestDeepSupervision:
    def test_one_answer_is_the_loss_itself(self) -> None:
        scores, target, annotated = scores_of(1, 3), target_of(1, 3), everything(1, 3)
        expected = dice_and_cross_entropy(scores, target, annotated)
        assert torch.equal(supervised(scores, target, annotated), expected)
        assert torch.allclose(supervised([scores], target, annotated), expected)

    def test_coarser_answers_weigh_half_of_the_finer(self) -> None:
        target, annotated = target_of(2, 3), everything(2, 3)
        answers = [scores_of(2, 3, seed) for seed in range(3)]
        each = [float(dice_and_cross_entropy(answer, target, annotated)) for answer in answers]
        expected = (4 * each[0] + 2 * each[1] + each[2]) / 7
        assert float(supervised(answers, target, annotated)) == pytest.approx(expected, rel=1e-5)

    def test_a_coarser_answer_is_compared_on_its_own_grid(self) -> None:
        # Blocks of 2x2x2 of one class each: the coarse target is known exactly, unknown ones included.
        coarse = torch.randint(UNKNOWN, 3, (1, 3, 2, 4), generator=torch.Generator().manual_seed(0))
        fine = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3).to(torch.int16)
        large, small = scores_of(1, 3, size=(6, 4, 8)), scores_of(1, 3, size=(3, 2, 4))
        annotated = everything(1, 3)
        expected = 2 * dice_and_cross_entropy(large, fine, annotated) + dice_and_cross_entropy(small, coarse, annotated)
        assert float(supervised([large, small], fine, annotated)) == pytest.approx(float(expected) / 3, rel=1e-5)

    def test_what_monais_dynunet_gives(self) -> None:
        from napari_resmed.nets import build_network

        network = build_network(
            "DynUNet",
            {
                "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "kernel_size": [3, 3, 3, 3],
                "strides": [1, 2, 2, 2], "upsample_kernel_size": [2, 2, 2], "filters": [4, 4, 8, 8],
                "deep_supervision": True, "deep_supr_num": 2,
            },
        )  # fmt: skip
        answers = network.train()(torch.rand((1, 1, 16, 16, 16))).unbind(1)
        target = torch.randint(0, 3, (1, 16, 16, 16), dtype=torch.int16)
        loss = supervised(answers, target, everything(1, 3))
        loss.backward()
        assert len(answers) == 3
        assert torch.isfinite(loss)
