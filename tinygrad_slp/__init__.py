"""A tiny deep-learning framework on NumPy: readable in an afternoon, every gradient proven."""

from typing import TYPE_CHECKING

from . import nn, optim
from .autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .graph import differentiable, no_grad
from .jit import TraceError, jit
from .pytorch import PACKAGE, lacking
from .rule import (
    ABOVE_ONE,
    POSITIVE,
    REAL,
    RULES,
    UNIT,
    composite,
    declare,
    elementwise,
    linear,
)
from .rules import (
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
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "ABOVE_ONE", "POSITIVE", "REAL", "RULES", "UNIT", "Tensor", "TraceError", "composite",
    "declare", "differentiable", "elementwise", "elu", "gelu", "grad", "hessian", "hvp",
    "jacobian", "jit", "jvp", "leaky_relu", "linear", "log_softmax", "logsumexp", "nn", "no_grad",
    "optim", "relu", "sigmoid", "silu", "softmax", "softplus", "value_and_grad", "vjp",
]  # fmt: skip

if not TYPE_CHECKING:  # or mypy would believe that the package has every name
    __getattr__ = lacking(__name__, PACKAGE)
