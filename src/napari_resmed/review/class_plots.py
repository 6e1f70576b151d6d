"""Plots of a classifier's answers, as SVG that stands in a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_resmed.review.class_scores import ClassEvaluation, reliability
from napari_resmed.review.plots import GRID, INK, POINT, STYLE, WRONG, svg
from napari_resmed.review.ranking import precision_recall_curve, roc_curve

__all__ = ["class_plots"]

# Okabe and Ito's colours, which any colour vision can tell apart; lines differ in their dashes too.
_COLOURS = (POINT, WRONG, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", "-.", ":")
# More lines than this cannot be told apart; more cells with their numbers do not fit.
MOST_LINES = 10
MOST_CELLS = 15


def class_plots(evaluation: ClassEvaluation) -> list[tuple[str, str]]:
    """Heading and ``<svg>`` of each: confusion matrix, ROC, precision and recall, reliability."""
    return [
        ("Confusion matrix", _drawn(evaluation, _confusion, "Cases by true and predicted class")),
        ("ROC", _drawn(evaluation, _roc, "True over false positive rate of every class")),
        ("Precision and recall", _drawn(evaluation, _precision_recall, "Precision over recall of every class")),
        ("Reliability", _drawn(evaluation, _reliability, "Share of right answers over how sure they were")),
    ]


def _drawn(evaluation: ClassEvaluation, draw: Callable[[Axes, ClassEvaluation], None], words: str) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.subplots()
        draw(axes, evaluation)
        axes.tick_params(length=0)
        axes.spines[["top", "right"]].set_visible(False)
        return svg(figure, words)


def _confusion(axes: Axes, evaluation: ClassEvaluation) -> None:
    counts = evaluation.confusion
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = evaluation.answers.classes
    if len(names) <= MOST_CELLS:
        for row, column in np.ndindex(counts.shape):
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def _roc(axes: Axes, evaluation: ClassEvaluation) -> None:
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    found = evaluation.answers
    for place, number in enumerate(_shown(evaluation)):
        true = found.truth == number
        if true.any() and not true.all():
            x, y = roc_curve(true, found.shares[:, number])
            axes.plot(x, y, **_line(place), label=_named(evaluation, number, "auc", "AUC"))
    _finished(axes, "false positive rate (1 - specificity)", "true positive rate (recall)", "lower right")


def _precision_recall(axes: Axes, evaluation: ClassEvaluation) -> None:
    found = evaluation.answers
    for place, number in enumerate(_shown(evaluation)):
        true = found.truth == number
        if true.any():
            precision, recall = precision_recall_curve(true, found.shares[:, number])
            axes.step(
                np.r_[0, recall],
                np.r_[precision[:1], precision],
                where="pre",
                **_line(place),
                label=_named(evaluation, number, "average_precision", "AP"),
            )
    _finished(axes, "recall", "precision", "lower left")


def _reliability(axes: Axes, evaluation: ClassEvaluation) -> None:
    sure, right, count = reliability(evaluation.answers)
    there = count > 0
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    axes.plot(sure[there], right[there], **_line(0), marker="o", markersize=3)
    for x, y, number in zip(sure[there], right[there], count[there], strict=True):
        axes.annotate(str(number), (x, y), textcoords="offset points", xytext=(4, -9), fontsize=7, color=INK)
    _finished(axes, "how sure the answer was", "share of right answers", "")


def _shown(evaluation: ClassEvaluation) -> range:
    # Of two classes one curve is the other's mirror image: the second class, as a rule the one looked for.
    count = len(evaluation.answers.classes)
    return range(1, 2) if count == 2 else range(min(count, MOST_LINES))


def _line(place: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": _DASHES[place % len(_DASHES)],
        "linewidth": 1.6,
        "clip_on": False,
    }


def _named(evaluation: ClassEvaluation, number: int, key: str, words: str) -> str:
    of = evaluation.classes[number]
    figure = of.figures[key]
    name = f"\N{ZERO WIDTH SPACE}{of.name}"  # what begins with "_" has no place in matplotlib's legends
    return name if figure is None else f"{name}: {words} {figure:.3f}"


def _finished(axes: Axes, x: str, y: str, legend: Any) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(loc=legend, frameon=False, fontsize=8)
