"""A model as a value: everything but its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.labels import LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.one_window import OneWindow
from napari_resmed.nets.size import fits_one_size
from napari_resmed.prepare.preparation import FITS, Preparation
from napari_resmed.volume import Volume

__all__ = ["CLASSIFICATION", "FORMAT", "Model"]

# Version of our part of metadata.json; raised when an older program could no longer read it.
FORMAT = 1
# The task of a model that tells what an image as a whole is.
CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Model:
    """What a model is, what it needs and what it answers.

    Parameters
    ----------
    name, version, description:
        For lists.
    network, arguments:
        A name of :data:`napari_resmed.nets.NETWORKS`, and what it is built from.
    preparation:
        How an image is made ready.
    patch:
        Window ``(z, y, x)`` in voxels of the network's grid.
    labels:
        The structures, in the order of the network's classes; see ``background_classes``. None in a model that
        classifies.
    channels:
        What each input channel is, e.g. ``("MR",)``.
    background_classes:
        The first so many classes of the network are background, the ``k``-th label is class ``k`` after them. A network
        that was trained on from another keeps the structures it no longer answers as such classes.
    regions:
        Where the network's classes may overlap: the label value of each, in order. Such a network has no class of
        background. Empty for any other.
    region_order:
        In which order the values of regions are written, a later one over those before. Empty: in that of the classes.
    members:
        How many networks of this kind there are, whose scores are averaged.
    even_windows:
        Whether windows are spread evenly over the image, as nnU-Net does it, instead of in fixed steps.
    overlap:
        Share of a window that its neighbour repeats, unless a person wants another.
    mirror_axes:
        Axes ``(0 z, 1 y, 2 x)`` along which a mirrored image gives the mirrored answer.
    quick_spacing_mm:
        A coarser spacing at which the network answers as well, in one window that holds the whole image where that is
        not too large, for a quick look; 0: none.
    mirror_pairs:
        Values of labels, left and right, that have to be exchanged in what is answered to an image mirrored along x.
    measured:
        Figures on named cases, as in the card.
    training:
        Plan, history, fingerprint of the data.
    cleanup:
        What is done to labels after the network, by value; those that are not named are left as they are.
    found_by:
        How its part is found in an image that shows much more than it was trained on; None: it is given the whole.
    one_window:
        How it answers an image in a single window; None: in windows of the patch.
    classes, fit, frames, temperature:
        Of a model that classifies (``task`` is :data:`CLASSIFICATION`): what an image may be, how it is brought to the
        size of the patch (see :func:`napari_resmed.prepare.fixed_size.fixed_size`), for series in time how many frames
        are made of theirs (else 0), and what the network's scores are divided by.
    folder:
        Where it was loaded from; None for one that was not saved yet.

    Raises
    ------
    ModelError
        If the parts contradict each other.
    """

    name: str
    network: str
    arguments: Mapping[str, Any]
    preparation: Preparation
    patch: tuple[int, int, int]
    labels: LabelSet
    channels: tuple[str, ...] = ("image",)
    version: str = "0.1.0"
    description: str = ""
    task: str = "segmentation"
    mirror_axes: tuple[int, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    background_classes: int = 1
    regions: tuple[int, ...] = ()
    members: int = 1
    even_windows: bool = False
    cleanup: Mapping[int, Cleanup] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    fit: str = ""
    temperature: float = 1.0
    region_order: tuple[int, ...] = ()
    overlap: float = 0.5
    frames: int = 0
    mirror_pairs: tuple[tuple[int, int], ...] = ()
    quick_spacing_mm: float = 0.0
    found_by: FoundBy | None = None
    one_window: OneWindow | None = None

    def __post_init__(self) -> None:
        if self.members < 1 or (self.regions and sorted(self.regions) != list(self.labels.values)):
            raise ModelError(f"the model {self.name} contradicts itself in its regions, or has no weights")
        if self.region_order and sorted(self.region_order) != sorted(self.regions):
            raise ModelError(f"the model {self.name} writes its regions as {self.region_order}, expected each once")
        if not 0 <= self.overlap < 1:
            raise ModelError(f"the windows of the model {self.name} overlap by {self.overlap}, expected 0 to 1")
        if self.quick_spacing_mm and not self.quick_spacing_mm > max(self.preparation.spacing_mm):
            raise ModelError(
                f"the model {self.name} looks quickly at {self.quick_spacing_mm:g} mm, expected a coarser spacing than "
                f"its own, {max(self.preparation.spacing_mm):g} mm"
            )
        if self.preparation.normalization and len(self.preparation.normalization) != len(self.channels):
            raise ModelError(
                f"the model {self.name} has {len(self.channels)} channels and normalizes "
                f"{len(self.preparation.normalization)}"
            )
        if self.classifies and (len(set(self.classes)) < max(2, len(self.classes)) or self.fit not in FITS):
            raise ModelError(f"the model {self.name} contradicts itself in its classes, or in how it sees an image")
        if self.found_by and self.classifies:
            raise ModelError(f"the model {self.name} tells what an image is as a whole, and finds no part of it")
        plain = self.preparation.interpolation == "linear" and not self.preparation.own_spacing
        plain = plain and not self.preparation.size and not fits_one_size(self.network, self.arguments)
        if self.one_window and (self.classifies or self.regions or not plain):
            raise ModelError(
                f"the model {self.name} answers in one window, expected one whose structures do not overlap, and that "
                "sees images linearly interpolated at its own spacing, in windows of any size"
            )
        if self.frames < 0 or self.frames == 1:
            raise ModelError(f"the model {self.name} sees {self.frames} frames of a series, expected several, or 0")
        says_what = self.classifies or (len(self.labels) and self.background_classes >= 1)
        if min(self.patch) < 1 or not self.channels or not says_what or not self.temperature > 0:
            raise ModelError(f"the model {self.name} says nothing of patch, labels, channels or background")
        paired = [value for pair in self.mirror_pairs for value in pair]
        if len(set(paired)) < len(paired) or not set(paired) <= set(self.labels.values):
            raise ModelError(f"the model {self.name} contradicts itself in which of its structures are left and right")
        unknown = sorted(set(self.cleanup) - set(self.labels.values))
        if unknown:
            raise ModelError(f"the model {self.name} wants the label {unknown[0]} cleaned up, which it does not have")
        # All our networks are built from these two; a description that contradicts them would fail in torch's words.
        for key, number in (("in_channels", len(self.channels)), ("out_channels", self.outputs)):
            if self.arguments.get(key, number) != number:
                raise ModelError(
                    f"the model {self.name} contradicts itself: its network has {key} {self.arguments[key]}, "
                    f"its description {number}"
                )

    @property
    def classifies(self) -> bool:
        """Whether it tells what an image as a whole is, and not where something is."""
        return self.task == CLASSIFICATION

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Size ``([t,] z, y, x)`` of an image as a model that classifies takes it."""
        return (self.frames, *self.patch) if self.frames else self.patch

    @property
    def outputs(self) -> int:
        """How many scores its network gives."""
        return len(self.classes) if self.classifies else len(self.class_values)

    @property
    def values(self) -> tuple[int, ...]:
        """Label values, background first."""
        return (0, *self.labels.values)

    @property
    def class_values(self) -> tuple[int, ...]:
        """Label value of every class of the network."""
        return self.regions or (0,) * self.background_classes + self.labels.values

    @property
    def by_slices(self) -> bool:
        """Whether its network is 2D and sees one slice after the other."""
        return self.arguments.get("spatial_dims") == 2

    @property
    def mirrored_classes(self) -> tuple[tuple[int, int], ...]:
        """``mirror_pairs`` by number, as the network gives its classes."""
        first, values = (0, self.regions) if self.regions else (self.background_classes, self.labels.values)
        number = {value: first + place for place, value in enumerate(values)}
        return tuple((number[one], number[other]) for one, other in self.mirror_pairs)

    def quick_look(self) -> Model:
        """The same model at its coarser spacing.

        Raises
        ------
        ModelError
            If it has none.
        """
        if not self.quick_spacing_mm:
            raise ModelError(f"the model {self.name} knows no quick look; segment with it as it is")
        coarser = replace(self.preparation, spacing_mm=(self.quick_spacing_mm,) * 3)
        return replace(self, preparation=coarser, quick_spacing_mm=0.0)

    def check_fits(self, volume: Volume) -> None:
        """Refuse an image this model cannot take.

        Raises
        ------
        ModelError
            If it does not segment, or the image is 2D, has a time axis, or another number of channels.
        """
        if self.classifies:
            raise ModelError(f"the model {self.name} tells what an image is, not where something is; classify with it")
        if "t" in volume.axes:
            raise ModelError(
                f"the image has {volume.frames} time points, the model {self.name} takes one: save the one you "
                "want as an image of its own (napari-resmed convert --time)"
            )
        if 1 in volume.grid_shape and not self.by_slices:
            flat = "×".join(str(size) for size in volume.grid_shape)
            raise ModelError(f"the image is 2D ({flat}), the model {self.name} needs a 3D volume")
        if volume.channels != len(self.channels):
            wanted = f"{len(self.channels)} ({', '.join(self.channels)})"
            raise ModelError(f"the image has {volume.channels} channels, the model {self.name} takes {wanted}")

    def to_json(self) -> dict[str, Any]:
        """Our part of ``metadata.json``."""
        seldom = {
            "regions": list(self.regions),
            "region_order": list(self.region_order),
            "members": self.members,
            "even_windows": self.even_windows,
            "overlap": self.overlap,
            "frames": self.frames,
            "mirror_pairs": [list(pair) for pair in self.mirror_pairs],
            "quick_spacing_mm": self.quick_spacing_mm,
        }
        usual = {
            "regions": [],
            "region_order": [],
            "members": 1,
            "even_windows": False,
            "overlap": 0.5,
            "frames": 0,
            "mirror_pairs": [],
            "quick_spacing_mm": 0.0,
        }
        cleanup = {str(value): wish.to_json() for value, wish in self.cleanup.items()}
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "network": {"name": self.network, "arguments": dict(self.arguments)},
            "preparation": self.preparation.to_json(),
            "patch": list(self.patch),
            "labels": self.labels.to_json(),
            "channels": list(self.channels),
            "background_classes": self.background_classes,
            "mirror_axes": list(self.mirror_axes),
            "measured": dict(self.measured),
            "training": dict(self.training),
            **{name: value for name, value in seldom.items() if value != usual[name]},
            **({"cleanup": cleanup} if cleanup else {}),
            **({"found_by": self.found_by.to_json()} if self.found_by else {}),
            **({"one_window": self.one_window.to_json()} if self.one_window else {}),
            **(
                {"classes": list(self.classes), "fit": self.fit, "temperature": self.temperature}
                if self.classifies
                else {}
            ),
        }

    @classmethod
    def from_json(cls, metadata: Mapping[str, Any], folder: Path | None = None) -> Model:
        """Read a whole ``metadata.json``.

        Raises
        ------
        ModelError
            If it was not written by this program, or is incomplete.
        """
        ours = metadata.get("resmed")
        if not isinstance(ours, Mapping):
            raise ModelError("metadata.json has no 'resmed' part: not a model of this program; import it first")
        if ours.get("format") != FORMAT:
            raise ModelError(f"the model has format {ours.get('format')}, expected {FORMAT}; update this program")
        try:
            z, y, x = (int(size) for size in ours["patch"])
            return cls(
                name=str(ours["name"]),
                network=str(ours["network"]["name"]),
                arguments=dict(ours["network"]["arguments"]),
                preparation=Preparation.from_json(ours["preparation"]),
                patch=(z, y, x),
                labels=LabelSet.from_json(ours["labels"]),
                channels=tuple(str(name) for name in ours["channels"]),
                version=str(metadata["version"]),
                description=str(metadata.get("description", "")),
                task=str(ours["task"]),
                mirror_axes=tuple(int(axis) for axis in ours["mirror_axes"]),
                measured=dict(ours.get("measured", {})),
                training=dict(ours.get("training", {})),
                folder=folder,
                background_classes=int(ours.get("background_classes", 1)),
                regions=tuple(int(value) for value in ours.get("regions", ())),
                members=int(ours.get("members", 1)),
                even_windows=bool(ours.get("even_windows", False)),
                classes=tuple(str(name) for name in ours.get("classes", ())),
                fit=str(ours.get("fit", "")),
                temperature=float(ours.get("temperature", 1.0)),
                cleanup={int(value): Cleanup.from_json(wish) for value, wish in ours.get("cleanup", {}).items()},
                region_order=tuple(int(value) for value in ours.get("region_order", ())),
                mirror_pairs=tuple((int(one), int(other)) for one, other in ours.get("mirror_pairs", ())),
                overlap=float(ours.get("overlap", 0.5)),
                frames=int(ours.get("frames", 0)),
                quick_spacing_mm=float(ours.get("quick_spacing_mm", 0.0)),
                found_by=FoundBy.from_json(ours.get("found_by")),
                one_window=OneWindow.from_json(ours.get("one_window")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise ModelError(f"metadata.json is incomplete or wrong at {problem}") from problem
