"""What is chosen in the panel, as it is kept in the scene and saved with it.

The names are those of ``SlicerParameterName`` in the panel's ``.ui`` file, which connects each to its widget.
"""

from __future__ import annotations

from typing import Annotated, Union

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLVectorVolumeNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

__all__ = ["CARES", "CLASSES", "DEVICES", "IMAGES", "PAINTED", "Parameters"]

DEVICES = ["auto", "cpu", "cuda", "mps"]
# What the new model will tell: where something is, or what a volume as a whole is.
PAINTED, CLASSES = "painted structures", "classes of volumes"
CARES = ["bold", "normal", "careful"]
# Share of the training images that are painted from labels, by the words that napari's Train dock has for it.
IMAGES = {"as they are": None, "half painted from labels": 0.5, "all painted from labels": 1.0}
# Slicer asks for typing.Union, with None in it, where several kinds of nodes may be chosen.
Image = Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007


@parameterNodeWrapper
class Parameters:
    """Everything that can be chosen; see the panel's tooltips for what it means."""

    volume: Image
    channel2: Image
    channel3: Image
    channel4: Image
    # Of a sequence; -1 is the one that is shown.
    frame: Annotated[int, WithinRange(-1, 1_000_000)] = -1
    region: vtkMRMLMarkupsROINode
    model: str
    device: Annotated[str, Choice(DEVICES)] = "auto"
    quick: bool = False
    mirrored: bool = False
    uncertainty: bool = False

    task: Annotated[str, Choice([PAINTED, CLASSES])] = PAINTED
    className: str
    segmentation: vtkMRMLSegmentationNode
    trainVolume: Image
    trainChannel2: Image
    trainChannel3: Image
    trainChannel4: Image
    images: Annotated[str, Choice(list(IMAGES))] = "as they are"
    base: str
    newModel: str
    minutes: Annotated[float, WithinRange(0.05, 100_000.0)] = 10.0
    care: Annotated[str, Choice(CARES)] = "normal"

    classVolume: Image
    classChannel2: Image
    classChannel3: Image
    classChannel4: Image
    classFrame: Annotated[int, WithinRange(-1, 1_000_000)] = -1
    classModel: str
    explain: bool = True
