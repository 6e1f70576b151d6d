"""The Train tab."""

from __future__ import annotations

import re
from typing import Any

from ResMedLib.cases import TrainCase, add_case, cases_of, remove_case
from ResMedLib.model_list import ModelList
from ResMedLib.progress import ProgressArea

__all__ = ["TrainPanel"]


class TrainPanel:
    """Segments painted over volumes become a model.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``parameter_node``, ``ensure_core``, ``fill_models``.
    progress:
        Where trainings are shown.
    """

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = host.ui
        self._rows: list[str] = []
        self._seen = ""  # the segmentation that was last proposed for
        self.bases = ModelList(self.ui.baseComboBox, None, "segmentation", self._keep_base, scratch=True)
        self.ui.trainButton.connect("clicked()", self.train)
        self.ui.stopButton.connect("clicked()", self.stop)
        self.ui.addCaseButton.connect("clicked()", self.add)
        self.ui.removeCaseButton.connect("clicked()", self.remove)
        self.ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._propose)

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen, and the list to the scene."""
        parameters, running = self._host.parameters, self._progress.is_running
        self.ui.trainButton.visible = not running
        self.ui.stopButton.visible = running
        self.ui.addCaseButton.enabled = parameters is not None and None not in (
            parameters.segmentation,
            parameters.trainVolume,
        )
        kept = cases_of(self._host.parameter_node) if self._host.parameter_node is not None else []
        rows = [
            f"{case.segmentation.GetName()} over {' + '.join(volume.GetName() for volume in case.volumes)}"
            for case in kept
        ]
        # Filled anew only where it changed: the selected row stays.
        if rows != self._rows:
            self._rows = rows
            self.ui.casesList.clear()
            for row in rows:
                self.ui.casesList.addItem(row)
        self.ui.removeCaseButton.enabled = bool(kept)
        self.ui.trainButton.enabled = bool(kept) or self.ui.addCaseButton.enabled

    def take(self, parameters: Any) -> None:
        """Other choices are about to be shown, of a scene that was opened: they stay as they were saved."""
        self._seen = parameters.segmentation.GetID() if parameters.segmentation is not None else ""

    def add(self) -> None:
        """Keep the chosen segmentation and volumes as a case."""
        add_case(self._host.parameter_node, self._chosen())
        self.refresh()

    def remove(self) -> None:
        """Forget the case that is selected."""
        remove_case(self._host.parameter_node, self.ui.casesList.currentRow)
        self.refresh()

    def train(self) -> None:
        """Train on the cases, as they are now."""
        if self._progress.is_running or not self._host.ensure_core():
            return
        from ResMedLib.train import train

        parameters, base = self._host.parameters, self.bases.chosen
        cases = cases_of(self._host.parameter_node) or [self._chosen()]
        options = {
            "base": str(base.folder) if base is not None else "",
            "minutes": parameters.minutes,
            "only_painted": parameters.onlyPainted,
            "care": parameters.care,
            "device": parameters.device,
        }
        name = parameters.newModel.strip() or self._free_name()
        parameters.newModel = name
        self._progress.run(lambda hear: train(cases, name, hear, **options), self._made)

    def stop(self) -> None:
        """End the training now and keep the best."""
        if self._progress.job is not None:
            self._progress.say("Stopping; the best so far is kept…")
            self._progress.job.ask("stop")

    def _chosen(self) -> TrainCase:
        chosen = self._host.parameters
        further = (chosen.trainChannel2, chosen.trainChannel3, chosen.trainChannel4)
        return TrainCase(chosen.segmentation, (chosen.trainVolume, *(one for one in further if one is not None)))

    def _propose(self, _: Any = None) -> None:
        """The volume a segmentation was drawn over, and the model that made it, if one did."""
        node, parameters = self.ui.segmentationSelector.currentNode(), self._host.parameters
        if node is None or parameters is None or node.GetID() == self._seen or not self._host.has_core:
            return
        self._seen = node.GetID()
        # Before anything else is kept: every change shows all that is kept, and would take the choice back.
        parameters.segmentation = node
        from ResMedLib.painted import reference_of
        from ResMedLib.segmentations import made_by

        reference = reference_of(node)
        if reference is not None:
            parameters.trainVolume = reference
        model = made_by(node).get("model", "")
        if model:
            self.bases.choose(model)
            self._keep_base(model)

    def _keep_base(self, name: str) -> None:
        if self._host.parameters is not None:
            self._host.parameters.base = name

    def _free_name(self) -> str:
        from napari_resmed.models.catalogue import own_models_folder

        base = self.bases.chosen
        stem = "my-" + re.sub(r"^my-|-[0-9]+$", "", base.name if base is not None else "model")
        number, name = 1, stem
        while (own_models_folder() / name).exists() or (own_models_folder() / f".{name}.training").exists():
            number += 1
            name = f"{stem}-{number}"
        return name

    def _made(self, result: dict[str, Any], seconds: float) -> str:
        self._host.fill_models()
        best = result["best_metric"]
        good = f"mean Dice {best:.2f} on what was held out" if best is not None else "nothing was held out to measure"
        return f"Made {result['name']} in {seconds:.0f} s: {good}. It is in the Segment tab's list, and in napari's."
