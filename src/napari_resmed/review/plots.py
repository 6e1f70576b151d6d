"""Plots of an evaluation, as SVG that stands in a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from napari_resmed.review.metrics import METRICS, Metric
from napari_resmed.review.scores import Evaluation

__all__ = ["GRID", "INK", "POINT", "STYLE", "WRONG", "metric_plot", "svg"]

# One hue for everything measured, one for what went wrong (Okabe and Ito's blue and vermilion): which is which is
# also told by shape, so that no colour vision is needed.
POINT, BOX, INK, GRID, WRONG = "#0072B2", "#D5E6F2", "#1F2933", "#E4E7EB", "#D55E00"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "svg.fonttype": "none",  # text stays text: it can be found, read aloud, and is small
    "svg.hashsalt": "napari-resmed",  # the same figures give the same file
    "text.parse_math": False,  # a class or structure may be called "$x_$"
    "axes.edgecolor": GRID,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
# Where points are pixels rather than shapes: a browser draws some thousand shapes with ease.
_MANY_POINTS = 4000
_ROW_INCHES, _ROW_INCHES_MANY = 0.34, 0.21
_MANY_ROWS = 30
_JITTER = 0.22
# Where the largest figure is this many times what 95 % of them stay under, the axis is logarithmic beyond those.
_FAR, _MOST_PERCENT = 5.0, 95
_LINEAR_DECADES = 3.0


def metric_plot(evaluation: Evaluation, metric: Metric) -> str:
    """One row per label: a box over the cases (quartiles, median, 1.5 quartile distances) and every case as a point.

    What was missed, or found where nothing is, is a cross at its zero; metrics that have no figure for it leave it out.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    labels = evaluation.labels
    found = [_figures(evaluation, place, metric) for place in range(len(labels))]
    row = _ROW_INCHES if len(labels) <= _MANY_ROWS else _ROW_INCHES_MANY
    generator = np.random.default_rng(0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.75 + row * max(2, len(labels))), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(labels))
        boxes = [place for place in places if len(found[place][0]) + len(found[place][1]) > 3]
        if boxes:
            axes.boxplot(
                [found[place][0] + found[place][1] for place in boxes],
                positions=boxes,
                orientation="horizontal",
                widths=0.62,
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": BOX, "edgecolor": POINT, "linewidth": 0.8},
                medianprops={"color": INK, "linewidth": 1.6},
                whiskerprops={"color": POINT, "linewidth": 0.8},
                capprops={"color": POINT, "linewidth": 0.8},
                manage_ticks=False,
            )
        flatten = sum(len(good) + len(bad) for good, bad in found) > _MANY_POINTS
        for place, (good, bad) in zip(places, found, strict=True):
            spread = place + generator.uniform(-_JITTER, _JITTER, len(good))
            axes.scatter(good, spread, s=13, c=POINT, alpha=0.65, linewidths=0, zorder=3, rasterized=flatten)
            spread = place + generator.uniform(-_JITTER, _JITTER, len(bad))
            axes.scatter(bad, spread, s=24, c=WRONG, marker="x", linewidths=1.3, zorder=3, rasterized=flatten)
        axes.set_yticks(places, [label.name for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        bent = _scale(axes, metric, [figure for good, bad in found for figure in good + bad])
        axes.set_xlabel(f"{metric.title}{f' in {metric.unit}' if metric.unit else ''} ({_WORDS[metric.better]}{bent})")
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        return svg(figure, f"{metric.title} of every label, one point a case")


_WORDS = {"higher": "higher is better", "lower": "lower is better", "zero": "0 is best"}


def _scale(axes: mpl.axes.Axes, metric: Metric, figures: Sequence[float]) -> str:
    """Set the axis; returns what has to be said of it."""
    if metric.better == "higher":
        axes.set_xlim(-0.03, 1.03)
        return ""
    sizes = np.abs(figures) if len(figures) else np.ones(1)
    # One structure a hundred times too far or too large would squeeze all others onto the axis.
    most = max(float(np.percentile(sizes, _MOST_PERCENT)), 1.0)
    bent = sizes.max() > _FAR * most
    if bent:
        axes.set_xscale("symlog", linthresh=most, linscale=_LINEAR_DECADES)
        axes.xaxis.set_major_formatter(lambda place, _: f"{place:g}")
    if metric.better == "lower":
        axes.set_xlim(left=-0.02 * min(float(sizes.max()), _FAR * most) or -0.02)
    else:
        axes.axvline(0, color=INK, linewidth=0.8)
    return f"; logarithmic beyond {most:.2g}" if bent else ""


def _figures(evaluation: Evaluation, place: int, metric: Metric) -> tuple[list[float], list[float]]:
    """Of one label: what was compared, and what stands for a miss or a false alarm."""
    scores = [case.labels[place] for case in evaluation.cases]
    known = [(score.status, score.figure(metric)) for score in scores]
    good = [figure for status, figure in known if figure is not None and status == "compared"]
    bad = [figure for status, figure in known if figure is not None and status != "compared"]
    return good, bad


def svg(figure: Figure, words: str) -> str:
    """A figure as an ``<svg>`` element with a name for those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    return element.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)


PLOTTED = tuple(
    metric for metric in METRICS if metric.key in ("dice", "surface_dice", "hausdorff_95_mm", "volume_error_percent")
)
