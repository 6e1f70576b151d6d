"""Slicer's own slice and 3D views, drawn without a window into arrays: by its slice logic and displayable managers.

Imported once a scene is there; see ``scripts.slicer_pictures``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from PIL import Image
from vtk.util import numpy_support

__all__ = ["VIEWS", "draw_3d", "draw_chart", "draw_slice", "joined"]

EDGE = 420
# Orientation of each slice view, in the order in which Slicer shows them.
VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
HALF = 0.5


def draw_slice(
    name: str, volume: Any, overlay: Any = None, at: np.ndarray | None = None, segmentation: Any = None
) -> np.ndarray:
    """One slice of a view, RGB ``(y, x, 3)``, with what the scene shows on it.

    Parameters
    ----------
    name:
        One of :data:`VIEWS`.
    volume, overlay:
        The background, and the volume over it.
    at:
        A point in mm, RAS, that the slice goes through; the middle of the volume where there is none.
    segmentation:
        The only one that is shown; where there is none, all are.
    """
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if segmentation is not None else ():
        node.GetDisplayNode().SetVisibility(node is segmentation)
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(slicer.modules.application)
    logic.SetMRMLScene(slicer.mrmlScene)
    view = logic.AddSliceNode(name)
    view.SetOrientation(VIEWS[name])
    view.SetDimensions(EDGE, EDGE, 1)
    composite = logic.GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(volume.GetID())
    if overlay is not None:
        composite.SetForegroundVolumeID(overlay.GetID())
        composite.SetForegroundOpacity(HALF)
    logic.FitSliceToBackground(EDGE, EDGE)
    if at is not None:
        view.JumpSliceByOffsetting(*(float(part) for part in at))
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
    picture = _picture(window, group)
    # Another slice of that view begins anew, not where this one was.
    for node in (composite, view):
        slicer.mrmlScene.RemoveNode(node)
    return picture


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


def draw_chart(chart: Any) -> np.ndarray:
    """A chart node by VTK's own chart, which Slicer's plot view is made of; its lines over the steps."""
    window, renderer = _window()
    renderer.SetBackground(1, 1, 1)
    actor, drawn = vtk.vtkContextActor(), vtk.vtkChartXY()
    drawn.SetTitle(chart.GetTitle())
    drawn.SetShowLegend(True)
    drawn.GetAxis(vtk.vtkAxis.BOTTOM).SetTitle(chart.GetXAxisTitle())
    drawn.GetAxis(vtk.vtkAxis.LEFT).SetTitle(chart.GetYAxisTitle())
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        line = drawn.AddPlot(vtk.vtkChart.LINE)
        line.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
        line.SetLabel(series.GetName())
        line.SetColorF(*series.GetColor())
        line.SetWidth(2)
    actor.GetScene().AddItem(drawn)
    actor.GetScene().SetRenderer(renderer)
    renderer.AddActor(actor)
    return _picture(window)


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


def _picture(window: Any, group: Any = None) -> np.ndarray:
    window.Render()
    taken = vtk.vtkWindowToImageFilter()
    taken.SetInput(window)
    taken.ReadFrontBufferOff()
    taken.Update()
    data = taken.GetOutput()
    width, height, _ = data.GetDimensions()
    array = numpy_support.vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3]
    if group is not None:
        group.SetMRMLDisplayableNode(None)
    return array.copy()


def joined(parts: list[np.ndarray]) -> Image.Image:
    """Two by two, or in a row."""
    rows = [parts[:2], parts[2:]] if len(parts) == 4 else [parts]
    return Image.fromarray(np.vstack([np.hstack(row) for row in rows]))
