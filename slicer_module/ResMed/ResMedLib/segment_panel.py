"""The Segment tab."""

from __future__ import annotations

from typing import Any

from ResMedLib.model_list import ModelList
from ResMedLib.progress import ProgressArea

__all__ = ["SegmentPanel"]

NO_MODEL = "No model that segments is there; train one in the Train tab."


class SegmentPanel:
    """One volume, or every volume of a folder, with the chosen model.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``logic``, ``parameters``, ``may_begin``.
    progress:
        Where jobs are shown.
    """

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = host.ui
        self.models = ModelList(host, self.ui.modelComboBox, self.ui.modelNote, "model", _models, none=NO_MODEL)
        self.ui.applyButton.connect("clicked()", self.apply)
        self.ui.batchApplyButton.connect("clicked()", self.apply_to_folder)
        self.ui.modelComboBox.connect("currentIndexChanged(int)", self._on_model)

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen."""
        parameters, running = self._host.parameters, self._progress.is_running
        self.ui.applyButton.enabled = not running and parameters is not None and parameters.volume is not None
        self.ui.batchApplyButton.enabled = not running
        frames = self._frames()
        self.ui.frameLabel.visible = self.ui.frameSpinBox.visible = frames > 1
        self._show_channels()

    def apply(self) -> None:
        """Segment the chosen volume."""
        if not self._host.may_begin(self._progress):
            return
        from ResMedLib.segment import segment

        nodes, model, options = self._nodes(), self.models.folder, self._options()
        frame = self._host.parameters.frame if self._frames() > 1 else -1
        self._progress.run(lambda hear: segment(nodes, model, hear, frame=frame, **options), _made)

    def apply_to_folder(self) -> None:
        """Segment every volume below the chosen item of the subject hierarchy."""
        if not self._host.may_begin(self._progress):
            return
        item, model, options = self.ui.folderComboBox.currentItem(), self.models.folder, self._options()
        folder = self._host.logic.segment_folder
        self._progress.run(lambda hear: folder(item, model, hear, **options), _made_many, _left_of_many)

    def _nodes(self) -> list[Any]:
        """The chosen volumes, as many as the model has channels."""
        parameters = self._host.parameters
        chosen = [parameters.volume, parameters.channel2, parameters.channel3, parameters.channel4]
        return [chosen[0], *(node for node in chosen[1 : self._channels()] if node is not None)]

    def _options(self) -> dict[str, Any]:
        parameters = self._host.parameters
        return {
            "region": parameters.region,
            "device": parameters.device,
            "tta": parameters.mirrored,
            "uncertainty": parameters.uncertainty,
        }

    def _channels(self) -> int:
        model = self.models.chosen
        return len(model.channels) if model is not None else 1

    def _frames(self) -> int:
        parameters = self._host.parameters
        if parameters is None or parameters.volume is None or not self._host.has_core:
            return 1
        from ResMedLib.volumes import frames_of

        return frames_of(parameters.volume)

    def _on_model(self, _: int = 0) -> None:
        self._show_channels()

    def _show_channels(self) -> None:
        """A choice for every further channel the model has, named as the model names it."""
        model = self.models.chosen
        names = list(model.channels) if model is not None else []
        rows = (
            (self.ui.channel2Label, self.ui.channel2Selector),
            (self.ui.channel3Label, self.ui.channel3Selector),
            (self.ui.channel4Label, self.ui.channel4Selector),
        )
        for place, (label, selector) in enumerate(rows, 1):
            label.visible = selector.visible = place < len(names)
            if place < len(names):
                label.text = f"{names[place]}:"


def _models() -> list[Any]:
    from napari_resmed.models.catalogue import list_models

    return list_models("segmentation")[0]


def _made(result: Any, seconds: float) -> str:
    return (
        f"Made {result.segmentation.GetName()}: {result.structures} structures in {seconds:.1f} s. "
        "Correct it in the Segment Editor, then train on it."
    )


def _made_many(result: Any, seconds: float) -> str:
    said = f"Made {len(result.done)} segmentations in {seconds:.1f} s."
    for name, why in result.failed:
        said += f" {name} was left out: {why}."
    return said


def _left_of_many(batch: Any) -> str:
    done = len(batch.result.done) if batch is not None else 0
    return f"the {done} made before stay; Undo takes them away" if done else ""
