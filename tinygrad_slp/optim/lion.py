"""Lion: steps of one size, in the direction that momentum and gradient agree on."""

from typing import Any

import numpy as np

from ..tensor import Tensor
from .group import zeros
from .optimizer import Optimizer, Params


def lion(
    w: Any, g: Any, m: Any, lr: float, betas: tuple[float, float], weight_decay: float
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
    """w ← w − lr · sign(m), where m is a running mean of ∂L/∂w; a third to a tenth of Adam's lr.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or groups: see `Optimizer`.
        lr: the learning rate: how far every parameter moves in a step.
        betas, weight_decay: see `lion`.
        maximize: go up instead of down.

    Raises:
        TypeError: params are not Tensors.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    rule = staticmethod(lion)
    state_names = ("exp_avg",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings)

    def start(self, w: Any) -> list[Tensor | None]:
        return [zeros(w)]
