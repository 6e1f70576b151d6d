from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_resmed.errors import ModelError
from napari_resmed.models.torchscript import load_script
from napari_resmed.nets import build_network
from tests.small_models import describe


class Saver(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        torch.save(image, "anywhere")
        return image


class Shouter(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        print("hello")
        return image


class AtLoading(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.number = 1

    @torch.jit.export
    def __getstate__(self) -> int:
        return self.number

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        self.number = state

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


def saved(network: nn.Module, place: Path) -> Path:
    torch.jit.save(torch.jit.script(network), place / "model.ts")
    return place / "model.ts"


class TestLoadScript:
    @pytest.mark.parametrize("how", ["traced", "scripted"])
    def test_a_network(self, how: str, tmp_path: Path) -> None:
        network = build_network("UNet", describe().arguments).eval()
        window = torch.rand(1, 1, 16, 16, 16)
        with torch.no_grad():
            script = torch.jit.trace(network, window) if how == "traced" else torch.jit.script(network)
            torch.jit.save(script, tmp_path / "model.ts")
            assert torch.equal(load_script(tmp_path / "model.ts")(window), network(window))

    @pytest.mark.parametrize(
        ("network", "said"),
        [(Saver(), "torch.save"), (Shouter(), "print"), (AtLoading(), "__[gs]etstate__ at loading")],
    )
    def test_more_than_a_network(self, network: nn.Module, said: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=f"asks for {said}, which a network does not need"):
            load_script(saved(network, tmp_path))

    def test_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "model.ts").write_bytes(b"PK\x03\x04 nothing")
        with pytest.raises(ModelError, match=r"model\.ts is damaged or no TorchScript"):
            load_script(tmp_path / "model.ts")

    def test_a_file_that_is_there_twice(self, tmp_path: Path) -> None:
        path = saved(nn.ReLU(), tmp_path)
        with zipfile.ZipFile(path, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr(packed.namelist()[0], b"other")
        with pytest.raises(ModelError, match="holds files twice"):
            load_script(path)
