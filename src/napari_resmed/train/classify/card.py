"""The card of a classifier that a person trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_resmed.train.classify.plan import ClassPlan

__all__ = ["class_card"]


def class_card(
    plan: ClassPlan,
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    history: Sequence[Mapping[str, Any]],
    seconds: float,
    figures: Mapping[str, float],
) -> str:
    """Model card in Markdown: data, figures, limits.

    Parameters
    ----------
    plan:
        What was decided.
    before, after:
        Area under the ROC curve by class on what was held out.
    history:
        The looks at the held-out part.
    seconds:
        How long training took.
    figures:
        Further figures, by name.
    """
    rows = [f"| {name} | {_figure(before.get(name))} | {_figure(value)} |" for name, value in after.items()]
    size = "×".join(str(edge) for edge in (plan.patch[1:] if plan.flat else plan.patch))
    if plan.frames:
        size = f"{plan.frames} frames of {size}"
    lines = [
        f"# {plan.name}",
        "",
        "Research only, not for diagnosis.",
        "",
        "## What it does",
        "",
        f"Tells {', '.join(plan.classes)} apart in {', '.join(plan.channels)} images.",
        "",
        "## Data",
        "",
        f"Trained on {len(plan.training)} cases of its user; {len(plan.held_out)} held out; {len(plan.left_out)} left "
        f"out as unusable, {len(plan.unusual)} looked unusual. The training's plan and history stand in "
        "`configs/metadata.json`.",
        "",
        "## Figures",
        "",
        f"Area under the ROC curve on what was held out, which also chose the best of {len(history)} stages and so "
        "flatters a little:",
        "",
        "| class | before | after |",
        "| --- | --- | --- |",
        *rows,
        "",
        "; ".join(f"{name} {value:.3f}" for name, value in figures.items()) + ".",
        "",
        "## How",
        "",
        f"{plan.network} on {plan.arguments.get('backbone', 'its network')}, images of {size} voxels, {plan.batch} a "
        "step" + (f", started from {plan.base}" if plan.base else ", from scratch") + f"; {seconds / 60:.1f} minutes.",
        "",
        "## Limits",
        "",
        "It knows scanners, protocols and patients like those it was trained on, and answers one of its classes for "
        "any image at all.",
        "",
    ]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
