"""What is said of images as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_resmed.io.tables import significant
from napari_resmed.volume import Volume

__all__ = ["Classification", "Classified"]


@dataclass(frozen=True, eq=False)
class Classified:
    """What was said of one image.

    Parameters
    ----------
    path:
        The file, or the volume's name.
    predicted:
        The class; empty where the image could not be used.
    probabilities:
        By class.
    quality:
        ``"good"``, or what is unusual about the image; or why it could not be used.
    heat:
        Where it speaks for a class, ``zyx`` in the image's geometry (``tzyx`` of a series); None where that was not
        asked for, or was written to a file.
    counted:
        How much each modality, by name, or each slice or frame as the network sees them, by number, counted; empty for
        a network that sees all together.
    explained:
        The class that ``heat`` speaks for.
    channel:
        The channel of the model in whose image ``heat`` lies: where every modality has a branch, the one that counted
        most.
    strongest:
        Along [t,] z, y and x of the image's array: the frame or slice that counted most, and its share of all. Empty
        where there is no heat.
    heat_file:
        Where the heat was written.
    """

    path: str
    predicted: str
    probabilities: dict[str, float]
    quality: str
    heat: Volume | None = None
    counted: dict[str, float] = field(default_factory=dict)
    explained: str = ""
    channel: str = ""
    strongest: tuple[tuple[int, float], ...] = ()
    heat_file: str = ""

    @property
    def failed(self) -> bool:
        """Whether it could not be used."""
        return not self.predicted


@dataclass(frozen=True)
class Classification:
    """What was said of all.

    Parameters
    ----------
    model, classes:
        Who said it, and between what it chose.
    images:
        One each, in the order given.
    seconds:
        All in all.
    """

    model: str
    classes: tuple[str, ...]
    images: tuple[Classified, ...]
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """A table: ``path, predicted, p_<class>..., quality``."""
        return [
            {
                "path": image.path,
                "predicted": image.predicted,
                **{f"p_{name}": _share(image.probabilities.get(name)) for name in self.classes},
                "quality": image.quality,
            }
            for image in self.images
        ]


def _share(probability: float | None) -> float | str:
    return "" if probability is None else significant(probability)
