"""NAdam: Adam with Nesterov's look ahead."""

from typing import Any, ClassVar

import numpy as np

from .group import Cohort, Group
from .optimizer import Optimizer


def momentum_at(t: float, beta1: float, momentum_decay: float) -> Any:
    """μₜ = β₁(1 − ½·0.96^(tψ)), the momentum of step t, which grows to β₁."""
    return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def nadam(
    w: Any,
    g: Any,
    m: Any = 0,
    v: Any = 0,
    lr: float = 2e-3,
    t: float = 1,
    mu_product: float = 1,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
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


class NAdam(Optimizer):
    """w ← w − lr · m̄ / (√v̂ + eps), where m̄ is Adam's mean gradient, one step ahead.

    Its settings are those of `nadam`, and what is said of them in `Optimizer`.
    """

    rule = staticmethod(nadam)
    state_names = ("exp_avg", "exp_avg_sq")
    counts: ClassVar[dict[str, float]] = {"step": 0, "mu_product": 1}

    def numbers(self, group: Group, cohort: Cohort) -> tuple[Any, ...]:
        lr, t = super().numbers(group, cohort)
        mu = momentum_at(t, group["betas"][0], group["momentum_decay"])
        cohort.mu_product = cohort.mu_product * mu
        return lr, t, cohort.mu_product
