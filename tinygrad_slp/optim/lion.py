"""Lion: steps of one size, in the direction that momentum and gradient agree on."""

from typing import Any

import numpy as np

from .optimizer import Optimizer


def lion(
    w: Any,
    g: Any,
    m: Any = 0,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0,
) -> tuple[Any, Any]:
    """One step for one parameter, on plain arrays: the new w and m.

    w ← (1 − ηλ)w − η · sign(β₁m + (1 − β₁)g);  m ← β₂m + (1 − β₂)g
    (Chen et al., Symbolic discovery of optimization algorithms, 2023).
    """
    beta1, beta2 = betas
    if weight_decay:
        w = (1 - lr * weight_decay) * w
    w = w - lr * np.sign(beta1 * m + (1 - beta1) * g)
    return w, beta2 * m + (1 - beta2) * g


class Lion(Optimizer):
    """w ← w − lr · sign(β₁m + (1 − β₁)g), where g = ∂L/∂w and m is a running mean of it.

    Its settings are those of `lion`, and what is said of them in `Optimizer`. A third to a tenth of
    Adam's learning rate does well: lr is how far every parameter moves in a step.
    """

    rule = staticmethod(lion)
    state_names = ("exp_avg",)
