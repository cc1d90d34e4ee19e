"""Adagrad: the gradient divided by the size of all gradients so far."""

from typing import Any

import numpy as np

from .counting import Counting
from .optimizer import Params


def adagrad(
    w: Any,
    g: Any,
    total: Any,
    lr: float,
    t: float,
    lr_decay: float,
    weight_decay: float,
    initial_accumulator_value: float,
    eps: float,
) -> tuple[Any, Any]:
    """Step t = 1, 2, ... for one parameter, on plain arrays: the new w and the new total.

    g ← g + λw;  total ← total + g², at first initial_accumulator_value + g²;
    w ← w − ηₜ · g / (√total + ε), with ηₜ = η/(1 + (t − 1)·lr_decay)
    (Duchi, Hazan & Singer, Adaptive subgradient methods, 2011, as in PyTorch).
    """
    if weight_decay:
        g = g + weight_decay * w
    total = (initial_accumulator_value if total is None else total) + g * g
    return w - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps), total


class Adagrad(Counting):
    """w ← w − lr · g / (√total + eps), where total is the sum of all g² so far.

    Args:
        params: Tensors that require grad, such as `model.parameters()`; or groups: see `Optimizer`.
        lr: the learning rate.
        lr_decay, weight_decay, initial_accumulator_value, eps: see `adagrad`.
        maximize: go up instead of down.

    Raises:
        TypeError: params are not Tensors.
        ValueError: no params, a parameter twice, or settings out of range.
    """

    rule = staticmethod(adagrad)
    state_names = ("sum",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "eps": eps,
            "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, settings)
