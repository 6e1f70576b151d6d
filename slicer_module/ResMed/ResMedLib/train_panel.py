"""The Train tab."""

from __future__ import annotations

import re
from typing import Any

from ResMedLib.class_source import ClassSource
from ResMedLib.model_list import ModelList
from ResMedLib.painted_source import PaintedSource
from ResMedLib.progress import ProgressArea

__all__ = ["TrainPanel"]

# Classes that make up a name between them.
MOST_IN_A_NAME = 2


class TrainPanel:
    """Segments painted over volumes, or what volumes are, become a model.

    Parameters
    ----------
    host:
        The module's widget: its ``ui``, ``parameters``, ``parameter_node``, ``may_begin``, ``fill_models``.
    progress:
        Where trainings are shown.
    """

    def __init__(self, host: Any, progress: ProgressArea) -> None:
        self._host, self._progress = host, progress
        self.ui = host.ui
        self._name = ""  # of the training under way, or the last
        self._resumable = ""
        self._task = ""  # of which the models to start from are listed
        combo, note = self.ui.baseComboBox, self.ui.baseNote
        self.bases = ModelList(host, combo, note, "base", self._read_bases, scratch=True)
        self.painted = PaintedSource(host, progress, self.bases.choose)
        self.classes = ClassSource(host, progress)
        self.ui.trainButton.connect("clicked()", self.train)
        self.ui.stopButton.connect("clicked()", self.stop)
        self.ui.resumeButton.connect("clicked()", self.resume)

    @property
    def source(self) -> PaintedSource | ClassSource:
        """What is learnt from."""
        from ResMedLib.parameters import CLASSES

        parameters = self._host.parameters
        return self.classes if parameters is not None and parameters.task == CLASSES else self.painted

    def refresh(self) -> None:
        """Fit what can be clicked to what is chosen and to what is under way."""
        source, running = self.source, self._progress.is_running
        self.ui.paintedSource.visible = source is self.painted
        self.ui.classSource.visible = source is self.classes
        source.refresh()
        self.ui.trainButton.visible = not running
        self.ui.stopButton.visible = running
        self.ui.trainButton.enabled = source.is_ready
        if self._host.has_core and source.task != self._task:
            self.bases.fill()
        self._refresh_names()

    def take(self, parameters: Any) -> None:
        """Other choices are about to be shown, of a scene that was opened."""
        self.painted.take(parameters)

    def train(self) -> None:
        """Train on what is chosen, as it is now."""
        if not self._host.may_begin(self._progress):
            return
        parameters, source = self._host.parameters, self.source
        options = {
            "base": self.bases.folder,
            "minutes": parameters.minutes,
            "care": parameters.care,
            "device": parameters.device,
        }
        name = parameters.newModel.strip() or self._free_name()
        self._run(name, lambda hear: source.train(name, hear, **options))

    def resume(self) -> None:
        """Go on with the unfinished training that is offered."""
        name = self._resumable
        if not name or not self._host.may_begin(self._progress):
            return
        from ResMedLib.training_job import resume_training

        self._run(name, lambda hear: resume_training(name, hear))

    def stop(self) -> None:
        """End the training now and keep the best."""
        if self._progress.job is not None:
            self._progress.say("Stopping; the best so far is kept…")
            self._progress.job.ask("stop")

    def _run(self, name: str, start: Any) -> None:
        self._name = name
        self._progress.run(start, self._made, self._left)

    def _read_bases(self) -> list[Any]:
        from napari_resmed.models.catalogue import list_bases

        self._task = self.source.task
        return list_bases(self._task)

    def _refresh_names(self) -> None:
        """What the new model's name means, and which training can be gone on with."""
        name, self._resumable = "", ""
        if self._host.has_core and self._host.parameters is not None:
            from napari_resmed.models.catalogue import own_models_folder
            from napari_resmed.models.names import name_trouble
            from napari_resmed.train.own_trainings import is_unfinished, last_unfinished

            typed = self._host.parameters.newModel.strip()
            if typed and not name_trouble(typed) and (own_models_folder() / typed).exists():
                name = typed
            if not self._progress.is_running:
                named = next((one for one in (typed, self._name) if one and is_unfinished(one)), "")
                self._resumable = named or last_unfinished()
        self.ui.newModelNote.text = f"Takes the place of the model {name} when it is done."
        self.ui.newModelNote.visible = bool(name)
        self.ui.newModelEdit.placeholderText = self._free_name() if self._host.has_core else ""
        self.ui.unfinished.visible = bool(self._resumable)
        self.ui.unfinishedLabel.text = f"The training of {self._resumable} is unfinished."

    def _free_name(self) -> str:
        from napari_resmed.models.names import slug
        from napari_resmed.train.own_trainings import free_name

        base, names = self.bases.chosen, self.source.names
        if base is not None:
            return free_name("my-" + re.sub(r"^my-|-[0-9]+$", "", base.name), ())
        stem = slug("-or-".join(names)) if len(names) <= MOST_IN_A_NAME else ""
        return free_name(stem or "my-model", ())

    def _left(self, _: Any) -> str:
        """What is left of a training that gave no model."""
        from napari_resmed.train.own_trainings import is_unfinished

        return f"the training of {self._name} can be resumed" if is_unfinished(self._name) else ""

    def _made(self, result: dict[str, Any], seconds: float) -> str:
        self._host.fill_models()
        best, classes = result["best_metric"], "classes" in result["plan"]
        held = len(result["plan"].get("held_out", ()))
        where = f"{held} held-out case{'s' * (held > 1)}" if held else "the held-out slices"
        figure = "AUC" if classes else "mean Dice"
        good = f"{figure} {best:.2f} on {where}" if best is not None else "nothing was held out to measure"
        stopped = " It was stopped early; Resume trains on." if result["stopped"] else ""
        where = f"It is in the {'Classify' if classes else 'Segment'} tab's list, and in napari's."
        return f"Made {result['name']} in {seconds:.0f} s: {good}.{stopped} {where}"
