"""Write the model folder: weights, metadata, card, pictures of failures."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from napari_resmed.models.model import Model
from napari_resmed.models.one_window import OneWindow
from napari_resmed.models.save import save_model
from napari_resmed.prepare.preparation import Preparation
from recipes.brain_mr.anatomy import CSF
from recipes.brain_mr.labels import cleanup, labels, mirror_pairs
from recipes.brain_mr.sweep_plot import sweep_plot
from recipes.brain_mr.train import ARGUMENTS, NETWORK, QUICK_MM, STAGES
from recipes.stored_weights import stored_weights

VERSION = "0.9.0"
CHANGELOG = {
    "0.9.0": "trained on; the same structures; the brain is looked for at 2 mm",
    "0.8.0": "a finer grid, 1.3 mm, and a network with more channels where it sees detail",
    "0.7.1": "the same weights; the brain is found first, and answered in one window, as it is and mirrored",
    "0.7.0": "trained on; the same structures",
    "0.6.0": "trained on; the same structures",
    "0.5.0": "trained on, in longer steps; stray pieces are taken away",
    "0.4.0": "trained on; the same structures",
    "0.3.0": "trained on; the same structures",
    "0.2.0": "left and right apart; T2, PD, FLAIR and contrast agent beside T1; a quick look at 2 mm",
    "0.1.0": "first version",
}
COMMAND = "python -m recipes.brain_mr --labelmaps ../shared/data/brain_labelmaps --work .runs/brain-mr"
# Where the network answers, and how where one window is too small: as the last patches were that it was trained on.
SPACING_MM, WINDOW, OVERLAP = STAGES[-1].spacing_mm, (STAGES[-1].patch,) * 3, 0.25
# More than any brain with its margin on that grid, so that fluid found astray does no harm. What surrounds a brain is
# not needed, as images of training show: half of them are stripped, others end near it. The look is as coarse as whole
# heads of training were: coarser ones find pieces of a brain in a neck or a face. Fluid is found there at 2 mm, too.
ONE_WINDOW = OneWindow(voxels=176 * 144 * 144, look_mm=QUICK_MM, margin_mm=10.0, mirrored=True, passed_over=(CSF,))

# The picture of the sweeps, in ``docs``.
SWEEPS = "sweeps.png"


@dataclass(frozen=True)
class Measured:
    """What is known of how good a model is.

    Parameters
    ----------
    figures:
        By what was measured, as in :mod:`recipes.brain_mr.measure`.
    familiar:
        What the network finds on images it was made for.
    failures:
        The worst images: what is seen in words, and a PNG.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    familiar: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[tuple[str, bytes]] = ()


