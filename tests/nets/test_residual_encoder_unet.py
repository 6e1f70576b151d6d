from __future__ import annotations

import pytest
import torch

from napari_resmed.errors import ModelError
from napari_resmed.nets import build_network
from napari_resmed.nets.size import edge_multiples, first_features

ARGUMENTS = {
    "in_channels": 2,
    "out_channels": 5,
    "features": [4, 8, 16],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "blocks": [1, 3, 2],
    "decoder_convs": [1, 2],
}


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand((2, 2, 8, 16, 12), generator=torch.Generator().manual_seed(0))


class TestResidualEncoderUNet:
    def test_scores_have_the_images_size(self, image: torch.Tensor) -> None:
        assert build_network("ResidualEncoderUNet", ARGUMENTS)(image).shape == (2, 5, 8, 16, 12)

    def test_deep_supervision_answers_from_fine_to_coarse_while_training(self, image: torch.Tensor) -> None:
        network = build_network("ResidualEncoderUNet", {**ARGUMENTS, "deep_supervision": True})
        answers = network.train()(image)
        assert [tuple(answer.shape[2:]) for answer in answers] == [(8, 16, 12), (8, 8, 6)]
        assert isinstance(network.eval()(image), torch.Tensor)

    def test_a_block_that_adds_nothing_passes_what_it_is_given(self) -> None:
        block = build_network("ResidualEncoderUNet", ARGUMENTS).encoder[1][1]
        torch.nn.init.zeros_(block.conv2.norm.weight)
        torch.nn.init.zeros_(block.conv2.norm.bias)
        state = torch.rand((1, 8, 4, 4, 4))
        assert torch.equal(block(state), state)

    def test_the_shortcut_averages_where_the_block_strides(self) -> None:
        block = build_network("ResidualEncoderUNet", {**ARGUMENTS, "features": [4, 4, 4]}).encoder[2][0]
        torch.nn.init.zeros_(block.conv2.norm.weight)
        torch.nn.init.zeros_(block.conv2.norm.bias)
        state = torch.rand((1, 4, 4, 4, 4))
        assert torch.allclose(block(state), torch.nn.functional.avg_pool3d(state, 2))

    def test_what_does_not_fit_together(self) -> None:
        with pytest.raises(ModelError, match="ResidualEncoderUNet cannot be built"):
            build_network("ResidualEncoderUNet", {**ARGUMENTS, "blocks": [1, 3]})

    def test_its_size_is_known(self) -> None:
        assert edge_multiples("ResidualEncoderUNet", ARGUMENTS) == (2, 4, 4)
        assert first_features(ARGUMENTS) == 4
