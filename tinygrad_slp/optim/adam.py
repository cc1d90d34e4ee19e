"""Adam and AdamW: steps of a size that does not depend on the size of the gradient."""

from typing import Any, ClassVar

import numpy as np

from .optimizer import Optimizer


def adam(
    w: Any,
    g: Any,
    m: Any = 0,
    v: Any = 0,
    peak: Any = None,
    lr: float = 1e-3,
    t: float = 1,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Any, Any, Any, Any]:
    """Step t = 1, 2, ... for one parameter, on plain arrays: the new w, m, v and peak.

    g ← g + λw;  m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − η · m̂ / (√v̂ + ε)
    with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ) (Kingma & Ba, Adam, 2015).
    Decoupled: w ← (1 − ηλ)w for g ← g + λw (Loshchilov & Hutter, Decoupled weight decay
    regularization, 2019). AMSGrad: the largest v so far for v (Reddi et al., On the convergence of
    Adam and beyond, 2018).
    """
    beta1, beta2 = betas
    if weight_decay and decoupled_weight_decay:
        w = (1 - lr * weight_decay) * w
    elif weight_decay:
        g = g + weight_decay * w
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    if amsgrad:
        peak = v if peak is None else np.maximum(peak, v)
    # η · m̂ / (√v̂ + ε), multiplied by c = √(1 − β₂ᵗ) above and below: one array less.
    c = (1 - beta2**t) ** 0.5
    size = lr * c / (1 - beta1**t)
    return w - size * m / (np.sqrt(peak if amsgrad else v) + eps * c), m, v, peak


class Adam(Optimizer):
    """w ← w − lr · m̂ / (√v̂ + eps), where m̂ and v̂ are running means of ∂L/∂w and its square.

    Its settings are those of `adam`, and what is said of them in `Optimizer`. lr is about how far a
    parameter moves in a step.
    """

    rule = staticmethod(adam)
    state_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class AdamW(Adam, weight_decay=1e-2):
    """Adam with weight decay beside the gradient: w ← (1 − lr·weight_decay)·w, then Adam's step."""

    fixed: ClassVar[dict[str, Any]] = {"decoupled_weight_decay": True}
