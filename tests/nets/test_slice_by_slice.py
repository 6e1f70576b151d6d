from __future__ import annotations

import torch

from napari_resmed.nets import NETWORKS, build_network
from napari_resmed.nets.slice_by_slice import SliceBySlice

FLAT = {"spatial_dims": 2, "in_channels": 2, "out_channels": 3, "channels": [4, 8], "strides": [2]}


class TestSliceBySlice:
    def test_every_slice_for_itself(self) -> None:
        from monai.networks.nets.unet import UNet

        network = build_network("UNet", FLAT).eval()
        assert isinstance(network, SliceBySlice)
        plain = UNet(**FLAT).eval()
        plain.load_state_dict(network.state_dict())
        volume = torch.rand(2, 2, 3, 16, 12)
        with torch.no_grad():
            found = network(volume)
            assert found.shape == (2, 3, 3, 16, 12)
            for number in range(3):
                assert torch.allclose(found[:, :, number], plain(volume[:, :, number]), atol=1e-6)


class TestDints:
    def test_from_the_paths_of_a_search(self, capsys) -> None:
        paths = [[1, 0, 0, 1, 0, 0, 1, 0, 0, 1]] * 2
        operations = [[0] * 10] * 2
        arguments = {
            "in_channels": 1,
            "num_classes": 3,
            "arch_code": [paths, operations],
            "space": {"num_blocks": 2, "num_depths": 4, "channel_mul": 0.125},
        }
        assert "DiNTS" in NETWORKS
        network = build_network("DiNTS", arguments).eval()
        with torch.no_grad():
            assert network(torch.rand(1, 1, 64, 64, 64)).shape == (1, 3, 64, 64, 64)
        assert capsys.readouterr().out == ""
