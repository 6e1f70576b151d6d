"""How the Dice falls as an image gets worse, drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from napari_resmed.review.plots import GRID, INK, POINT, STYLE, WRONG
from recipes.brain_mr.train import SPOILT

__all__ = ["sweep_plot"]

# What is drawn of thick slices, and what is said under it.
_THICK = {
    "1 mm": "1 mm",
    "5 mm, on their grid": "5 mm,\non their grid",
    "5 mm, repeated at 1 mm": "5 mm, repeated\nat 1 mm",
    "5 mm, true labels repeated at 1 mm": "true labels\nof 5 mm at 1 mm",
}


def sweep_plot(sweeps: Mapping[str, Mapping[str, float]]) -> bytes:
    """Mean Dice (0 to 1) over noise, over bias field, and of thick slices, side by side.

    Parameters
    ----------
    sweeps:
        ``noise`` and ``bias``: mean Dice by the standard deviation in words; ``thick_slices``: by what was judged;
        as of :func:`recipes.brain_mr.measure.sweeps`.

    Returns
    -------
    bytes
        A PNG.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 3.2), layout="constrained")
        noise, bias, thick = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1, 1.3))
        for axes, name, words, end in (
            (noise, "noise", "noise, sd in units of the brightest tissue", SPOILT.noise[1]),
            (bias, "bias", "bias field, sd of its logarithm", SPOILT.bias_strength[1]),
        ):
            axes.plot([float(amount) for amount in sweeps[name]], list(sweeps[name].values()), "o-", color=POINT)
            axes.axvline(end, color=WRONG, linestyle="--", linewidth=1)
            axes.annotate("training's end ", (end, 0.03), ha="right", color=INK)
            axes.set_xlabel(words)
        values = [sweeps["thick_slices"][name] for name in _THICK]
        thick.bar(list(_THICK.values()), values, color=[POINT, POINT, POINT, GRID], width=0.6)
        for place, value in enumerate(values):
            thick.annotate(f"{value:.3f}", (place, value), ha="center", va="bottom")
        thick.tick_params(axis="x", labelsize=7.5)
        thick.set_xlabel("slices")
        noise.set_ylabel("mean Dice")
        for axes in (noise, bias, thick):
            axes.set_ylim(0, 1)
            axes.grid(axis="y", color=GRID)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    return picture.getvalue()
