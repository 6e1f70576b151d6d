"""The curves of a training under way: tables that grow, and a chart of them in a plot view."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from napari_resmed.events import Metric

__all__ = ["Curves"]

_BLUE, _ORANGE = (0.0, 0.447, 0.698), (0.902, 0.624, 0.0)


class Curves:
    """Loss and mean Dice over steps, in nodes of the scene.

    Parameters
    ----------
    name:
        Of the model that is being made.
    """

    def __init__(self, name: str) -> None:
        self.tables: dict[str, Any] = {}
        self.chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} training")
        self.chart.SetTitle(f"Training {name}")
        self.chart.SetXAxisTitle("Step")
        self.chart.SetYAxisTitle("Loss, Dice")
        for figure, colour in (("training loss", _BLUE), ("mean Dice", _ORANGE)):
            self._add(name, figure, colour)
        slicer.modules.plots.logic().ShowChartInLayout(self.chart)

    @property
    def nodes(self) -> list[Any]:
        """Every node that was made."""
        series = [self.chart.GetNthPlotSeriesNode(n) for n in range(self.chart.GetNumberOfPlotSeriesNodes())]
        return [self.chart, *self.tables.values(), *series]

    def add(self, metric: Metric) -> None:
        """Draw a figure, if it is one of those that are drawn."""
        node = self.tables.get(metric.name)
        if node is None:
            return
        table = node.GetTable()
        row = table.InsertNextBlankRow()
        table.SetValue(row, 0, vtk.vtkVariant(float(metric.step)))
        table.SetValue(row, 1, vtk.vtkVariant(float(metric.value)))
        table.Modified()
        node.Modified()

    def _add(self, name: str, figure: str, colour: tuple[float, float, float]) -> None:
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} {figure}")
        for title in ("Step", figure):
            column = vtk.vtkDoubleArray()
            column.SetName(title)
            table.AddColumn(column)
        series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", figure)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName("Step")
        series.SetYColumnName(figure)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetColor(*colour)
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())
        self.tables[figure] = table
