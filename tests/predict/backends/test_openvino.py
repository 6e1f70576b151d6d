from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.events import Warning
from napari_resmed.jobs.segment import segment
from napari_resmed.models.folder import load_model
from napari_resmed.models.model import Model
from napari_resmed.predict.backends import choose_backend, openvino
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import describe, save
from tests.train.small import finish

pytest.importorskip("openvino", reason="OpenVINO is an extra")

CPU = Machine(torch.device("cpu"), "fp32")
PATCH = (16, 16, 16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(openvino, "_warm", type(openvino._warm)())
    return tmp_path / "cache" / "openvino"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    save(describe(), tmp_path / "models")
    return load_model(tmp_path / "models" / "bands")


class TestConverted:
    def test_answers_as_torch_does(self, model: Model) -> None:
        backend = choose_backend(model, CPU, PATCH, 1, "openvino")
        assert (backend.name, backend.note) == ("openvino", "")
        windows = torch.rand((3, 1, *PATCH), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            assert torch.allclose(backend.network(windows), warm_network(model, CPU)(windows), atol=1e-4)

    def test_in_bf16_as_nearly_as_bf16_does(self, model: Model) -> None:
        backend = choose_backend(model, Machine(torch.device("cpu"), "bf16"), PATCH, 1, "openvino")
        assert (backend.name, backend.note) == ("openvino", "")
        window = torch.rand((1, 1, *PATCH), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            exact = warm_network(model, CPU)(window)
        found = backend.network(window)
        assert found.dtype == torch.float16
        assert (found.float() - exact).abs().max() <= 0.05 * (exact.max() - exact.min())

    def test_what_it_gives_for_several_windows_is_not_overwritten(self, model: Model) -> None:
        backend = choose_backend(model, CPU, PATCH, 1, "openvino")
        windows = torch.rand((2, 1, *PATCH), generator=torch.Generator().manual_seed(1))
        both = backend.network(windows)
        for window, found in zip(windows, both, strict=True):
            assert torch.equal(backend.network(window[None])[0], found)

    def test_windows_of_another_size_too(self, model: Model) -> None:
        backend = choose_backend(model, CPU, PATCH, 1, "openvino")
        assert backend.network(torch.zeros((1, 1, 8, 8, 8))).shape == (1, 4, 8, 8, 8)

    def test_is_converted_once(self, model: Model, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose_backend(model, CPU, PATCH, 1, "openvino")
        (place,) = cache.iterdir()
        before = (place / "network.xml").stat().st_mtime_ns
        monkeypatch.setattr(openvino, "_warm", type(openvino._warm)())
        choose_backend(model, CPU, PATCH, 1, "openvino")
        assert (place / "network.xml").stat().st_mtime_ns == before

    def test_what_is_damaged_in_the_cache_is_made_again(self, model: Model, cache: Path) -> None:
        choose_backend(model, CPU, PATCH, 1, "openvino")
        openvino._warm.clear()
        (place,) = cache.iterdir()
        (place / "network.xml").write_text("nonsense")
        assert choose_backend(model, CPU, PATCH, 1, "openvino").name == "openvino"
        openvino._warm.clear()
        (place / "measured.json").write_text("{")
        assert choose_backend(model, CPU, PATCH, 1, "openvino").name == "openvino"

    def test_nothing_is_reported_to_anyone(self, model: Model) -> None:
        code = "from napari_resmed.predict.backends import openvino as o; o._openvino(); import sys; "
        code += "import openvino.tools.ovc; print(sys.modules.get('openvino_telemetry'))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "None"


class TestChoice:
    def test_a_few_windows_are_not_worth_it(self, model: Model, cache: Path) -> None:
        assert choose_backend(model, CPU, PATCH, 2).name == "torch"
        assert not cache.exists()

    def test_many_windows_are(self, model: Model, cache: Path) -> None:
        choose_backend(model, CPU, PATCH, 100)
        (place,) = cache.iterdir()
        facts = json.loads((place / "measured.json").read_text())["fp32"]
        # Which is faster here is measured, and goes for a few windows as well from now on.
        facts |= {"seconds": 1.0, "torch_seconds": 2.0}
        (place / "measured.json").write_text(json.dumps({"fp32": facts}))
        openvino._warm.clear()
        assert choose_backend(model, CPU, PATCH, 2).name == "openvino"
        facts |= {"seconds": 2.0, "torch_seconds": 1.0}
        (place / "measured.json").write_text(json.dumps({"fp32": facts}))
        openvino._warm.clear()
        assert choose_backend(model, CPU, PATCH, 2).name == "torch"

    def test_one_that_disagrees_is_not_used(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(openvino.AGREES_WITHIN, "fp32", -1.0)
        backend = choose_backend(model, CPU, PATCH, 1, "openvino")
        assert backend.name == "torch"
        assert "OpenVINO disagrees with torch" in backend.note

    def test_one_that_fails_is_not_used(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("no such operation\nat line 5")

        monkeypatch.setattr(openvino, "_keep", broken)
        backend = choose_backend(model, CPU, PATCH, 1, "openvino")
        assert (backend.name, backend.note) == ("torch", "OpenVINO cannot run the network (RuntimeError); torch does")

    def test_unknown(self, model: Model) -> None:
        with pytest.raises(InputError, match="the backend is 'onnx', expected auto, torch, openvino"):
            choose_backend(model, CPU, PATCH, 1, "onnx")

    def test_not_installed(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openvino, "is_installed", lambda: False)
        assert choose_backend(model, CPU, PATCH, 100).name == "torch"
        with pytest.raises(InputError, match="pip install openvino"):
            choose_backend(model, CPU, PATCH, 100, "openvino")


class TestSegment:
    def test_gives_the_labels_of_torch(self, model: Model) -> None:
        image = Volume(np.random.default_rng(0).random((30, 40, 35)).astype(np.float32), make_affine())
        found = {}
        for name in ("torch", "openvino"):
            told: list = []
            done = finish(segment(image, str(model.folder), device="cpu", precision="fp32", backend=name), told)
            assert not any(isinstance(event, Warning) and "OpenVINO" in event.message for event in told)
            assert done.made_by["parameters"]["backend"] == name
            found[name] = done.labels.data
        assert (found["torch"] == found["openvino"]).mean() > 0.9999
