"""How far the weights may move: by which optimiser, how fast, how strongly drawn back."""

from __future__ import annotations

__all__ = ["CARE", "learning_rate", "optimiser_for", "weight_decay"]

# From scratch, and from a trained network: in the same minutes the one learns more by Muon's long steps than by AdamW
# (docs/decisions/0010); for the other that is not measured.
OPTIMISER, OPTIMISER_TUNING = "muon", "adamw"
# How far the weights may move: AdamW's learning rate from scratch, and from a trained network.
CARE = {"bold": (5e-3, 3e-3), "normal": (3e-3, 1e-3), "careful": (1e-3, 3e-4)}
# From scratch, steps may be so many times as long as AdamW's.
LONGER = {"muon": 7.0}
# How strongly weights are drawn to nothing, from scratch: it acts through the rate times the steps, and in the few
# thousand of a short training the customary hundredth would do nothing. What a trained network knows is not drawn away.
WEIGHT_DECAY, WEIGHT_DECAY_TUNING = 0.3, 0.01


def optimiser_for(scratch: bool) -> str:
    """The usual one, from scratch or from a trained network."""
    return OPTIMISER if scratch else OPTIMISER_TUNING


def learning_rate(optimiser: str, care: str, scratch: bool) -> float:
    """The usual one of an optimiser; ``care`` is one of :data:`CARE`."""
    return CARE[care][0] * LONGER.get(optimiser, 1.0) if scratch else CARE[care][1]


def weight_decay(scratch: bool) -> float:
    """The usual one."""
    return WEIGHT_DECAY if scratch else WEIGHT_DECAY_TUNING
