"""Layers and losses as functions, named as in `torch.nn.functional`.

    import tinygrad_slp.nn.functional as F

All but `linear`, and those that take an axis as dim, are the functions of `tinygrad_slp` and `nn`.
"""

from typing import Any

import numpy as np

from ..rules import activations, elu, leaky_relu, relu, sigmoid, silu
from .activations import ACTIVATIONS, GELU, LogSoftmax, Softmax, Softplus
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "elu",
    "gaussian_nll_loss", "gelu", "huber_loss", "l1_loss", "leaky_relu", "linear", "log_softmax",
    "mse_loss", "nll_loss", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh",
]  # fmt: skip

tanh = np.tanh
for _name in [name for name in ACTIVATIONS if name not in __all__]:
    globals()[_name] = getattr(activations, _name)
    __all__ += [_name]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """x·Wᵀ + b: x (..., in), W (out, in), b (out,) to y (..., out)"""
    y = np.matmul(input, np.transpose(weight))
    return y if bias is None else y + bias


def softmax(input: Any, dim: int | None = None, *, axis: int | None = None) -> Any:
    """eˣ / Σ eˣ over one axis, the last by default: see `nn.Softmax`."""
    return Softmax(dim, axis=axis)(input)


def log_softmax(input: Any, dim: int | None = None, *, axis: int | None = None) -> Any:
    """The logarithm of `softmax`."""
    return LogSoftmax(dim, axis=axis)(input)


def gelu(input: Any, approximate: str = "none") -> Any:
    """x·Φ(x), or its approximation by a tanh: see `nn.GELU`."""
    return GELU(approximate)(input)


def softplus(input: Any, beta: float = 1.0, threshold: float | None = None) -> Any:
    """log(1 + e^(βx))/β: see `nn.Softplus`."""
    return Softplus(beta, threshold)(input)
