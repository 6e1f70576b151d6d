from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import WEIGHTS, load_model
from napari_resmed.models.model import Model
from napari_resmed.predict import warm
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.warm import warm_network
from tests.small_models import band_weights, describe

CPU = Machine(torch.device("cpu"), "fp32")


@pytest.fixture(autouse=True)
def _cold() -> Iterator[None]:
    warm._networks.clear()
    yield
    warm._networks.clear()


@pytest.fixture
def model(models_folder: Path, tmp_path: Path) -> Model:
    """A copy to damage."""
    shutil.copytree(models_folder / "bands", tmp_path / "bands")
    return load_model(tmp_path / "bands")


def weights_of(model: Model) -> Path:
    assert model.folder is not None
    return model.folder / WEIGHTS


class TestWarm:
    def test_holds_the_saved_weights(self, model: Model) -> None:
        network = warm_network(model, CPU)
        for name, value in band_weights().items():
            assert torch.equal(network.state_dict()[name], value)
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())

    def test_the_same_network_the_second_time(self, model: Model) -> None:
        assert warm_network(model, CPU) is warm_network(load_model(model.folder), CPU)

    def test_new_weights_are_read_anew(self, model: Model) -> None:
        before = warm_network(model, CPU)
        torch.save({name: value + 1 for name, value in band_weights().items()}, weights_of(model))
        os.utime(weights_of(model), ns=(1, 1))
        after = warm_network(model, CPU)
        assert after is not before
        assert after.state_dict()["model.2.conv.bias"][0] == 1

    def test_only_a_handful_is_kept(self, model: Model, tmp_path: Path) -> None:
        first = warm_network(model, CPU)
        for number in range(warm.KEPT):
            shutil.copytree(model.folder, tmp_path / str(number))
            warm_network(load_model(tmp_path / str(number)), CPU)
        assert len(warm._networks) == warm.KEPT
        assert warm_network(model, CPU) is not first

    def test_half_precision_weights_will_do(self, model: Model) -> None:
        torch.save({name: value.half() for name, value in band_weights().items()}, weights_of(model))
        assert all(value.dtype == torch.float32 for value in warm_network(model, CPU).state_dict().values())


class _Bomb:
    """What a hostile weights file holds: code that runs when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.sign),)


class TestRefusals:
    def test_code_is_never_run(self, model: Model, tmp_path: Path) -> None:
        sign = tmp_path / "executed"
        for legacy in (False, True):
            torch.save({"x": _Bomb(sign)}, weights_of(model), _use_new_zipfile_serialization=not legacy)
            with pytest.raises(ModelError, match="hold more than tensors; get the model folder anew"):
                warm_network(model, CPU)
        weights_of(model).write_bytes(pickle.dumps(_Bomb(sign)))
        with pytest.raises(ModelError, match="damaged or hold more than tensors"):
            warm_network(model, CPU)
        assert not sign.exists()
        # The bomb is real: an unguarded load would have run it.
        torch.save({"x": _Bomb(sign)}, weights_of(model))
        torch.load(weights_of(model), weights_only=False)
        assert sign.exists()

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_a_cut_off_file(self, share: float, model: Model) -> None:
        content = weights_of(model).read_bytes()
        weights_of(model).write_bytes(content[: int(share * len(content))])
        with pytest.raises(ModelError, match="the weights of bands are damaged"):
            warm_network(model, CPU)

    @pytest.mark.parametrize("content", [b"hello", b"\x80\x04}.", b"PK\x03\x04" + b"\0" * 100])
    def test_another_file(self, content: bytes, model: Model) -> None:
        weights_of(model).write_bytes(content)
        with pytest.raises(ModelError, match="the weights of bands"):
            warm_network(model, CPU)

    @pytest.mark.parametrize("weights", [{}, {"a": torch.zeros(3)}, [1, 2], torch.zeros(3), {"model.0.conv.weight": 3}])
    def test_weights_of_another_network(self, weights: object, model: Model) -> None:
        torch.save(weights, weights_of(model))
        with pytest.raises(ModelError, match="the weights of bands do not fit its network UNet"):
            warm_network(model, CPU)

    def test_weights_of_another_shape(self, model: Model) -> None:
        torch.save(
            {name: value.repeat(2, *[1] * (value.ndim - 1)) for name, value in band_weights().items()},
            weights_of(model),
        )
        with pytest.raises(ModelError, match="do not fit"):
            warm_network(model, CPU)

    def test_a_model_that_was_never_saved(self) -> None:
        with pytest.raises(ModelError, match="was never saved"):
            warm_network(describe(), CPU)

    def test_weights_that_went_away(self, model: Model) -> None:
        weights_of(model).unlink()
        with pytest.raises(ModelError, match="bands"):
            warm_network(model, CPU)
