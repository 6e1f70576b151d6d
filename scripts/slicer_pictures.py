"""``python -m scripts.slicer_pictures IMAGE MODEL``: the pictures of docs/slicer.md, drawn without a window.

Run in the environment of ``make test-slicer``. A scene is filled by the module, then drawn by Slicer's own views: its
slice logic and displayable managers, offscreen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "slicer_module" / "ResMed"))

from tests.slicer import shim

shim.start()

import numpy as np
import slicer
import vtk
from PIL import Image
from vtk.util import numpy_support

from ResMedLib.classify import classify
from ResMedLib.engines import close_engines
from ResMedLib.segment import segment

IMAGES = ROOT / "docs" / "images"
EDGE = 420
AROUND = {"cerebral cortex", "cerebral white matter", "extra-cerebral CSF"}
# Orientation of each slice view, in the order in which Slicer shows them.
VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


def main(image: str, model: str, classifier: str = "") -> None:
    """Segment and draw; classify and draw where there is a model for it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(image)
    storage.ReadData(node)
    node.CreateDefaultDisplayNodes()
    made = segment([node], model, lambda event: None, device="cpu").wait().result
    made.segmentation.CreateClosedSurfaceRepresentation()
    display = made.segmentation.GetDisplayNode()
    for number in range(made.segmentation.GetSegmentation().GetNumberOfSegments()):
        key = made.segmentation.GetSegmentation().GetNthSegmentID(number)
        # What lies around everything else hides it; on the slices it is seen.
        if made.segmentation.GetSegmentation().GetSegment(key).GetName() in AROUND:
            display.SetSegmentVisibility3D(key, False)
    slices = [draw_slice(name, way, node) for name, way in VIEWS.items()]
    joined([slices[0], draw_3d(made.segmentation), *slices[1:]]).save(IMAGES / "slicer_segment.png", optimize=True)
    if classifier:
        made.segmentation.SetDisplayVisibility(False)
        (heat,) = classify([node], classifier, lambda event: None, device="cpu").wait().result.overlays
        joined([draw_slice(name, way, node, heat) for name, way in VIEWS.items()]).save(
            IMAGES / "slicer_classify.png", optimize=True
        )
    close_engines()


def draw_slice(name: str, orientation: str, volume: Any, overlay: Any = None) -> np.ndarray:
    """One slice through the middle, with what the scene shows on it."""
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(slicer.modules.application)
    logic.SetMRMLScene(slicer.mrmlScene)
    view = logic.AddSliceNode(name)
    view.SetOrientation(orientation)
    view.SetDimensions(EDGE, EDGE, 1)
    composite = logic.GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(volume.GetID())
    if overlay is not None:
        composite.SetForegroundVolumeID(overlay.GetID())
        composite.SetForegroundOpacity(0.5)
    logic.FitSliceToBackground(EDGE, EDGE)
    window, renderer = _window()
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    renderer.AddActor2D(actor)
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.modules.application)
    _register(factory, "vtkMRMLSegmentationsDisplayableManager2D")
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(view)
    return _picture(window, group)


def draw_3d(segmentation: Any) -> np.ndarray:
    """The surfaces, from the front and the left."""
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLViewNode", "view")
    view.SetBoxVisible(False)
    view.SetAxisLabelsVisible(False)
    window, renderer = _window()
    renderer.SetBackground(0.76, 0.76, 0.9)
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.modules.application)
    _register(factory, "vtkMRMLSegmentationsDisplayableManager3D")
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(view)
    window.Render()
    camera = renderer.GetActiveCamera()
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    middle = np.array([(bounds[k] + bounds[k + 1]) / 2 for k in (0, 2, 4)])
    camera.SetFocalPoint(*middle)
    camera.SetPosition(middle[0] - 300, middle[1] + 400, middle[2] + 150)
    camera.SetViewUp(0, 0, 1)
    renderer.ResetCamera(bounds)
    camera.Zoom(1.5)
    return _picture(window, group)


def _register(factory: Any, name: str) -> None:
    if not factory.IsDisplayableManagerRegistered(name):
        factory.RegisterDisplayableManager(name)


def _window() -> tuple[Any, Any]:
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(8)
    window.SetSize(EDGE, EDGE)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    return window, renderer


def _picture(window: Any, group: Any) -> np.ndarray:
    window.Render()
    taken = vtk.vtkWindowToImageFilter()
    taken.SetInput(window)
    taken.ReadFrontBufferOff()
    taken.Update()
    data = taken.GetOutput()
    width, height, _ = data.GetDimensions()
    array = numpy_support.vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3]
    group.SetMRMLDisplayableNode(None)
    return array.copy()


def joined(parts: list[np.ndarray]) -> Image.Image:
    """Two by two, or in a row."""
    rows = [parts[:2], parts[2:]] if len(parts) == 4 else [parts]
    return Image.fromarray(np.vstack([np.hstack(row) for row in rows]))


if __name__ == "__main__":
    main(*sys.argv[1:])
