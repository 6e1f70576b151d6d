"""The Classify tab."""

from __future__ import annotations

from typing import Any

from ResMedLib.model_list import ModelList
from ResMedLib.progress import ProgressArea

__all__ = ["ClassifyPanel"]


class ClassifyPanel:
    """What a volume as a whole is; and every volume of a folder, in one table.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``ensure_core``.
    progress:
        Where jobs are shown.
    """

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = host.ui
        self.models = ModelList(self.ui.classModelComboBox, self.ui.classModelNote, "classification", self._keep_model)
        self.ui.classifyButton.connect("clicked()", self.classify)
        self.ui.classBatchApplyButton.connect("clicked()", self.classify_folder)

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen."""
        parameters, running = self._host.parameters, self._progress.is_running
        self.ui.classifyButton.enabled = not running and parameters is not None and parameters.classVolume is not None
        self.ui.classBatchApplyButton.enabled = not running

    def classify(self) -> None:
        """Classify the chosen volume."""
        if not self._progress.is_running and self._host.ensure_core():
            self._run([self._host.parameters.classVolume])

    def classify_folder(self) -> None:
        """Classify every volume below the chosen item of the subject hierarchy."""
        if self._progress.is_running or not self._host.ensure_core():
            return
        from ResMedLib.hierarchy import volumes_in

        self._run(volumes_in(self.ui.classFolderComboBox.currentItem()))

    def _run(self, nodes: list[Any]) -> None:
        from ResMedLib.classify import classify

        parameters, model = self._host.parameters, self.models.chosen
        folder = str(model.folder) if model is not None else ""
        options = {"explain": parameters.explain, "device": parameters.device}
        self._progress.run(lambda hear: classify(nodes, folder, hear, **options), _said)

    def _keep_model(self, name: str) -> None:
        if self._host.parameters is not None:
            self._host.parameters.classModel = name


def _said(result: Any, seconds: float) -> str:
    if len(result.predicted) == 1:
        what = result.predicted[0] or "not usable; the table says why"
        return f"It is {what} ({seconds:.1f} s); the table has the probabilities."
    return f"Classified {len(result.predicted)} volumes in {seconds:.1f} s; the table has the probabilities."
