"""ResMed: segment, train and classify in 3D Slicer, with the same models as in napari.

Everything that computes runs in a process of its own; here are only the module, its panel and its test. Nothing below
is loaded before the core was installed, which the first click asks for.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ResMedLib import cases, class_cases, install
from ResMedLib.hierarchy import is_image
from ResMedLib.undo import can_undo, undo, worked_on


class ResMed(ScriptedLoadableModule):
    """What the application shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.parent.title = "ResMed"
        self.parent.categories = ["Segmentation"]
        self.parent.dependencies = [
            "Segmentations",
            "SubjectHierarchy",
            "Sequences",
            "Terminologies",
            "Plots",
            "Tables",
        ]
        self.parent.contributors = ["The napari-resmed developers"]
        self.parent.helpText = (
            "Choose a volume and a model, click Apply: named structures with their volumes. Correct them in the "
            "Segment Editor, click Train: a better model. Models are those of napari-resmed, in the same folder. "
            "Not for diagnosis."
        )
        self.parent.acknowledgementText = "Built on MONAI, PyTorch, SimpleITK and 3D Slicer."
        slicer.app.connect("startupCompleted()", self._load_terminology)

    def _load_terminology(self) -> None:
        """Offer the models' structures where the application asks what a segment is."""
        path = Path(__file__).parent / "Resources" / "ResMed.term.json"
        slicer.modules.terminologies.logic().LoadTerminologyFromFile(str(path))


class ResMedWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: three tabs, what is under way, Cancel and Undo."""

    def __init__(self, parent: Any = None) -> None:
        self.ui: Any = None
        self.logic: ResMedLogic | None = None
        self.parameters: Any = None
        self.has_core = False
        self._connection: int | None = None
        self._panels: list[Any] = []
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel; called when it is opened first."""
        from ResMedLib.classify_panel import ClassifyPanel
        from ResMedLib.progress import ProgressArea
        from ResMedLib.segment_panel import SegmentPanel
        from ResMedLib.train_panel import TrainPanel

        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/ResMed.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = ResMedLogic()
        ui = self.ui
        self.progress = ProgressArea(ui.progressBar, ui.statusLabel, ui.cancelButton, self.refresh)
        self.training = ProgressArea(ui.trainProgressBar, ui.trainStatusLabel, ui.trainCancelButton, self.refresh)
        self.segment_panel = SegmentPanel(self, self.progress)
        self.train_panel = TrainPanel(self, self.training)
        self.classify_panel = ClassifyPanel(self, self.progress)
        self._panels = [self.segment_panel, self.train_panel, self.classify_panel]
        ui.undoButton.connect("clicked()", self.undo)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_close)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_end_close)
        self._take_parameters()
        if install.is_installed():
            self._with_core()
        elif install.is_too_old():
            self.progress.say(
                "napari-resmed in Slicer's Python is older than this module; the first click brings it up to date, and "
                "asks before."
            )
        else:
            self.progress.say("The first click installs what ResMed needs; it asks before.")
        self.refresh()

    def cleanup(self) -> None:
        """The module is unloaded or the application ends."""
        if self.logic is not None:
            self.logic.close()
        self._let_parameters_go()
        self.removeObservers()

    def enter(self) -> None:
        """The panel is opened: models may have been made elsewhere."""
        self._take_parameters()
        if self.has_core:
            self.fill_models()
        self.refresh()

    def exit(self) -> None:
        """Another module is opened; jobs go on."""
        self._let_parameters_go()

    def onReload(self) -> None:
        """Load the module anew, ``ResMedLib`` included, which Slicer would leave as it was."""
        # Now, for what is loaded afterwards knows nothing of the workers that run.
        if self.logic is not None:
            self.logic.close()
        for name in [one for one in sys.modules if one.partition(".")[0] == "ResMedLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    @property
    def parameter_node(self) -> Any:
        """The node of the scene in which the choices are kept."""
        return self.parameters.parameterNode if self.parameters is not None else None

    def ensure_core(self) -> bool:
        """Whether the core is there, installed now if the person agrees."""
        if self.has_core:
            return True
        try:
            install.ensure_core()
        except install.InstallError as problem:
            self.progress.say(f"{problem}.")
            slicer.util.errorDisplay(f"{problem}.", "ResMed")
            return False
        self._with_core()
        # What there is to choose from is seen only now; the person should see it before anything runs.
        self.progress.say("Installed. Choose a model and click again.")
        return False

    def may_begin(self, area: Any) -> bool:
        """Whether a click may begin a job that is shown in an area of the panel."""
        return not area.is_running and self.ensure_core()

    def fill_models(self) -> None:
        """Read the lists of models anew."""
        from napari_resmed.models.catalogue import list_models

        for one in (self.segment_panel.models, self.train_panel.bases, self.classify_panel.models):
            one.fill()
        for problem in list_models()[1]:
            self.progress.say(f"A model was left out: {problem}.")

    def refresh(self, *_: Any) -> None:
        """Fit what can be clicked to what is chosen and what is under way."""
        if not self._panels:
            return
        for panel in self._panels:
            panel.refresh()
        self.ui.undoButton.enabled = can_undo() and not self.progress.is_running

    def undo(self) -> None:
        """Take away what the last click added; asks where somebody has painted on it since.

        Choices are what they were then. The lists to learn from, which take long to put together, stay.
        """
        changed = worked_on()
        question = f"{', '.join(changed)} was painted on since it was made. Take it away, with that work?"
        if not changed or slicer.util.confirmOkCancelDisplay(question, "ResMed"):
            with cases.KEPT.held(self.parameter_node), class_cases.KEPT.held(self.parameter_node):
                undo()
        self.refresh()

    def _with_core(self) -> None:
        self.has_core = True
        self.fill_models()
        self.refresh()
        self.logic.warm_up(self.segment_panel.models.chosen)

    def _take_parameters(self) -> None:
        if self.parameters is not None:
            return
        self.parameters = self.logic.getParameterNode()
        self.train_panel.take(self.parameters)
        # Not connectGui: it hands no tag back (Slicer issue 7547), so it could not be undone; when the panel is opened
        # again, what is still connected would take every list for its first entry.
        widgets = {one.property("SlicerParameterName"): one for one in vars(self.ui).values()}
        bound = {name: widget for name, widget in widgets.items() if name}
        self._connection = self.parameters.connectParametersToGui(bound)
        self.addObserver(self.parameter_node, vtk.vtkCommand.ModifiedEvent, self.refresh)
        if self.parameters.volume is None:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            self.parameters.volume = next(filter(is_image, volumes), None)

    def _let_parameters_go(self) -> None:
        if self.parameters is None:
            return
        self.parameters.disconnectGui(self._connection)
        self.removeObserver(self.parameter_node, vtk.vtkCommand.ModifiedEvent, self.refresh)
        self.parameters = None

    def _on_scene_start_close(self, *_: Any) -> None:
        # A training has its copy of everything, and goes on.
        self.progress.cancel()
        self.segment_panel.forget()
        self._let_parameters_go()

    def _on_scene_end_close(self, *_: Any) -> None:
        if self.parent.isEntered:
            self._take_parameters()
            if self.has_core:
                self.fill_models()
            self.refresh()


class ResMedLogic(ScriptedLoadableModuleLogic):
    """What scripts call; see the functions it hands over to. Each returns at once with a job that can be waited for.

    >>> logic = slicer.modules.resmed.widgetRepresentation().self().logic
    >>> made = logic.segment(slicer.util.getNode("MRHead"), "brain-mr").wait().result
    """

    def __init__(self) -> None:
        super().__init__()
        self._heard: Any = None

    def getParameterNode(self) -> Any:
        """The choices of the panel, typed; see :class:`ResMedLib.parameters.Parameters`."""
        from ResMedLib.parameters import Parameters

        node = super().getParameterNode()
        node.SetUndoEnabled(True)
        return Parameters(node)

    def segment(self, volumes: Any, model: str, on_event: Any = None, **options: Any) -> Any:
        """See :func:`ResMedLib.segment.segment`; one node or a list of channels."""
        nodes = list(volumes) if isinstance(volumes, list | tuple) else [volumes]
        return self._library("segment").segment(nodes, model, on_event or _nobody, **options)

    def segment_folder(self, item: int, model: str, on_event: Any = None, **options: Any) -> Any:
        """Segment every volume below an item of the subject hierarchy; see :class:`ResMedLib.batch.Batch`."""
        segment = self._library("segment").segment

        def one(node: Any, hear: Any, first: bool) -> Any:
            return segment([node], model, hear, new_step=first, **options)

        return self._library("batch").Batch(item, one, on_event or _nobody)

    def train(self, cases: Any, name: str, on_event: Any = None, **options: Any) -> Any:
        """See :func:`ResMedLib.train.train`; cases are pairs of a segmentation node and a list of its volume nodes."""
        case = self._library("cases").TrainCase
        pairs = [case(labels, tuple(images)) for labels, images in cases]
        return self._library("train").train(pairs, name, on_event or _nobody, **options)

    def train_classes(self, cases: Any, name: str, on_event: Any = None, **options: Any) -> Any:
        """See :func:`ResMedLib.train_classes.train_classes`; cases are pairs of a volume node and its class."""
        case = self._library("class_cases").ClassCase
        pairs = [case(volume, str(class_name)) for volume, class_name in cases]
        return self._library("train_classes").train_classes(pairs, name, on_event or _nobody, **options)

    def resume_training(self, name: str, on_event: Any = None) -> Any:
        """See :func:`ResMedLib.training_job.resume_training`."""
        return self._library("training_job").resume_training(name, on_event or _nobody)

    def classify(self, volumes: Any, model: str, on_event: Any = None, **options: Any) -> Any:
        """See :func:`ResMedLib.classify.classify`; one node or a list, of which a list in it is channels."""
        studies = list(volumes) if isinstance(volumes, list | tuple) else [volumes]
        return self._library("classify").classify(studies, model, on_event or _nobody, **options)

    def warm_up(self, model: Any) -> None:
        """Load libraries and model while the person is still looking for the button."""
        if model is not None:
            engine = self._library("engines").shared_engine()
            engine.submit("warm_up", {"model": str(model.folder)}, _nobody)

    def close(self) -> None:
        """End the workers and everything under way."""
        if install.is_installed():
            self._library("engines").close_engines()

    def _library(self, name: str) -> Any:
        """A part that needs the core.

        Raises
        ------
        InstallError
            If it is not installed; the panel asks, a script calls :func:`ResMedLib.install.ensure_core`.
        """
        if left := install.missing():
            what = "too old for this module" if install.is_too_old() else "not installed"
            raise install.InstallError(f"{left[0]} is {what}; call ResMedLib.install.ensure_core()")
        return importlib.import_module(f"ResMedLib.{name}")


class ResMedTest(ScriptedLoadableModuleTest):
    """Runs in the application: Reload and Test in the developer's part of the panel, or as a test of the build."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **_: Any) -> None:
        """Run all."""
        if not install.is_installed():
            self.delayDisplay("The core is not installed; click Apply in the panel first")
            return
        for test in (self.test_segment, self.test_cancel):
            self.setUp()
            test()

    def test_segment(self) -> None:
        """A volume that lies askew gets a segmentation that lies as it does."""
        volume = _ball()
        logic = ResMedLogic()
        made = logic.segment(volume, "brain-mr", device="cpu").wait()
        self.assertEqual(type(made).__name__, "Finished", made)
        segmentation = made.result.segmentation
        self.assertGreater(segmentation.GetSegmentation().GetNumberOfSegments(), 10)
        reference = segmentation.GetNodeReference(
            slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        )
        self.assertEqual(reference.GetID(), volume.GetID())

    def test_cancel(self) -> None:
        """A job that is cancelled leaves nothing in the scene."""
        before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        job = ResMedLogic().segment(_ball(), "brain-mr", device="cpu")
        job.cancel()
        self.assertEqual(job.wait().kind, "cancelled")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), before)


def _nobody(_: Any) -> None:
    """Listen to nothing."""


def _ball() -> Any:
    """A bright ball in a dark box, 3 mm, turned and sheared."""
    import numpy as np

    z, y, x = np.mgrid[:48, :48, :48] - 23.5
    voxels = np.where(z**2 + y**2 + x**2 < 18**2, 100, 5).astype(np.int16)
    matrix = [[2.9, 0.3, 0.2, -70], [-0.4, 2.9, 0.1, -60], [0.0, -0.2, 3.0, -80], [0, 0, 0, 1]]
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.array(matrix), name="ball")
