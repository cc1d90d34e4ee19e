"""NAdam: Adam with Nesterov's look ahead."""

from typing import Any, ClassVar

import numpy as np

from ..tensor import Tensor
from .counting import Counting
from .group import Cohort, Group, zeros
from .optimizer import Params


def momentum_at(t: float, beta1: float, momentum_decay: float) -> Any:
    """μₜ = β₁(1 − ½·0.96^(tψ)), the momentum of step t, which grows to β₁."""
    return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def nadam(
    w: Any,
    g: Any,
    m: Any,
    v: Any,
    lr: float,
    t: float,
    mu_product: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled_weight_decay: bool,
) -> tuple[Any, Any, Any]:
    """Step t = 1, 2, ... for one parameter, on plain arrays: the new w, m and v.

    g ← g + λw;  m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − η · m̄ / (√v̂ + ε)
    with m̄ = μₜ₊₁m/(1 − Πμₜ₊₁) + (1 − μₜ)g/(1 − Π), Π = μ₁·μ₂···μₜ and v̂ = v/(1 − β₂ᵗ)
    (Dozat, Incorporating Nesterov momentum into Adam, 2016, as in PyTorch).
    Decoupled: w ← (1 − ηλ)w for g ← g + λw.
    """
    beta1, beta2 = betas
    mu, following = (momentum_at(k, beta1, momentum_decay) for k in (t, t + 1))
    if weight_decay and decoupled_weight_decay:
        w = (1 - lr * weight_decay) * w
    elif weight_decay:
        g = g + weight_decay * w
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    ahead = lr * following / (1 - mu_product * following)
    now = lr * (1 - mu) / (1 - mu_product)
    return w - (ahead * m + now * g) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


class NAdam(Counting):
    """w ← w − lr · m̄ / (√v̂ + eps), where m̄ is Adam's mean gradient, one step ahead.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or groups: see `Optimizer`.
        lr: the learning rate.
        betas, eps, weight_decay, momentum_decay, decoupled_weight_decay: see `nadam`.
        maximize: go up instead of down.

    Raises:
        TypeError: params are not Tensors.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    rule = staticmethod(nadam)
    state_names = ("exp_avg", "exp_avg_sq")
    counts: ClassVar[dict[str, float]] = {"step": 0, "mu_product": 1}

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, settings)

    def start(self, w: Any) -> list[Tensor | None]:
        return [zeros(w), zeros(w)]

    def counted_on(self, group: Group, cohort: Cohort) -> tuple[Any, ...]:
        (t,) = super().counted_on(group, cohort)
        mu = momentum_at(t, group["betas"][0], group["momentum_decay"])
        cohort.mu_product = cohort.mu_product * mu
        return t, cohort.mu_product
