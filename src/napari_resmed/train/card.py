"""The card of a model that a person trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_resmed.train.plan import AS_ASKED, Plan

__all__ = ["LICENCE", "training_card"]

LICENCE = (
    "This model was trained by its user on the user's own data. Whoever shares it decides its licence, and has to\n"
    "respect that of the data it was trained on.\n"
)


def training_card(
    plan: Plan,
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    history: Sequence[Mapping[str, Any]],
    seconds: float,
    little: str = "",
) -> str:
    """Model card in Markdown: data, figures, limits.

    Parameters
    ----------
    plan:
        What was decided.
    before, after:
        Dice by structure on what was held out.
    history:
        The looks at the held-out part.
    seconds:
        How long training took.
    little:
        Why the figures say little, in a sentence; empty where they do not.
    """
    held = f"{len(plan.held_out)} cases" if plan.held_out else "a block of slices of each"
    size = "×".join(str(edge) for edge in plan.patch)
    spacing = "×".join(f"{mm:g}" for mm in plan.preparation.spacing_mm)
    rows = [f"| {name} | {_figure(before.get(name))} | {_figure(value)} |" for name, value in after.items()]
    lines = [
        f"# {plan.name}",
        "",
        "Research only, not for diagnosis.",
        "",
        "## What it does",
        "",
        f"Finds {', '.join(label.name for label in plan.labels)} in {', '.join(plan.channels)} volumes.",
        "",
        "## Data",
        "",
        f"Trained on {len(plan.training)} cases of its user; {held} held out; {len(plan.left_out)} cases left out as "
        "unusable. The training's plan and history stand in `configs/metadata.json`.",
        "",
        *_painted(plan),
        "## Figures",
        "",
        f"Dice on what was held out, which also chose the best of {len(history)} stages and so flatters a little:",
        "",
        "| structure | before | after |",
        "| --- | --- | --- |",
        *rows,
        "",
        *([f"**{little[:1].upper()}{little[1:]}.**", ""] if little else []),
        "## How",
        "",
        f"{plan.network}, patches of {size} voxels at {spacing} mm (z, y, x), {plan.batch} a step"
        + (f", started from {plan.base}" if plan.base else ", from scratch")
        + f"; {seconds / 60:.1f} minutes.",
        "",
        "## Limits",
        "",
        "It knows scanners, protocols and patients like those it was trained on. Look at what it makes of others "
        "before relying on it.",
        "",
    ]
    return "\n".join(lines)


def _painted(plan: Plan) -> list[str]:
    if not plan.synthetic and "synthetic" not in plan.reasons:
        return []
    reason = plan.reasons.get("synthetic", AS_ASKED)
    some = plan.synthetic < 1 and reason != AS_ASKED  # of label maps without an image all are
    share = "Training images" if some else f"{plan.synthetic:.0%} of the training images"
    if some and plan.synthetic:
        reason += f", and {plan.synthetic:.0%} of the others'"
    return [
        f"{share} were painted from label maps, in any contrast "
        f"({reason}). On cases without an image of their own the figures below "
        "are those of painted images: expect less on real ones.",
        "",
    ]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
