"""A model for other programs: a plain MONAI bundle, TorchScript, ONNX."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import warnings
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.io.whole_file import check_place, reason, whole_file, whole_folder
from napari_resmed.models.bundle import check_plain_monai, inference_config
from napari_resmed.models.bundle_steps import left_out
from napari_resmed.models.folder import METADATA, load_model
from napari_resmed.models.model import Model
from napari_resmed.models.save import check_model_place
from napari_resmed.models.whole_network import WholeNetwork, load_networks

__all__ = ["FORMATS", "export_model"]

FORMATS = ("bundle", "torchscript", "onnx")
# How far another program's scores may be from torch's: of the largest score, or of 1 where all are smaller.
AGREES_WITHIN = 1e-3
INSTALL = 'pip install "napari-resmed[export]"'
# Under this name the model's description travels in a TorchScript and in an ONNX file.
DESCRIPTION = "resmed.json"


def export_model(model: Model, out: Path | str, kind: str) -> str:
    """Write a model for other programs, whole or not at all.

    Parameters
    ----------
    model:
        A saved one.
    out:
        A file; of a bundle a folder, or a file that ends in ``.zip``.
    kind:
        ``"bundle"`` runs with ``python -m monai.bundle run``. ``"torchscript"`` and ``"onnx"`` hold the network alone:
        a prepared window ``(1, channel, z, y, x)`` in, of the model's own size, scores ``(1, class, z, y, x)`` out; of
        one that classifies an image ``(1, channel, [t,] [z,] y, x)`` in, scores ``(1, class)`` out. How an image is
        prepared and what the classes mean lies beside it as ``resmed.json``.

    Returns
    -------
    str
        What a person should know, in one sentence; mostly empty.

    Raises
    ------
    InputError
        If the format is unknown, a package is missing, or the place cannot be written.
    ModelError
        If the model cannot be written in that format, or the file does not answer as the model does.
    WorkError
        If writing fails.
    """
    out = Path(out)
    if kind not in FORMATS:
        raise InputError(f"the format is {kind!r}, expected {', '.join(FORMATS)}")
    if model.folder is None:
        raise ModelError(f"the model {model.name} was never saved, so there is nothing to export")
    return {"bundle": _bundle, "torchscript": _torchscript, "onnx": _onnx}[kind](model, out)


def _bundle(model: Model, out: Path) -> str:
    assert model.folder is not None
    try:
        check_plain_monai(model)
    except ModelError as problem:
        raise ModelError(f"{problem}; export it as torchscript or onnx") from problem
    packed = out.suffix.lower() == ".zip"
    if packed:
        check_place(out)
    else:
        check_model_place(out)
    # Written anew: of a model that an older version saved it may say less.
    config = json.dumps(inference_config(model), indent=2, ensure_ascii=False) + "\n"
    files = {path.relative_to(model.folder): path for path in sorted(model.folder.rglob("*")) if path.is_file()}
    inference = Path("configs/inference.json")
    files = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.parts)}
    if packed:
        with whole_file(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in files.items():
                inside = f"{model.name}/{name.as_posix()}"
                if name == inference:
                    archive.writestr(inside, config)
                else:
                    archive.write(path, inside)
    else:
        if out.resolve() == model.folder.resolve():
            raise InputError(f"{out} is the model itself; choose another place")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise WorkError(f"could not write {out}: {reason(problem)}") from problem
        with whole_folder(out) as part:
            for name, path in files.items():
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, part / name)
            (part / inference).write_text(config, encoding="utf-8")
        load_model(out)
    return left_out(model)


def _torchscript(model: Model, out: Path) -> str:
    check_place(out)
    network = load_networks(model)
    with whole_file(out) as part:
        with _quiet(), torch.no_grad():
            traced = torch.jit.trace(network, _window(model, 0), check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(traced, part, _extra_files={DESCRIPTION: _description(model)})  # type: ignore[no-untyped-call]
            written = torch.jit.load(part, map_location="cpu")  # type: ignore[no-untyped-call]
        _check_agreement(model, network, written, "TorchScript")
    return ""


def _onnx(model: Model, out: Path) -> str:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(f"ONNX needs {' and '.join(missing)}, which is not installed: {INSTALL}")
    check_place(out)
    network = load_networks(model)
    with whole_file(out) as part:
        _write_onnx(network, model, part)
        if find_spec("onnxruntime") is None:
            return f"onnxruntime is not installed, so the file was not checked: {INSTALL}"
        import onnxruntime

        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])

        def run(window: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {"image": window.numpy()})[0])

        _check_agreement(model, network, run, "ONNX")
    return ""


def _write_onnx(network: WholeNetwork, model: Model, path: Path) -> None:
    import onnx

    options: dict[str, Any] = {"input_names": ["image"], "output_names": ["scores"]}
    with _quiet(), torch.no_grad():
        try:
            torch.onnx.export(network, (_window(model, 0),), path, dynamo=True, external_data=False, **options)
        except Exception:  # its newer exporter does not follow every network; the older one may
            try:
                torch.onnx.export(network, (_window(model, 0),), path, dynamo=False, **options)
            except Exception as problem:
                raise ModelError(
                    f"the network {model.network} cannot be written as ONNX ({type(problem).__name__}); export it as "
                    "torchscript"
                ) from problem
    written = onnx.load(path)
    entry = written.metadata_props.add()
    entry.key, entry.value = DESCRIPTION, _description(model)
    path.write_bytes(written.SerializeToString())


def _window(model: Model, seed: int) -> Tensor:
    shape = (1, len(model.channels), *model.image_shape)
    window = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    # What classifies single slices takes them without z.
    return window.squeeze(-3) if model.classifies else window


def _check_agreement(model: Model, network: WholeNetwork, other: Callable[[Tensor], Tensor], called: str) -> None:
    """On another window than the one that was followed."""
    window = _window(model, 1)
    with torch.no_grad():
        ours, theirs = network(window), other(window)
    off = float((ours - theirs).abs().max()) / max(1.0, float(ours.abs().max()))
    if not off <= AGREES_WITHIN:  # NaN too
        raise ModelError(f"{called} of {model.name} is {off:.2g} off the model's scores, {AGREES_WITHIN:g} is allowed")


def _description(model: Model) -> str:
    assert model.folder is not None
    metadata = json.loads((model.folder / METADATA).read_text(encoding="utf-8"))
    return json.dumps(metadata, ensure_ascii=False)


@contextlib.contextmanager
def _quiet() -> Any:
    """Torch tells much while it exports, on standard output too, that is of no use to a person."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
