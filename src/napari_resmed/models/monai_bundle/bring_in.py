"""A MONAI bundle made into a model folder of ours."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.folder import WEIGHTS
from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle.card import imported_card, imported_licence, makers
from napari_resmed.models.monai_bundle.describe import describe_bundle
from napari_resmed.models.monai_bundle.find import Bundle, open_bundle
from napari_resmed.models.monai_bundle.trial import try_network
from napari_resmed.models.monai_bundle.weights import read_weights
from napari_resmed.models.save import check_model_place, save_model
from napari_resmed.models.torchscript import SCRIPT, check_script, load_script
from napari_resmed.nets import build_network

__all__ = ["import_bundle"]


def import_bundle(source: Path | str, folder: Path | str) -> Model:
    """Write a MONAI bundle as a model folder.

    The network is built from its description and gets the bundle's state dict; where that cannot be, and the bundle has
    a TorchScript of it, that is taken.

    Parameters
    ----------
    source:
        The bundle's folder, or one around it, or a zip file of either.
    folder:
        Where the model goes; its name becomes the model's.

    Raises
    ------
    InputError
        If there is no bundle in the source, or something else is in the way.
    ModelError
        If its network, a transform or an expression is none that this program knows, or its weights ask for more than
        tensors; what it is, is named.
    WorkError
        If writing fails.
    """
    folder = Path(folder)
    check_model_place(folder)
    with open_bundle(Path(source)) as bundle:
        script = None
        try:
            try:
                model, weights = _described(bundle, folder.absolute().name)
            except ModelError as problem:
                if not (bundle.folder / SCRIPT).is_file():
                    raise
                model, weights, script = _scripted(bundle, folder.absolute().name, str(problem))
        except InputError as problem:
            raise ModelError(f"{bundle.called} cannot be imported: {problem}") from problem
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
            raise ModelError(f"{bundle.called} is no MONAI bundle, or damaged, at {problem}") from problem
        notes = ["Its network is a TorchScript, which cannot be trained on."] if script else []
        return save_model(
            model,
            weights,
            folder,
            card=imported_card(model, bundle, notes),
            licence=imported_licence(bundle),
            authors=makers(bundle),
            files={SCRIPT: script} if script else None,
        )


def _described(bundle: Bundle, name: str) -> tuple[Model, dict[str, Tensor]]:
    model = describe_bundle(bundle, name)
    if not (bundle.folder / WEIGHTS).is_file():
        raise InputError(f"{WEIGHTS} is missing; a bundle is downloaded with its weights")
    network = build_network(model.network, model.arguments)
    weights = read_weights(bundle.folder / WEIGHTS, network)
    try_network(network, model)
    return model, weights


def _scripted(bundle: Bundle, name: str, why: str) -> tuple[Model, dict[str, Tensor], bytes]:
    try:
        model = describe_bundle(bundle, name, scripted=True)
    except ModelError as problem:
        raise ModelError(why) from problem
    script = check_script(bundle.folder / SCRIPT)
    network = load_script(bundle.folder / SCRIPT)
    try_network(network, model)
    return model, dict(network.state_dict()), script
