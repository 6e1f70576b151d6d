from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.inferers.utils import sliding_window_inference
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_resmed.errors import InputError, WorkError
from napari_resmed.nets import build_network
from napari_resmed.nets.split import split
from napari_resmed.predict.answers import Answers, TwoParts
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.sliding_window import slide, sliding_window
from napari_resmed.predict.uncertainty import Doubt
from napari_resmed.predict.windows import Windows, window_places

CPU = Machine(torch.device("cpu"), "fp32")
PATCH = (16, 24, 16)


def finish(steps: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return told, end.value


def picture(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    arguments = {"spatial_dims": 3, "in_channels": 2, "out_channels": 3, "channels": [4, 8], "strides": [2]}
    return build_network("UNet", arguments).eval()


class TestAgainstMonai:
    @pytest.mark.parametrize(
        "shape",
        [(16, 24, 16), (33, 30, 40), (17, 25, 17), (9, 60, 16), (5, 7, 3), (1, 24, 40)],
        ids=lambda shape: "x".join(map(str, shape)),
    )
    @pytest.mark.parametrize("overlap", [0.5, 0.25, 0.0])
    def test_same_scores(self, shape: tuple[int, int, int], overlap: float, network: nn.Module) -> None:
        image = picture((2, *shape))
        _, scores = finish(sliding_window(image, network, CPU, classes=3, patch=PATCH, overlap=overlap))
        with torch.inference_mode():
            theirs = sliding_window_inference(image[None], PATCH, 1, network, overlap, mode="gaussian")[0]
        assert scores.shape == (3, *shape)
        assert torch.allclose(scores, theirs, rtol=1e-4, atol=1e-5)

    def test_same_scores_in_bf16(self, network: nn.Module) -> None:
        image = picture((2, 20, 30, 20))
        half = Machine(torch.device("cpu"), "bf16")
        _, scores = finish(sliding_window(image, network, half, classes=3, patch=PATCH))
        _, whole = finish(sliding_window(image, network, CPU, classes=3, patch=PATCH))
        assert scores.dtype == torch.float32
        # bf16 has 8 bits: a few parts in a thousand a layer.
        assert torch.allclose(scores, whole, atol=0.05 * whole.abs().max().item())
        assert not torch.equal(scores, whole)


class TestMirrored:
    def test_is_the_mean_over_the_mirror_images(self, network: nn.Module) -> None:
        image = picture((2, *PATCH))
        _, scores = finish(sliding_window(image, network, CPU, classes=3, patch=PATCH, mirror_axes=(0, 2)))
        with torch.inference_mode():
            plain = network(image[None])[0]
            turned = [network(image.flip(1 + axis)[None])[0].flip(1 + axis) for axis in (0, 2)]
        assert torch.allclose(scores, (plain + turned[0] + turned[1]) / 3, atol=1e-5)

    def test_a_mirrored_image_gives_the_mirrored_answer(self, network: nn.Module) -> None:
        # 32 is whole steps of half a window, so that the windows' places are mirrored too.
        image = picture((2, 30, 40, 32))
        answers = [
            finish(sliding_window(each, network, CPU, classes=3, patch=PATCH, mirror_axes=(2,)))[1]
            for each in (image, image.flip(3))
        ]
        assert torch.allclose(answers[0], answers[1].flip(3), atol=1e-4)

    @pytest.mark.parametrize(("background", "pairs"), [(1, ((1, 2),)), (2, ((2, 3),))])
    def test_left_and_right_are_exchanged(self, background: int, pairs: tuple) -> None:
        torch.manual_seed(1)
        network = nn.Conv3d(2, background + 2, 3, padding=1).eval()  # any scores of left and right
        windows = Windows(PATCH, mirror_axes=(2,), mirrored_classes=pairs)
        image = picture((2, 30, 40, 32))
        answers = []
        for each in (image, image.flip(3)):
            how = {"background_classes": background, "doubt": Doubt("variance", overlapping=False)}
            steps = slide(each, [network], CPU, windows, classes=3, **how)
            rows = [(step.scores.clone(), step.doubt.clone()) for step in steps if isinstance(step, Rows)]
            answers.append([torch.cat(part, -3) for part in zip(*rows, strict=True)])
        (scores, doubt), (of_mirrored, its_doubt) = answers
        assert torch.allclose(scores, of_mirrored[[0, 2, 1]].flip(3), atol=1e-4)
        assert not torch.allclose(scores, of_mirrored.flip(3), atol=1e-2)
        assert torch.allclose(doubt, its_doubt.flip(-1), atol=1e-5)


@pytest.fixture(scope="module")
def whole() -> nn.Module:
    torch.manual_seed(0)
    levels = {"features": [4, 8], "kernel_sizes": [[3, 3, 3]] * 2, "strides": [[1, 1, 1], [2, 2, 2]]}
    blocks = {"blocks": [1, 1], "decoder_convs": [1]}
    return build_network("ResidualEncoderUNet", {"in_channels": 1, "out_channels": 9, **levels, **blocks}).eval()


class TestTwoParts:
    """A network whose last layer is applied to sums, or plane by plane."""

    IMAGE = (1, 20, 30, 21)
    SIZE = (16, 16, 16)

    def rows(self, network: Any, windows: Windows, **how: Any) -> Tensor:
        steps = slide(picture(self.IMAGE), [network], CPU, windows, classes=9, **how)
        scores = torch.cat([step.scores.clone() for step in steps if isinstance(step, Rows)], 1)
        assert scores.any()
        return scores

    def parts(self, whole: nn.Module) -> TwoParts:
        parts = split(whole)
        assert parts is not None
        return TwoParts(*parts)

    def test_sums_of_features_give_the_same_scores(self, whole: nn.Module) -> None:
        windows = Windows(self.SIZE)
        scores = self.rows(self.parts(whole), replace(windows, of_features=True))
        assert torch.allclose(scores, self.rows(whole, windows), rtol=1e-4, atol=1e-5)

    def test_made_plane_by_plane_nnunets_sums_stay(self, whole: nn.Module) -> None:
        windows = Windows(self.SIZE, sums=torch.float16, even=True)
        scores = self.rows(self.parts(whole), windows)
        expected = self.rows(whole, windows)
        assert scores.dtype == expected.dtype == torch.float16
        # A last digit of float32 may decide how half precision rounds; nothing else does.
        assert (scores == expected).float().mean() > 0.98
        assert torch.allclose(scores.float(), expected.float(), rtol=4e-3, atol=4e-3)

    def test_several_passes_take_it_whole(self, whole: nn.Module) -> None:
        windows = Windows(self.SIZE, mirror_axes=(2,))
        scores = self.rows(self.parts(whole), windows)
        assert torch.allclose(scores, self.rows(whole, windows), rtol=1e-4, atol=1e-5)

    def test_goes_on_with_smaller_windows(self, whole: nn.Module) -> None:
        parts, windows = self.parts(whole), Windows((16, 64, 16), multiples=(2, 2, 2), of_features=True)
        narrow = TwoParts(Narrow(parts.body, voxels=16 * 32 * 16), parts.head)
        steps = list(slide(picture((1, 20, 70, 16)), [narrow], CPU, windows, classes=9))
        assert any(isinstance(step, Windows) for step in steps)
        scores = torch.cat([step.scores for step in steps if isinstance(step, Rows)], 1)
        assert scores.shape == (9, 20, 70, 16)


class TestRows:
    def slide(self, image: Tensor, networks: list[nn.Module], classes: int = 3, **how: Any) -> list[Any]:
        steps = slide(image, networks, CPU, Windows(PATCH, **how), classes=classes)
        return [Rows(s.start, s.scores.clone()) if isinstance(s, Rows) else s for s in steps]

    @pytest.mark.parametrize("shape", [(60, 30, 20), (9, 24, 20), (17, 10, 16)], ids=str)
    @pytest.mark.parametrize("overlap", [0.0, 0.3, 0.75])
    def test_leave_in_order_each_once(self, shape: tuple[int, ...], overlap: float, network: nn.Module) -> None:
        image = picture((2, *shape))
        rows = [step for step in self.slide(image, [network], overlap=overlap) if isinstance(step, Rows)]
        heights = [step.scores.shape[1] for step in rows]
        assert [step.start for step in rows] == [sum(heights[:k]) for k in range(len(rows))]
        _, whole = finish(sliding_window(image, network, CPU, classes=3, patch=PATCH, overlap=overlap))
        assert torch.equal(torch.cat([step.scores for step in rows], 1), whole)

    def test_leave_before_the_last_window(self, network: nn.Module) -> None:
        steps = self.slide(picture((2, 64, 24, 16)), [network])
        first = next(k for k, step in enumerate(steps) if isinstance(step, Rows))
        assert sum(not isinstance(step, Rows) for step in steps[:first]) == 2  # one height of windows, and the next

    def test_several_at_a_time_and_half_precision_sums(self, network: nn.Module) -> None:
        image = picture((2, 40, 60, 40))
        one, many, half = (
            torch.cat([step.scores for step in self.slide(image, [network], **how) if isinstance(step, Rows)], 1)
            for how in ({}, {"batch": 4}, {"sums": torch.float16})
        )
        assert torch.allclose(one, many, atol=1e-5)
        assert half.dtype == torch.float16
        assert torch.allclose(one, half.float(), atol=5e-3 * one.abs().max().item())

    def test_networks_together_are_their_mean(self, network: nn.Module) -> None:
        class Twice(nn.Module):
            def forward(self, window: Tensor) -> Tensor:
                return 2 * network(window)

        image = picture((2, 30, 30, 30))
        single, both = (
            torch.cat([step.scores for step in self.slide(image, networks) if isinstance(step, Rows)], 1)
            for networks in ([network], [network, Twice()])
        )
        assert torch.allclose(both, 1.5 * single, atol=1e-5)

    def test_windows_of_one_value_are_answered_once(self) -> None:
        calls = []

        class Counting(nn.Module):
            def forward(self, window: Tensor) -> Tensor:
                calls.append(window)
                return torch.cat([window, window + 1], 1)

        image = torch.zeros((1, 64, 72, 64))
        image[:, 20:24, 30:34, 20:24] = 1
        scores = torch.cat([s.scores for s in self.slide(image, [Counting()], 2) if isinstance(s, Rows)], 1)
        assert torch.allclose(scores[0], image[0], atol=1e-6)
        assert torch.allclose(scores[1], image[0] + 1, atol=1e-6)
        assert sum(not bool(window.any()) for window in calls) == 1
        assert 1 < len(calls) < 30


class Narrow(nn.Module):
    """Has memory for so many voxels at a time, from a call on."""

    def __init__(self, network: nn.Module, voxels: int, after: int = 0) -> None:
        super().__init__()
        self.network, self.voxels, self.after, self.seen = network, voxels, after, []

    def forward(self, window: Tensor) -> Tensor:
        self.seen.append(tuple(window.shape))
        if len(self.seen) > self.after and window[:, 0].numel() > self.voxels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(window)


class TestOutOfMemory:
    def run(self, network: nn.Module, **how: Any) -> tuple[list[Windows], Tensor]:
        image = picture((1, 90, 70, 64))
        steps = list(self.steps(image, network, **how))
        return [step for step in steps if isinstance(step, Windows)], torch.cat(
            [step.scores for step in steps if isinstance(step, Rows)], 1
        )

    def steps(self, image: Tensor, network: nn.Module, **how: Any) -> Any:
        windows = Windows((64, 64, 64), multiples=(16, 16, 16), **how)
        for step in slide(image, [network], CPU, windows, classes=2):
            yield Rows(step.start, step.scores.clone()) if isinstance(step, Rows) else step

    @pytest.fixture
    def pointwise(self) -> nn.Module:
        """Answers each voxel by itself, so that windows of any size give one answer."""
        torch.manual_seed(0)
        return nn.Conv3d(1, 2, 1).requires_grad_(False)

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_goes_on_from_there_with_smaller_windows(self, after: int, pointwise: nn.Module) -> None:
        _, expected = self.run(pointwise)
        network = Narrow(pointwise, 32 * 32 * 64, after)
        told, scores = self.run(network)
        assert [windows.patch for windows in told] == [(32, 64, 64), (32, 32, 64)]
        assert torch.allclose(scores, expected, atol=1e-5)
        # What was answered before was not asked for again.
        assert sum(shape[2:] == (64, 64, 64) for shape in network.seen) == after + 1

    def test_fewer_at_a_time_first(self, pointwise: nn.Module) -> None:
        _, expected = self.run(pointwise)
        told, scores = self.run(Narrow(pointwise, 64**3), batch=4)
        assert [(windows.batch, windows.patch) for windows in told] == [(2, (64, 64, 64)), (1, (64, 64, 64))]
        assert torch.allclose(scores, expected, atol=1e-5)

    def test_the_smallest_does_not_fit(self, pointwise: nn.Module) -> None:
        with pytest.raises(torch.OutOfMemoryError):
            self.run(Narrow(pointwise, 1000))

    def test_other_errors_are_told(self) -> None:
        class Broken(nn.Module):
            def forward(self, window: Tensor) -> Tensor:
                raise RuntimeError("shapes do not fit")

        with pytest.raises(RuntimeError, match="shapes do not fit"):
            self.run(Broken())


class TestSteps:
    def test_counts_every_window(self, network: nn.Module) -> None:
        told, _ = finish(sliding_window(picture((2, 40, 24, 16)), network, CPU, classes=3, patch=PATCH))
        assert told == [(k, 4) for k in range(5)]

    def test_closing_stops_between_two_windows(self) -> None:
        calls = []

        class Counting(nn.Module):
            def forward(self, window: Tensor) -> Tensor:
                calls.append(1)
                return window[:, :1]

        steps = sliding_window(picture((1, 64, 64, 64)), Counting(), CPU, classes=1, patch=(16, 16, 16))
        for _ in range(4):
            next(steps)
        steps.close()
        assert len(calls) == 3
        with pytest.raises(StopIteration):
            next(steps)

    def test_the_image_is_not_changed(self, network: nn.Module) -> None:
        image = picture((2, 20, 30, 20))
        before = image.clone()
        finish(sliding_window(image, network, CPU, classes=3, patch=PATCH, mirror_axes=(0, 1, 2)))
        assert torch.equal(image, before)


class TestWindowPlaces:
    @given(
        st.tuples(*[st.integers(0, 30)] * 3),
        st.tuples(*[st.integers(1, 12)] * 3),
        st.floats(0, 0.95),
    )
    def test_cover_every_voxel_and_stay_inside(self, more: tuple, patch: tuple, overlap: float) -> None:
        shape = tuple(size + extra for size, extra in zip(patch, more, strict=True))
        seen = torch.zeros(shape)
        for place in window_places(shape, patch, overlap):
            seen[place] += 1
            assert tuple(part.stop - part.start for part in place) == patch
            assert all(part.start >= 0 and part.stop <= size for part, size in zip(place, shape, strict=True))
        assert seen.min() >= 1

    @pytest.mark.parametrize("overlap", [-0.1, 1.0, 2.0, float("nan")])
    def test_an_impossible_overlap(self, overlap: float) -> None:
        with pytest.raises(InputError, match="expected 0 or more and less than 1"):
            window_places((32, 32, 32), (16, 16, 16), overlap)


class TestEven:
    """As nnU-Net spreads its windows."""

    def test_equal_distances_with_the_overlap_or_more(self) -> None:
        # Its own example: an image of 110, a window of 64, half of which overlaps.
        starts = [place[0].start for place in window_places((110, 64, 64), (64, 64, 64), 0.5, even=True)]
        assert starts == [0, 23, 46]

    def test_one_that_fits(self) -> None:
        assert len(window_places((64, 64, 64), (64, 64, 64), 0.5, even=True)) == 1

    def scores_of(self, image: Tensor, network: Any, sums: torch.dtype, axes: tuple[int, ...] = ()) -> Tensor:
        windows = Windows(PATCH, mirror_axes=axes, even=True, sums=sums)
        steps = slide(image, [network], CPU, windows, classes=2)
        return torch.cat([step.scores.clone() for step in steps if isinstance(step, Rows)], 1)

    def test_what_a_network_says_of_voxels_alone_comes_out_whole(self) -> None:
        image = picture((1, 37, 40, 21))
        scores = self.scores_of(image, lambda x: torch.cat([x, 1 - x], 1), torch.float32)
        assert torch.allclose(scores[0], image[0], atol=1e-5)

    def test_half_precision_sums_are_nnunets_to_the_last_bit(self) -> None:
        # Its steps, written down once more: a bell of SciPy's whose top is 10, in half precision; products in single,
        # every sum rounded to half, and the quotient.
        image = picture((1, 37, 40, 21), 1)
        network = lambda x: torch.cat([x.sin(), 1 - x], 1)  # noqa: E731
        point = np.zeros(PATCH)
        point[tuple(size // 2 for size in PATCH)] = 1
        bell = gaussian_filter(point, [size / 8 for size in PATCH], 0, mode="constant")
        weights = torch.from_numpy(bell / bell.max() * 10).half()
        weights[weights == 0] = weights[weights > 0].min()
        sums, total = torch.zeros((2, 37, 40, 21)).half(), torch.zeros((37, 40, 21)).half()
        for place in window_places((37, 40, 21), PATCH, 0.5, even=True):
            there = (slice(None), *place)
            sums[there] = (
                sums[there].float() + network(image[None][(slice(None), *there)])[0] * weights.float()
            ).half()
            total[place] = (total[place].float() + weights.float()).half()
        assert torch.equal(self.scores_of(image, network, torch.float16), (sums.float() / total.float()).half())

    def test_mirrored_along_all_combinations(self, network: nn.Module) -> None:
        image = picture((2, *PATCH))
        with torch.inference_mode():
            turned = [
                network(image[None].flip([2 + axis for axis in axes])).flip([2 + axis for axis in axes])[0, :2]
                for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
            ]
        scores = self.scores_of(image, lambda x: network(x)[:, :2], torch.float32, (0, 1, 2))
        assert torch.allclose(scores, torch.stack(turned).mean(0), atol=1e-5)


class TestNumbers:
    @pytest.mark.parametrize(("factor", "sums"), [(float("nan"), torch.float32), (1e6, torch.float16)])
    def test_scores_that_are_no_numbers_become_no_labels(self, factor: float, sums: torch.dtype) -> None:
        with pytest.raises(WorkError, match="scores that are not finite"):
            list(slide(picture((1, *PATCH)), [lambda x: factor * x], CPU, Windows(PATCH, sums=sums), classes=1))

    def test_an_answer_that_is_overwritten_by_the_next(self, network: nn.Module) -> None:
        image = picture((2, 40, 30, 20))
        lent = torch.empty((1, 3, *PATCH))
        expected, found = (
            torch.cat(
                [
                    step.scores.clone()
                    for step in slide(image, [one], CPU, Windows(PATCH, mirror_axes=(0, 2)), classes=3)
                    if isinstance(step, Rows)
                ],
                1,
            )
            for one in (network, lambda x: lent.copy_(network(x)))
        )
        assert torch.equal(expected, found)


def test_a_remembered_window_beside_a_new_one_of_another_value(network: nn.Module) -> None:
    answers = Answers([network], CPU, Windows(PATCH, batch=2))
    air, bone = (torch.full((2, *PATCH), value) for value in (0.0, 1.0))
    (first,) = (one.clone() for one in answers.to([air]))
    both = [one.clone() for one in answers.to([air, bone])]
    assert torch.equal(both[0], first)
    assert torch.equal(answers.to([bone])[0], both[1])
    assert not torch.equal(both[0], both[1])
