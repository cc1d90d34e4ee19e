"""RMSprop: the gradient divided by a running mean of its size."""

from typing import Any

import numpy as np

from .optimizer import Optimizer


def rmsprop(
    w: Any,
    g: Any,
    v: Any = 0,
    mean: Any = None,
    buffer: Any = None,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
) -> tuple[Any, Any, Any, Any]:
    """One step for one parameter, on plain arrays: the new w, v, mean and momentum buffer.

    g ← g + λw;  v ← αv + (1 − α)g²;  u = g / (√v + ε);  w ← w − ηu
    (Tieleman & Hinton, Lecture 6.5, 2012). Centered: v − mean² for v, with
    mean ← α·mean + (1 − α)g (Graves, Generating sequences with recurrent neural networks, 2013).
    With momentum: buffer ← μ·buffer + u;  w ← w − η·buffer.
    """
    if weight_decay:
        g = g + weight_decay * w
    v = alpha * v + (1 - alpha) * (g * g)
    if centered:
        mean = (1 - alpha) * g if mean is None else alpha * mean + (1 - alpha) * g
    # A variance is never below 0, but by rounding.
    u = g / (np.sqrt(np.maximum(v - mean * mean, 0) if centered else v) + eps)
    if momentum:
        u = buffer = u if buffer is None else momentum * buffer + u
    return w - lr * u, v, mean, buffer


class RMSprop(Optimizer):
    """w ← w − lr · g / (√v + eps), where v is a running mean of g².

    Its settings are those of `rmsprop`, and what is said of them in `Optimizer`.
    """

    rule = staticmethod(rmsprop)
    state_names = ("square_avg", "grad_avg", "momentum_buffer")
