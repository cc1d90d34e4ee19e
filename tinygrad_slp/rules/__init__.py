"""The derivative of every function a Tensor knows, and the functions that NumPy lacks."""

from . import calculus, linalg, movement, networks, reductions
from .activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)

__all__ = [
    "calculus", "elu", "gelu", "leaky_relu", "linalg", "log_softmax", "logsumexp", "movement",
    "networks", "reductions", "relu", "sigmoid", "silu", "softmax", "softplus",
]  # fmt: skip
