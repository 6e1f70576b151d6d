"""OpenVINO: the same network on Intel's and AMD's processors in half the time of eager torch, or near it.

A network is converted once for a size of window and kept in the user's cache; that it agrees with torch, and which of
the two is faster here, is measured then.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections import OrderedDict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from napari_resmed.io.whole_file import whole_file, whole_folder
from napari_resmed.models.folder import weights_file
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.windows import Shape

__all__ = ["PRECISIONS", "Converted", "convert", "is_converted", "is_installed"]

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
# Largest difference from torch in fp32, as a share of the spread of its scores: rounding, of 24 and of 8 bits a number.
AGREES_WITHIN = {"fp32": 1e-3, "bf16": 0.05}
# Networks that are the same for windows of any size.
CONVOLUTIONAL = ("UNet", "UNetWithHead", "PlainConvUNet", "ResidualEncoderUNet")
# Timed runs of each after a first one.
RUNS = 2
# Compiled networks that stay in memory.
KEPT = 2
# Converted networks that stay on disk, some tens of MB each.
CACHED = 8
_FACTS = "measured.json"

_warm: OrderedDict[tuple[str, str], Converted] = OrderedDict()


class Converted:
    """A compiled network: takes and gives tensors, as torch's does, of one window at a time.

    Parameters
    ----------
    compiled:
        OpenVINO's.
    network:
        Torch's, for windows of another size.
    patch:
        The size of window it was made for.
    facts:
        What was measured when it was converted.
    """

    def __init__(self, compiled: Any, network: nn.Module, patch: Shape, facts: dict[str, Any]) -> None:
        self._compiled, self._network, self._patch = compiled, network, patch
        self._request = compiled.create_infer_request()
        self._facts = facts

    @property
    def disagrees(self) -> str:
        """How it differs from torch; empty where it agrees."""
        off, most = self._facts["off"], self._facts["off_allowed"]
        return "" if off <= most else f"scores {off:.1%} off, {most:.1%} allowed"

    @property
    def is_faster(self) -> bool:
        """Whether it was faster than torch when it was converted."""
        return bool(self._facts["seconds"] < self._facts["torch_seconds"])

    def __call__(self, windows: Tensor) -> Tensor:
        """Scores ``(batch, class, z, y, x)`` of windows ``(batch, channels, z, y, x)``.

        Those of one window lie in memory that is used again for the next.
        """
        if tuple(windows.shape[2:]) != self._patch:
            answer: Tensor = self._network(windows)
            return answer
        if len(windows) == 1:
            return self._one(windows)
        return torch.cat([self._one(window[None]).clone() for window in windows])

    def _one(self, window: Tensor) -> Tensor:
        found = self._request.infer([window.contiguous().numpy()], share_inputs=True, share_outputs=True)
        return torch.from_numpy(found[0])


def is_installed() -> bool:
    """Whether there is an OpenVINO to import."""
    return find_spec("openvino") is not None


def is_converted(model: Model, patch: Shape, member: int = 0, part: str = "") -> bool:
    """Whether the model, or that part of it, was converted before, for windows of this size."""
    return (_place(model, patch, member, part) / _FACTS).is_file()


def convert(
    model: Model, network: nn.Module, machine: Machine, patch: Shape, member: int = 0, part: str = ""
) -> Converted:
    """The model's network compiled, from the cache where it was converted before.

    Parameters
    ----------
    model, member, machine, patch:
        As of :func:`napari_resmed.predict.backends.choose_backend`.
    network:
        With the model's weights: all of it, or a part.
    part:
        Which part; each is kept by itself.

    Raises
    ------
    Exception
        Whatever OpenVINO raises where it cannot take the network.
    """
    place = _place(model, patch, member, part)
    key = (place.name, machine.precision)
    if key not in _warm:
        openvino = _openvino()
        try:
            compiled = _compiled(openvino, network, machine, patch, place)
        except Exception:  # not there yet, damaged, or of another version
            _keep(openvino, model, network, patch, place)
            compiled = _compiled(openvino, network, machine, patch, place)
        _warm[key] = compiled
        while len(_warm) > max(KEPT, model.members):
            _warm.popitem(last=False)
    _warm.move_to_end(key)
    return _warm[key]


def _openvino() -> Any:
    # It would report its use over the network. Without that package it has a stand-in that does not.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


def _place(model: Model, patch: Shape, member: int, part: str) -> Path:
    weights = (model.folder / weights_file(member)).read_bytes() if model.folder else b""
    described = json.dumps([model.network, model.arguments, patch, part], sort_keys=True, default=list)
    name = hashlib.sha256(weights + described.encode()).hexdigest()[:24]
    return _cache() / name


def _cache() -> Path:
    chosen = os.environ.get("RESMED_CACHE")
    return (Path(chosen) if chosen else user_cache_path("napari-resmed", appauthor=False)) / "openvino"


def _keep(openvino: Any, model: Model, network: nn.Module, patch: Shape, place: Path) -> None:
    with torch.inference_mode(False), torch.no_grad():
        converted = _convolutional(openvino, model, network, patch)
        if converted is None:
            window = _noise((1, len(model.channels), *patch))
            converted = openvino.convert_model(network, example_input=window, input=[tuple(window.shape)])
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in sorted(place.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)[: -CACHED + 1]:
        shutil.rmtree(old, ignore_errors=True)
    with whole_folder(place) as part:
        openvino.save_model(converted, part / "network.xml", compress_to_fp16=False)
        (part / _FACTS).write_text(json.dumps({"version": openvino.__version__}))


def _convolutional(openvino: Any, model: Model, network: nn.Module, patch: Shape) -> Any:
    """A network of convolutions alone, which is the same for any size; None for any other.

    It is followed through a small window: through a large one with many classes that takes gigabytes.
    """
    if model.network not in CONVOLUTIONAL:
        return None
    multiples = edge_multiples(model.network, model.arguments)
    edges = [min(whole, 2 * multiple) for whole, multiple in zip(patch, multiples, strict=True)]
    window = _noise((1, len(model.channels), *edges))
    converted = openvino.convert_model(network, example_input=window, input=[tuple(window.shape)])
    try:
        converted.reshape([1, len(model.channels), *patch])
    except RuntimeError:
        return None
    return converted


def _compiled(openvino: Any, network: nn.Module, machine: Machine, patch: Shape, place: Path) -> Converted:
    core = openvino.Core()
    hints = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[machine.precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    network_there = core.read_model(place / "network.xml")
    if machine.precision == "bf16":
        # More digits than bf16 has, and half of what has to go through memory for every class.
        ends = openvino.preprocess.PrePostProcessor(network_there)
        ends.output().tensor().set_element_type(openvino.Type.f16)
        network_there = ends.build()
    compiled = core.compile_model(network_there, "CPU", hints)
    facts_file = place / _FACTS
    facts = json.loads(facts_file.read_text())
    if machine.precision not in facts:
        facts[machine.precision] = _measure(Converted(compiled, network, patch, {}), network, machine, compiled, patch)
        with whole_file(facts_file) as part:
            part.write_text(json.dumps(facts))
    return Converted(compiled, network, patch, facts[machine.precision])


def _measure(
    converted: Converted, network: nn.Module, machine: Machine, compiled: Any, patch: Shape
) -> dict[str, float]:
    channels = compiled.input(0).shape[1]
    window = _noise((1, channels, *patch))
    with torch.inference_mode():
        exact = network(window.to(memory_format=torch.channels_last_3d)).float()
        # Class by class: of many classes copies take gigabytes.
        pairs = zip(converted(window)[0], exact[0], strict=True)
        off = torch.stack([(one - other).abs().max() for one, other in pairs]).max()
        off /= (exact.max() - exact.min()).clamp_min(1e-12)
        del exact
        half = machine.precision != "fp32"

        def by_torch() -> None:
            with torch.autocast("cpu", machine.dtype, enabled=half):
                network(window.to(memory_format=torch.channels_last_3d))

        times = [_seconds(lambda: converted(window)), _seconds(by_torch)]
    return {
        "off": float(off) if torch.isfinite(off) else 1e9,
        "off_allowed": AGREES_WITHIN[machine.precision],
        "seconds": times[0],
        "torch_seconds": times[1],
    }


def _seconds(run: Any) -> float:
    run()
    lap = time.perf_counter()
    for _ in range(RUNS):
        run()
    return (time.perf_counter() - lap) / RUNS


def _noise(shape: tuple[int, ...]) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))
