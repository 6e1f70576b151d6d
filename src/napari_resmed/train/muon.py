"""An optimizer for few steps: kernels are moved along all of their directions alike, the rest as AdamW does.

Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon): the averaged gradient of a matrix is replaced by
the nearest one whose singular values are all about 1, so that what is seldom asked for is learnt as fast as what every
image asks for. At the same rate steps are as long as AdamW's (Liu et al., arXiv 2502.16982); longer ones are better
here (docs/decisions/0010). The one in torch takes matrices alone; here a convolution's kernel is one, with a row for
each channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonal"]

# Of the published iteration: five times bring shares of 0.002 and more of the whole near enough to 1.
ITERATIONS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)
# A step's root mean square in learning rates, as AdamW's usually is.
LENGTH = 0.2
# A matrix with fewer rows or columns has hardly any directions to make alike.
LEAST = 8


class Muon(torch.optim.Optimizer):
    """Muon for kernels and matrices, AdamW for biases, norms and what has less than eight rows or columns.

    The published one leaves first and last layers to AdamW; a U-Net's first has a column for each voxel of its kernel,
    its last a row for each class, and both are treated as any other here.

    Parameters
    ----------
    params:
        As of every optimizer of torch.
    lr:
        Learning rate, of both.
    weight_decay:
        Share of a weight that is taken from it a step, in learning rates.
    momentum:
        Of the gradients that Muon averages.
    betas, eps:
        As of :class:`torch.optim.AdamW`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        settings = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas, "eps": eps}
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Change every parameter that has a gradient; gives back what ``closure``, called before, says of the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                move = _by_muon if _is_matrix(weights) else _by_adam
                move(weights, weights.grad, self.state[weights], group)
        return loss


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with its singular values brought to between about 0.7 and 1.2, but for the smallest: 0 stays 0.

    Newton-Schulz iteration of the published fifth degree, on products of the smaller side alone: the large one is
    multiplied only at the beginning and at the end.

    Parameters
    ----------
    matrix:
        ``(rows, columns)``, any float dtype.

    Returns
    -------
    Tensor
        float32 ``(rows, columns)``.
    """
    wide = matrix.float()
    if tall := wide.shape[0] > wide.shape[1]:
        wide = wide.T
    wide = wide / wide.norm().clamp_min(1e-7)
    square = wide @ wide.T
    once = torch.eye(len(square), device=square.device)
    by, (a, b, c) = once, COEFFICIENTS
    for _ in range(ITERATIONS):
        step = a * once + b * square + c * (square @ square)
        by, square = step @ by, step @ square @ step
    found: Tensor = by @ wide
    return found.T if tall else found


def _is_matrix(weights: Tensor) -> bool:
    return weights.ndim >= 2 and weights.numel() > 0 and min(len(weights), weights[0].numel()) >= LEAST


def _by_muon(weights: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state["mean"] = torch.zeros_like(weights)
    mean = state["mean"]
    mean.lerp_(gradient, 1 - group["momentum"])
    rows = gradient.lerp(mean, group["momentum"]).flatten(1)
    length = LENGTH * max(rows.shape) ** 0.5
    weights.add_(orthogonal(rows).reshape(weights.shape).to(weights.dtype), alpha=-group["lr"] * length)


def _by_adam(weights: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state.update(step=0, mean=torch.zeros_like(weights), square=torch.zeros_like(weights))
    state["step"] += 1
    first, second = group["betas"]
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    spread = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
    weights.addcdiv_(state["mean"], spread, value=-group["lr"] / (1 - first ** state["step"]))
