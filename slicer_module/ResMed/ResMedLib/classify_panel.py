"""The Classify tab."""

from __future__ import annotations

from typing import Any

from ResMedLib.hierarchy import volumes_in
from ResMedLib.input_volumes import InputVolumes
from ResMedLib.model_list import ModelList
from ResMedLib.progress import ProgressArea

__all__ = ["ClassifyPanel"]

NO_MODEL = "No model that classifies is there yet; train one in the Train tab, from classes of volumes."


class ClassifyPanel:
    """What a volume as a whole is; and every volume of a folder, in one table.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``may_begin``.
    progress:
        Where jobs are shown.
    """

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = ui = host.ui
        combo, note = ui.classModelComboBox, ui.classModelNote
        self.models = ModelList(host, combo, note, "classModel", _models, none=NO_MODEL)
        self.inputs = InputVolumes(
            host,
            self.models,
            combo,
            (ui.classFrameLabel, ui.classFrameSpinBox),
            (
                (ui.classChannel2Label, ui.classChannel2Selector),
                (ui.classChannel3Label, ui.classChannel3Selector),
                (ui.classChannel4Label, ui.classChannel4Selector),
            ),
            ("classVolume", "classFrame", "classChannel2", "classChannel3", "classChannel4"),
        )
        self.ui.classifyButton.connect("clicked()", self.classify)
        self.ui.classBatchApplyButton.connect("clicked()", self.classify_folder)

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen."""
        # Before the core is there a click installs it.
        may = not self._progress.is_running and (self.models.chosen is not None or not self._host.has_core)
        self.ui.classifyButton.enabled = may and any(node is not None for node in self.inputs.nodes)
        self.ui.classBatchApplyButton.enabled = may
        self.inputs.refresh()

    def classify(self) -> None:
        """Classify the chosen volume, or the chosen channels together."""
        if self._host.may_begin(self._progress):
            self._run([self.inputs.nodes], frame=self.inputs.frame)

    def classify_folder(self) -> None:
        """Classify every volume below the chosen item of the subject hierarchy."""
        if self._host.may_begin(self._progress):
            self._run(volumes_in(self.ui.classFolderComboBox.currentItem()))

    def _run(self, studies: list[Any], **more: Any) -> None:
        from ResMedLib.classify import classify

        parameters, model = self._host.parameters, self.models.folder
        options = {"explain": parameters.explain, "device": parameters.device, **more}
        self._progress.run(lambda hear: classify(studies, model, hear, **options), _said)


def _models() -> list[Any]:
    from napari_resmed.models.catalogue import list_models

    return list_models("classification")[0]


def _said(result: Any, seconds: float) -> str:
    if len(result.predicted) == 1:
        what = result.predicted[0] or "not usable; the table says why"
        return f"It is {what} ({seconds:.1f} s); the table has the probabilities."
    return f"Classified {len(result.predicted)} volumes in {seconds:.1f} s; the table has the probabilities."
