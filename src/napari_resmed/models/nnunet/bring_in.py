"""A trained nnU-Net v2 made into a model folder of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.model import Model
from napari_resmed.models.nnunet.card import imported_card, imported_licence, makers
from napari_resmed.models.nnunet.checkpoint import read_checkpoint
from napari_resmed.models.nnunet.describe import (
    describe_channels,
    describe_labels,
    describe_preparation,
    find_configuration,
)
from napari_resmed.models.nnunet.find import Trained, open_trained
from napari_resmed.models.nnunet.network import describe_network, rename_weights
from napari_resmed.models.save import check_model_place, save_model

__all__ = ["import_nnunet"]


def import_nnunet(source: Path | str, folder: Path | str) -> Model:
    """Write a trained nnU-Net v2 as a model folder; its folds become members whose scores are averaged.

    Parameters
    ----------
    source:
        The folder ``Trainer__Plans__configuration``, one that holds it, or a zip file of either.
    folder:
        Where the model goes; its name becomes the model's.

    Raises
    ------
    InputError
        If there is not one trained model in the source, or something else is in the way.
    ModelError
        If it is a cascade or 2D, its network or its preparation is none that this program has, or a checkpoint asks
        for more than tensors and plain values.
    WorkError
        If writing fails.
    """
    folder = Path(folder)
    check_model_place(folder)
    with open_trained(Path(source)) as trained:
        try:
            model, weights = _read(trained, folder.absolute().name)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
            raise ModelError(f"{trained.name} is no nnU-Net v2, or damaged, at {problem}") from problem
        except InputError as problem:
            raise ModelError(f"{trained.name} cannot be imported: {problem}") from problem
        return save_model(
            model,
            weights,
            folder,
            card=imported_card(model, trained),
            licence=imported_licence(trained),
            authors=makers(trained),
        )


def _read(trained: Trained, name: str) -> tuple[Model, list[Mapping[str, Any]]]:
    members: list[Mapping[str, Any]] = []
    described = None
    for path in trained.checkpoints.values():
        weights, rest = read_checkpoint(path)
        if described is None:
            described = _describe(trained, rest, name)
        members.append(rename_weights(weights, described.network, described.arguments))
    assert described is not None
    return described, members


def _describe(trained: Trained, checkpoint: Mapping[str, Any], name: str) -> Model:
    chosen = str(checkpoint["init_args"]["configuration"])
    configuration = find_configuration(trained.plans, chosen)
    channels = describe_channels(trained.dataset)
    labels, regions = describe_labels(trained.dataset)
    classes = len(regions) or 1 + len(labels)
    network, arguments = describe_network(configuration, len(channels), classes)
    z, y, x = (int(size) for size in configuration["patch_size"])
    of = str(trained.plans.get("dataset_name", "an unnamed data set"))
    return Model(
        name=name,
        network=network,
        arguments=arguments,
        preparation=describe_preparation(trained.plans, configuration, len(channels)),
        patch=(z, y, x),
        labels=labels,
        channels=channels,
        description=f"nnU-Net v2, {chosen}, of {of}",
        mirror_axes=tuple(int(axis) for axis in checkpoint.get("inference_allowed_mirroring_axes") or ()),
        training={
            "imported_from": "nnU-Net v2",
            "trainer": str(checkpoint.get("trainer_name", "")),
            "configuration": chosen,
            "plans": str(trained.plans.get("plans_name", "")),
            "dataset": of,
            "folds": list(trained.checkpoints),
            "checkpoint": next(iter(trained.checkpoints.values())).name,
        },
        regions=regions,
        members=len(trained.checkpoints),
        even_windows=True,
    )
