"""Adagrad: the gradient divided by the size of all gradients so far."""

from typing import Any

import numpy as np

from .optimizer import Optimizer


def adagrad(
    w: Any,
    g: Any,
    total: Any = None,
    lr: float = 1e-2,
    t: float = 1,
    lr_decay: float = 0,
    weight_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
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


class Adagrad(Optimizer):
    """w ← w − lr · g / (√total + eps), where total is the sum of all g² so far.

    Its settings are those of `adagrad`, and what is said of them in `Optimizer`.
    """

    rule = staticmethod(adagrad)
    state_names = ("sum",)
