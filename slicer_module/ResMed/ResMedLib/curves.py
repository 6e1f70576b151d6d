"""The curves of a training under way: tables that grow, and a chart of them in a plot view."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from napari_resmed.events import Metric

__all__ = ["Curves"]

# What is drawn, by its name in :class:`napari_resmed.events.Metric`.
COLOURS = {
    "training loss": (0.0, 0.447, 0.698),
    "mean Dice": (0.902, 0.624, 0.0),
    "mean AUC": (0.902, 0.624, 0.0),
}


class Curves:
    """Loss, and mean Dice or area under the ROC curve, over steps, in nodes of the scene.

    Parameters
    ----------
    name:
        Of the model that is being made.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.tables: dict[str, Any] = {}
        self.chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} training")
        self.chart.SetTitle(f"Training {name}")
        self.chart.SetXAxisTitle("Step")
        slicer.modules.plots.logic().ShowChartInLayout(self.chart)

    def add(self, metric: Metric) -> None:
        """Draw a figure, if it is one of those that are drawn, and the chart is still there."""
        if metric.name not in COLOURS or not slicer.mrmlScene.IsNodePresent(self.chart):
            return
        if metric.name not in self.tables:
            self._begin(metric.name)
        node = self.tables[metric.name]
        table = node.GetTable()
        row = table.InsertNextBlankRow()
        table.SetValue(row, 0, vtk.vtkVariant(float(metric.step)))
        table.SetValue(row, 1, vtk.vtkVariant(float(metric.value)))
        table.Modified()
        node.Modified()

    def remove(self) -> None:
        """Take everything out of the scene again."""
        series = [self.chart.GetNthPlotSeriesNode(n) for n in range(self.chart.GetNumberOfPlotSeriesNodes())]
        for node in (self.chart, *series, *self.tables.values()):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)

    def _begin(self, figure: str) -> None:
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{self._name} {figure}")
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
        series.SetColor(*COLOURS[figure])
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())
        self.tables[figure] = table
        self.chart.SetYAxisTitle(", ".join(self.tables))
