"""The Segment tab."""

from __future__ import annotations

from typing import Any

from ResMedLib.input_volumes import InputVolumes
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
        self.ui = ui = host.ui
        self.models = ModelList(host, ui.modelComboBox, ui.modelNote, "model", _models, none=NO_MODEL)
        self.inputs = InputVolumes(
            host,
            self.models,
            ui.modelComboBox,
            (ui.frameLabel, ui.frameSpinBox),
            (
                (ui.channel2Label, ui.channel2Selector),
                (ui.channel3Label, ui.channel3Selector),
                (ui.channel4Label, ui.channel4Selector),
            ),
            ("volume", "frame", "channel2", "channel3", "channel4"),
        )
        self.forget()
        self.ui.applyButton.connect("clicked()", self.apply)
        self.ui.batchApplyButton.connect("clicked()", self.apply_to_folder)

    def forget(self) -> None:
        """The scene is closed: in the next one, other volumes have the same identifiers."""
        self._proposed_for = ""  # which volume, by its identifier in the scene

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen."""
        parameters, running = self._host.parameters, self._progress.is_running
        self._propose_model()
        self.ui.applyButton.enabled = not running and parameters is not None and parameters.volume is not None
        self.ui.batchApplyButton.enabled = not running
        self.ui.quickCheckBox.enabled = self._knows_quick_look()
        self.inputs.refresh()

    def apply(self) -> None:
        """Segment the chosen volume."""
        if not self._host.may_begin(self._progress):
            return
        from ResMedLib.segment import segment

        nodes = [node for node in self.inputs.nodes if node is not None]
        model, frame, options = self.models.folder, self.inputs.frame, self._options()
        self._progress.run(lambda hear: segment(nodes, model, hear, frame=frame, **options), _made)

    def apply_to_folder(self) -> None:
        """Segment every volume below the chosen item of the subject hierarchy."""
        if not self._host.may_begin(self._progress):
            return
        item, model, options = self.ui.folderComboBox.currentItem(), self.models.folder, self._options()
        folder = self._host.logic.segment_folder
        self._progress.run(lambda hear: folder(item, model, hear, **options), _made_many, _left_of_many)

    def _propose_model(self) -> None:
        """Another model where this one is for other volumes."""
        volume = self._host.parameters.volume if self._host.parameters is not None else None
        if volume is None:
            self._proposed_for = ""
        if volume is None or self.models.chosen is None or volume.GetID() == self._proposed_for:
            return
        from napari_resmed.errors import ResMedError
        from napari_resmed.review.misfit import first_for
        from ResMedLib.volumes import source_of

        try:
            image = source_of(volume).volume
        except ResMedError:  # told when it is segmented
            return
        self._proposed_for = volume.GetID()
        self.models.propose(lambda models: first_for(image, models))

    def _knows_quick_look(self) -> bool:
        return self.models.chosen is not None and bool(self.models.chosen.quick_spacing_mm)

    def _options(self) -> dict[str, Any]:
        parameters = self._host.parameters
        return {
            "region": parameters.region,
            "device": parameters.device,
            "tta": parameters.mirrored,
            "quick": parameters.quick and self._knows_quick_look(),
            "uncertainty": parameters.uncertainty,
        }


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