def averaged_weights(work: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The averaged weights of a run in half precision; what was asked of it, its steps, minutes and device."""
    state = torch.load(work / "checkpoint.pt", weights_only=True, map_location="cpu")
    average = state["average"].items()
    weights = stored_weights(
        {name.removeprefix("module."): tensor for name, tensor in average if name.startswith("module.")}
    )
    run = {"steps": state["step"], "spent": round(state["spent"] / 60, 1), "device": state.get("device", "a CPU")}
    return weights, {"batch": 1, "optimiser": "adamw", **state["asked"], **run}


def write_model(work: Path, folder: Path, label_maps: Sequence[Path], measured: Measured) -> Model:
    """Write the folder of the model as the run stands now.

    Parameters
    ----------
    work:
        The run's folder.
    folder:
        The model's; what is there is replaced.
    label_maps:
        What was trained on.
    measured:
        What is known of it.
    """
    weights, run = averaged_weights(work)
    options = " --begin-with MODEL" if run["begun_with"] else ""
    options += f" --batch {run['batch']}" if run["batch"] > 1 else ""
    training = {
        "command": f"{COMMAND} --minutes {run['minutes']:g} --seed {run['seed']}{options}",
        "begun_with": run["begun_with"],
        "seed": run["seed"],
        "steps": run["steps"],
        "minutes": run["spent"],
        "device": run["device"],
        "optimiser": run["optimiser"],
        "plan": run["stages"],
        "contrasts": run["contrasts"],
        "history": _history(work),
        "familiar": dict(measured.familiar),
        "data": {"label_maps": [path.name for path in label_maps], "sha256": _fingerprint(label_maps)},
    }
    model = Model(
        name="brain-mr",
        network=NETWORK,
        arguments=ARGUMENTS,
        preparation=Preparation((SPACING_MM,) * 3),
        patch=WINDOW,
        overlap=OVERLAP,
        labels=labels(),
        channels=("MR",),
        version=VERSION,
        description="Brain structures, left and right, in MR of adults of any contrast, whole head or skull-stripped",
        mirror_axes=(2,),
        mirror_pairs=mirror_pairs(),
        cleanup=cleanup(),
        quick_spacing_mm=QUICK_MM,
        one_window=ONE_WINDOW,
        measured=dict(measured.figures),
        training=training,
    )
    licence = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")
    pictures = {Path("docs") / f"worst{number}.png": png for number, (_, png) in enumerate(measured.failures, 1)}
    if "sweeps" in measured.figures:
        pictures[Path("docs") / SWEEPS] = sweep_plot(measured.figures["sweeps"])
    return save_model(
        model,
        weights,
        folder,
        card=card(model, [words for words, _ in measured.failures]),
        licence=licence,
        changelog=CHANGELOG,
        files=pictures,
    )


def _fingerprint(label_maps: Sequence[Path]) -> str:
    """One digest over the files that were trained on, in order."""
    digest = hashlib.sha256()
    for path in label_maps:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _history(work: Path) -> list[dict[str, float]]:
    """Loss and soft Dice by the minute, thinned to about forty points."""
    with (work / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    step = max(1, len(rows) // 40)
    names = ("step", "minutes", "spacing_mm", "loss", "soft_dice")
    return [{name: float(row[name]) for name in names} for row in rows[::step]]


def card(model: Model, failures: Sequence[str] = ()) -> str:
    """The model card, from what was measured."""
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    held_out = model.measured.get("held_out_maps", {})
    rows = "\n".join(
        f"| {label.value} | {label.name} | "
        + (
            f"{scores['mean']:.3f} ± {scores['sd']:.3f}"
            if (scores := held_out.get("structures", {}).get(label.name))
            else "not measured"
        )
        + f" | {label.code.value if label.code else 'none'} |"
        for label in model.labels
    )
    figures: dict[str, Any] = {}
    for name, wanted in _FIGURES.items():
        found = model.measured
        for part in wanted.split("/"):
            found = found.get(part, {})
        figures[name] = found if found != {} else "not measured"
    training, sweeps = model.training, model.measured.get("sweeps")
    return text.format(
        version=model.version,
        spacing=model.preparation.spacing_mm[0],
        quick=model.quick_spacing_mm,
        look=model.one_window.look_mm if model.one_window else "",
        structures=len(model.labels),
        minutes=training["minutes"],
        optimiser={"muon": "Muon (Jordan et al. 2024)", "adamw": "AdamW"}[training["optimiser"]],
        steps=training["steps"],
        device=training["device"],
        maps=len(training["data"]["label_maps"]),
        spacings=" and ".join(f"{spacing:g} mm" for spacing in _spacings(training["plan"])),
        schedule="Coarse to fine; " if training["plan"][0]["spacing_mm"] > SPACING_MM else "",
        whole=_whole_heads(training["plan"]),
        shares=_shares(training["contrasts"]["usual"]),
        last_shares=_shares(training["contrasts"]["mostly_t1"]),
        begun=f" It began with the weights of version {training['begun_with']}." if training["begun_with"] else "",
        command=training["command"],
        rows=rows,
        contrasts=_table("contrast", "mean Dice", held_out.get("contrasts", {})),
        noise=_table("noise", "mean Dice", model.measured.get("sweeps", {}).get("noise", {})),
        sweeps=f"![Mean Dice over noise, bias field, and of slices of 5 mm]({SWEEPS})" if sweeps else "",
        bias=_table("bias field", "mean Dice", model.measured.get("sweeps", {}).get("bias", {})),
        failures="\n\n".join(f"![{words}](worst{k}.png)\n\n{k}. {words}" for k, words in enumerate(failures, 1)),
        **figures,
    )


# What the card tells, and where it lies in what was measured.
_FIGURES = {
    "images": "held_out_maps/images",
    "mean_dice": "held_out_maps/mean_dice",
    "worst": "held_out_maps/worst_image",
    "quick_dice": "held_out_maps/quick",
    "grey": "mni152/gm",
    "white": "mni152/wm",
    "white_all": "mni152/wm_with_brainstem",
    "quick_grey": "mni152_quick/gm",
    "quick_white": "mni152_quick/wm",
    "thin": "sweeps/thick_slices/1 mm",
    "thick": "sweeps/thick_slices/5 mm, on their grid",
    "thick_repeated": "sweeps/thick_slices/5 mm, repeated at 1 mm",
    "thick_most": "sweeps/thick_slices/5 mm, true labels repeated at 1 mm",
    "orders": "axis_orders",
    "seconds": "speed/seconds",
    "quick_seconds": "speed/quick_seconds",
    "memory": "speed/peak_memory_mb",
    "machine": "speed/machine",
}


def _spacings(plan: Sequence[Mapping[str, Any]]) -> list[float]:
    """Of what the run's steps saw, finest first."""
    whole = {QUICK_MM for stage in plan if stage.get("whole")}
    return sorted(whole | {stage["spacing_mm"] for stage in plan})


def _whole_heads(plan: Sequence[Mapping[str, Any]]) -> str:
    shares = sorted({stage["whole"] for stage in plan if stage.get("whole")})
    if not shares:
        return ""
    when = " " if plan[0].get("whole") else " In later stages "
    return f"{when}{shares[-1]:.0%} of the steps saw a whole head at {QUICK_MM:g} mm, as a quick look does."


def _shares(contrasts: Mapping[str, float]) -> str:
    return ", ".join(f"{share:.0%} {name}" for name, share in contrasts.items())


def _table(first: str, second: str, rows: Mapping[str, float]) -> str:
    lines = [f"| {first} | {second} |", "| --- | --- |", *(f"| {name} | {value:.3f} |" for name, value in rows.items())]
    return "\n".join(lines)


def load(work: Path) -> Measured:
    """What was measured before, without pictures."""
    path = work / "measured.json"
    if not path.exists():
        return Measured()
    plain = json.loads(path.read_text(encoding="utf-8"))
    return Measured(plain["figures"], plain["familiar"])


def keep(work: Path, measured: Measured) -> None:
    """Keep the figures in the run's folder."""
    plain = {name: value for name, value in asdict(measured).items() if name != "failures"}
    (work / "measured.json").write_text(json.dumps(plain, indent=2), encoding="utf-8")
