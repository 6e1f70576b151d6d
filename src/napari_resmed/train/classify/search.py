"""Looking for better hyper-parameters: a small space, and what was tried of it, in a file that people can read.

What is held out has no say: every trial learns from a part of the cases that are learnt from, and is judged by the rest
of them, so that the figures of the model that comes out flatter no more than without a search.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.whole_file import whole_file
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.split import split_cases

if TYPE_CHECKING:
    import optuna

__all__ = ["Searched", "Tried", "ask", "changed", "in_words", "trial_plan"]

# Of each: least, most, and whether it is the figure or its logarithm that is spread evenly. The rate and the strength
# of the augmentation are factors of what was planned.
SPACE: dict[str, tuple[float, float, bool]] = {
    "rate": (0.2, 5.0, True),
    "weight_decay": (1e-4, 1e-1, True),
    "label_smoothing": (0.0, 0.15, False),
    "dropout": (0.0, 0.5, False),
    "augmentation": (0.0, 2.0, False),
    "crop": (0.0, 0.3, False),
}
# Where training starts from a trained network.
SPACE_TUNING = {"layer_decay": (0.5, 1.0, False)}
# What it is divided into at most: fewer trials find nothing, shorter ones tell nothing.
TRIALS, LEAST_TRIAL_SECONDS = 12, 20.0
# Where steps are planned and not minutes, a trial makes this share of them.
STEPS_SHARE = 0.25
# So many are drawn by chance before what was learnt from them is followed.
BY_CHANCE = 4
# Parts of its time, of those that looks are counted in, in which no trial is given up.
SETTLED = 2
_DIGITS = 5


@dataclass(frozen=True)
class Tried:
    """One trial: where in the space, the area under the ROC curve by look, the best, and whether it ran to its end."""

    values: Mapping[str, float]
    looks: Mapping[int, float]
    best: float
    whole: bool


@dataclass
class Searched:
    """What was tried so far, and how long it took."""

    seconds: float
    tried: list[Tried]

    @classmethod
    def load(cls, path: Path) -> Searched:
        """What :meth:`save` wrote; nothing where nothing was.

        Raises
        ------
        InputError
            If it is damaged.
        """
        if not path.is_file():
            return cls(0.0, [])
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            tried = [
                Tried(
                    {str(name): float(value) for name, value in of["values"].items()},
                    {int(step): float(value) for step, value in of["looks"].items()},
                    float(of["best"]),
                    bool(of["whole"]),
                )
                for of in plain["tried"]
            ]
            return cls(float(plain["seconds"]), tried)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise InputError(f"the unfinished training in {path.parent} is damaged; start it anew") from problem

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        plain = {"seconds": round(self.seconds, 1), "tried": [asdict(tried) for tried in self.tried]}
        with whole_file(path) as part:
            part.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")

    @property
    def best(self) -> Tried | None:
        """The best of those that ran to their end; of equals the first, which is what was planned."""
        return max((tried for tried in self.tried if tried.whole), key=lambda tried: tried.best, default=None)


def trial_plan(plan: ClassPlan, dataset: Dataset) -> ClassPlan:
    """The plan of a trial: shorter, on a part of the cases that are learnt from, judged by the others of them.

    Raises
    ------
    InputError
        If a class has too few patients among them.
    """
    of = {case.name: case for case in dataset.cases}
    number = {name: place for place, name in enumerate(dataset.classes)}
    split = split_cases(
        plan.training,
        [of[name].patient for name in plan.training],
        seed=plan.seed,
        structures={name: [number[of[name].class_name]] for name in plan.training},
    )
    for part in (split.train, split.validation):
        missing = sorted(set(plan.classes) - {of[name].class_name for name in part})
        if missing:
            raise InputError(
                f"the class {missing[0]!r} has too few patients to learn from for a search, which is judged by some of "
                "them; train without"
            )
    minutes = max(LEAST_TRIAL_SECONDS, (plan.search or 0.0) * 60 / TRIALS) / 60
    return replace(
        plan,
        training=split.train,
        held_out=split.validation,
        minutes=None if plan.minutes is None else minutes,
        steps=None if plan.steps is None else math.ceil(STEPS_SHARE * plan.steps),
        search=None,
        devices=1,
        patience=1.0,
    )


def changed(plan: ClassPlan, values: Mapping[str, float]) -> ClassPlan:
    """The plan with the hyper-parameters of a place in the space."""
    return replace(
        plan,
        learning_rate=plan.learning_rate * values["rate"],
        weight_decay=values["weight_decay"],
        label_smoothing=values["label_smoothing"],
        arguments={**plan.arguments, "dropout": values["dropout"]},
        augmentation=_stronger(plan.augmentation, values["augmentation"]),
        crop=values["crop"],
        layer_decay=values.get("layer_decay", plan.layer_decay),
    )


def ask(plan: ClassPlan, searched: Searched) -> tuple[dict[str, float], optuna.Trial]:
    """Where to try next; the plan's own place first.

    Optuna's tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011); ``should_prune`` of what it gives says
    whether a trial lags behind the others' median.

    Raises
    ------
    InputError
        If Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as problem:
        raise InputError(
            'the search needs Optuna, which is not installed; pip install "napari-resmed[search]", or train without'
        ) from problem
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    count = len(searched.tried)
    study = optuna.create_study(
        direction="maximize",
        # Going on after a pause, it must not draw again what it has drawn.
        sampler=optuna.samplers.TPESampler(n_startup_trials=BY_CHANCE, seed=plan.seed * 1000 + count),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=BY_CHANCE, n_warmup_steps=SETTLED),
    )
    space = {**SPACE, **(SPACE_TUNING if plan.base else {})}
    kinds = {
        name: optuna.distributions.FloatDistribution(low, high, log=log) for name, (low, high, log) in space.items()
    }
    states = {True: optuna.trial.TrialState.COMPLETE, False: optuna.trial.TrialState.PRUNED}
    for tried in searched.tried:
        study.add_trial(
            optuna.trial.create_trial(
                state=states[tried.whole],
                params=dict(tried.values),
                distributions=dict(kinds),
                value=tried.best,
                intermediate_values=dict(tried.looks),
            )
        )
    if not searched.tried:
        study.enqueue_trial(_own_place(plan, space))
    trial = study.ask(dict(kinds))
    own = {name: float(value) for name, value in trial.params.items()}
    return own, trial


