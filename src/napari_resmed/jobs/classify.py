"""Tell what images as a whole are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import napari_resmed
from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, ModelError, WorkError
from napari_resmed.events import Event, Progress, Started
from napari_resmed.io import write
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.classes import load_channels
from napari_resmed.io.files import check_not_input
from napari_resmed.io.provenance import HEAT, write_provenance
from napari_resmed.io.tables import check_table, write_table
from napari_resmed.io.whole_file import reason
from napari_resmed.jobs.classified import Classification, Classified
from napari_resmed.jobs.follow import follow
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model
from napari_resmed.nets.classifiers import SequenceClassifier
from napari_resmed.predict.belt import NotFiniteError
from napari_resmed.predict.classes import class_attention, class_probabilities
from napari_resmed.predict.explain import LAYER_CAM, METHODS, OCCLUSION
from napari_resmed.predict.explain.heat import class_heat
from napari_resmed.predict.explain.layers import layer_of
from napari_resmed.predict.explain.strongest import strongest_slices
from napari_resmed.predict.machine import Machine, choose_machine, is_out_of_memory
from napari_resmed.predict.warm import warm_network
from napari_resmed.prepare.fixed_size import restore_fixed
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.series import frames_back, restore_series
from napari_resmed.review.quality import GOOD, Usual, look_at_image
from napari_resmed.train.classify.images import prepared_image
from napari_resmed.volume import Volume

__all__ = ["Classification", "Classified", "classify"]


def classify(
    images: Sequence[Path | str | Volume | Case | Mapping[str, Any]],
    model: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    tta: bool = False,
    explain: bool = False,
    method: str = METHODS[0],
    layer: str = "",
    of: str = "",
    heat_folder: Path | str = "",
    table: Path | str = "",
) -> Generator[Event, None, Classification]:
    """Classify images, one by one.

    Parameters
    ----------
    images:
        Files, folders of DICOM files, images of archives, or volumes; cases, where an image is several files, or their
        ``name, images, channels`` from a viewer.
    model:
        A name from the catalogue, or a model folder.
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    tta:
        Average over mirrored passes along the axes that the model was trained to see mirrored.
    explain:
        Whether to tell where each image speaks for its class.
    method:
        How: one of :data:`napari_resmed.predict.explain.METHODS`.
    layer:
        Seen by which layer of the network, by its name in the backbone; where empty the last one, or several together
        if the method takes them so.
    of:
        For which class; the predicted one where empty.
    heat_folder:
        Where heat maps are written, one by one, instead of being returned; empty for nowhere.
    table:
        A CSV file for the answers, ``.csv``, and none of those that are read; empty for none.

    Raises
    ------
    InputError
        If a parameter cannot be used. An image that cannot is told in :attr:`Classified.quality`.
    ModelError
        If the model is unknown, damaged, does not classify, or knows no mirrored images and is to see such.
    WorkError
        If memory or the disk runs out.
    """
    begin = time.perf_counter()
    known = find_model(model)
    if not known.classifies:
        raise ModelError(f"the model {known.name} tells where something is, not what an image is; segment with it")
    if tta and not known.mirror_axes:
        raise ModelError(
            f"the model {known.name} was not trained to see mirrored images, so mirrored passes would mislead it; "
            "classify without, or train with mirror_axes in the plan"
        )
    if method not in METHODS:
        raise InputError(f"found the method {method!r}, expected one of {', '.join(METHODS)}")
    if of and of not in known.classes:
        raise InputError(f"{known.name} knows no class {of!r}; expected one of {', '.join(known.classes)}")
    cases = [_case(source, number) for number, source in enumerate(images)]
    # Before any work is done, so that a wrong place costs no waiting.
    if str(table):
        check_table(Path(table))
        check_not_input(Path(table), _files(cases))
    folder = _heat_folder(Path(heat_folder)) if str(heat_folder) else None
    yield Started(f"Classifying {len(cases)} image{'s' if len(cases) != 1 else ''}")
    machine = choose_machine(device, precision)
    work = _Work(known, warm_network(known, machine), machine, tta, explain or folder is not None, method, layer, of)
    if work.explain and method != OCCLUSION:
        layer_of(work.network, layer)  # a layer that is not there is told of once, not of every image
    targets = _targets(cases, folder) if folder is not None else []
    found: list[Classified] = []
    try:
        for number, case in enumerate(cases):
            yield _progress("Classifying", number / len(cases), begin)
            covering = partial(_covering, number=number, count=len(cases), begin=begin)
            one = yield from follow(_one(case, work), covering)
            if targets and one.heat is not None:
                write(one.heat, targets[number])
                write_provenance(targets[number], one.heat)
                one = replace(one, heat=None, heat_file=str(targets[number]))
            found.append(one)
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise WorkError(f"out of memory on {machine.device}; close other programs, or use the CPU") from problem
    finally:
        forget_archives()
    answers = Classification(known.name, known.classes, tuple(found), round(time.perf_counter() - begin, 3))
    if str(table):
        write_table(answers.rows(), Path(table))
    return answers


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done to every image."""

    model: Model
    network: torch.nn.Module
    machine: Machine
    tta: bool
    explain: bool
    method: str
    layer: str
    of: str

    @property
    def made_by(self) -> dict[str, Any]:
        """How a heat map was made."""
        unnamed = "several together" if self.method == LAYER_CAM else "the last"
        return {
            "program": f"napari-resmed {napari_resmed.__version__}",
            "model": self.model.name,
            "model_version": self.model.version,
            "parameters": {"method": self.method, "layer": self.layer or unnamed},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _one(case: Case, work: _Work) -> Generator[float, None, Classified]:
    model = work.model
    name = str(case.images[0]) if isinstance(case.images[0], Path) else case.name
    try:
        channels = load_channels(case, Dataset((case,), channels=model.channels))
        image = prepared_image(channels, model.preparation, model.patch, model.fit, model.frames)
    except InputError as problem:
        return Classified(name, "", {}, f"not usable: {problem}")
    try:
        shares = class_probabilities(work.network, image, model, work.machine, work.tta)
    except NotFiniteError as problem:  # of one image among many
        return Classified(name, "", {}, f"not usable: {problem}")
    attention = class_attention(work.network, image, model, work.machine)
    said = Classified(
        name,
        model.classes[int(shares.argmax())],
        dict(zip(model.classes, shares.tolist(), strict=True)),
        Usual.from_json(model.training.get("quality")).judge(look_at_image(image.numpy(), channels)),
        counted={} if attention is None else _counted(model, attention.tolist()),
    )
    if not work.explain:
        return said
    return (yield from _explained(said, channels, image, attention, work))


def _explained(
    said: Classified,
    channels: Sequence[Volume | None],
    image: torch.Tensor,
    attention: NDArray[np.float32] | None,
    work: _Work,
) -> Generator[float, None, Classified]:
    """The same with a heat map; where every modality has a branch, that of the one which counted most."""
    model = work.model
    of = work.of or said.predicted
    one_by_one = isinstance(work.network, SequenceClassifier)
    channel = 0 if attention is None or one_by_one else int(attention.argmax())
    # Seen together they lie as the first that is there; of a series, that has time.
    at = channel if channels[channel] is not None else next(k for k, one in enumerate(channels) if one is not None)
    if model.frames:
        at = next(k for k, one in enumerate(channels) if one is not None and one.frames > 1)
    seen = channels[at]
    assert seen is not None
    number = model.classes.index(of)
    found = yield from class_heat(work.network, image, model, number, work.method, work.layer, channel)
    restore = restore_series if model.frames else restore_fixed
    heat = restore(found, seen, model.preparation, model.fit)
    strongest = strongest_slices(heat)
    if attention is not None and strongest and one_by_one and getattr(work.network, "attention", None) is not None:
        # The network itself says how much each frame or slice counted.
        if model.frames:
            line = frames_back(model.frames, seen.frames) @ attention
            strongest[0] = strongest_slices(line.reshape(-1, 1, 1, 1))[0]
        else:
            each = np.broadcast_to(attention[:, None, None], tuple(image.shape[1:])).copy()
            axis = Grid.of(seen, model.preparation).order.axes[0]
            strongest[axis] = strongest_slices(restore_fixed(each, seen, model.preparation, model.fit))[axis]
    made_by = {**work.made_by, "class": of}
    if said.quality != GOOD:
        made_by["warnings"] = [f"the image is unlike those {model.name} was trained on: {said.quality}"]
    volume = Volume(
        heat,
        seen.affine,
        seen.axes,
        name=f"{seen.name} {of}".strip(),
        meta={"made_by": made_by},
    )
    return replace(said, heat=volume, explained=of, channel=model.channels[at], strongest=tuple(strongest))


def _progress(what: str, done: float, begin: float) -> Progress:
    spent = time.perf_counter() - begin
    return Progress(what, done, spent * (1 - done) / done if done else None)


def _covering(share: float, *, number: int, count: int, begin: float) -> Progress:
    return _progress("Covering parts of the image", (number + share) / count, begin)


def _counted(model: Model, attention: Sequence[float]) -> dict[str, float]:
    names = model.channels if model.network == "BranchClassifier" else map(str, range(len(attention)))
    return {name: round(share, 6) for name, share in zip(names, attention, strict=True)}


def _case(source: Path | str | Volume | Case | Mapping[str, Any], number: int) -> Case:
    if isinstance(source, Case):
        return source
    if isinstance(source, Volume):
        return Case(source.name or f"image {number + 1}", (source,))
    if isinstance(source, Mapping):
        return Case(str(source["name"]), tuple(source["images"]), channels=tuple(source.get("channels", ())))
    return Case(str(source), (Path(source),))


def _files(cases: Sequence[Case]) -> list[Path]:
    return [image for case in cases for image in case.images if isinstance(image, Path)]


def _heat_folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder for the heat maps")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"cannot write to {folder}: its parent folder does not exist; create it first")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise WorkError(f"could not make {folder}: {reason(problem)}") from problem
    return folder


def _targets(cases: Sequence[Case], folder: Path) -> list[Path]:
    """A file for each heat map, none of which is read; the number tells those of one name apart."""
    named = [Path(str(case.images[0]) if isinstance(case.images[0], Path) else case.name) for case in cases]
    stems = [path.name.split(".")[0] or f"image{number}" for number, path in enumerate(named)]
    shared = Counter(stem.casefold() for stem in stems)
    here = folder.resolve()
    # Where letters differ in case alone, many disks have one file.
    taken = {path.name.casefold() for path in _files(cases) if path.resolve().parent == here}
    targets = []
    for number, stem in enumerate(stems, 1):
        name = f"{stem}{HEAT}" if shared[stem.casefold()] == 1 else f"{stem}_{number}{HEAT}"
        further = count(number)
        while name.casefold() in taken:
            name = f"{stem}_{next(further)}{HEAT}"
        taken.add(name.casefold())
        targets.append(folder / name)
    return targets
