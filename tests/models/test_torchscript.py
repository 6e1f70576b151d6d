from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_resmed.errors import ModelError
from napari_resmed.models.torchscript import _suspicious, load_script
from napari_resmed.nets import build_network
from tests.small_models import describe


class Saver(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        torch.save(image, "anywhere")
        return image


class Shouter(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        print("hello")  # noqa: T201
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

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('(x).save("/tmp/x")', "the method save"),
            ('getattr(x, "save")("/tmp/x")', "a call of getattr"),
            ('ops.aten.save(x, "/tmp/x")', "the method save"),
            ("ops.prim.rpc_sync(x)", "ops.prim.rpc_sync"),
            ("torch = x", "another torch"),
        ],
    )
    def test_what_only_a_hand_could_have_written(self, line: str, said: str, tmp_path: Path) -> None:
        path = saved(nn.ReLU(), tmp_path)
        with zipfile.ZipFile(path) as packed:
            content = {name: packed.read(name) for name in packed.namelist()}
        program = next(name for name in content if name.endswith(".py"))
        lines = content[program].decode().rstrip().split("\n")
        indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
        content[program] = "\n".join([*lines[:-1], f"{indent}y = {line}", lines[-1], ""]).encode()
        with zipfile.ZipFile(path, "w") as packed:
            for name, text in content.items():
                packed.writestr(name, text)
        with pytest.raises(ModelError, match=f"asks for {said}"):
            load_script(path)

    def test_a_name_that_is_a_function_only_at_times(self) -> None:
        tree = ast.parse('_0 = __torch__.f\n_1 = x.save\n_0(x)\n_1("/tmp/x")')
        assert list(_suspicious(tree, frozenset())) == ["_1"]

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