def _own_place(plan: ClassPlan, space: Mapping[str, tuple[float, float, bool]]) -> dict[str, float]:
    own = {
        "rate": 1.0,
        "weight_decay": plan.weight_decay,
        "label_smoothing": plan.label_smoothing,
        "dropout": float(plan.arguments.get("dropout", 0.0)),
        "augmentation": 1.0,
        "crop": plan.crop,
        "layer_decay": plan.layer_decay,
    }
    return {name: min(high, max(low, own[name])) for name, (low, high, _) in space.items()}


def _stronger(augmentation: Augmentation, factor: float) -> Augmentation:
    """Every range so many times as wide; probabilities stay."""
    if factor == 1:
        return augmentation
    spatial = augmentation.deformation
    deformation = replace(
        spatial,
        rotation_deg=_rounded(factor * spatial.rotation_deg),
        scale=min(0.5, _rounded(factor * spatial.scale)),
        shift_mm=_rounded(factor * spatial.shift_mm),
    )
    return replace(
        augmentation,
        deformation=deformation,
        noise=_rounded(factor * augmentation.noise),
        brightness=_rounded(factor * augmentation.brightness),
        contrast=_rounded(factor * augmentation.contrast),
        gamma=_rounded(factor * augmentation.gamma),
        blur_voxels=_rounded(factor * augmentation.blur_voxels),
        coarser=1 + _rounded(factor * (augmentation.coarser - 1)),
    )


def _rounded(value: float) -> float:
    return round(value, _DIGITS)


def in_words(values: Mapping[str, float]) -> str:
    """A place in the space, for a person."""
    words = {"rate": "learning rate ×", "augmentation": "augmentation ×"}
    return ", ".join(f"{words.get(name, name.replace('_', ' ') + ' ')}{value:.3g}" for name, value in values.items())
