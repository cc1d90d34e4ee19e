"""A tiny deep-learning framework on NumPy: its core reads in an afternoon, each rule is checked."""

from typing import TYPE_CHECKING

from . import nn, notebook, optim
from .autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .graph import differentiable, no_grad
from .jit import TraceError, jit
from .pytorch import MODULE, NN, PACKAGE, TENSOR, lacking, without
from .rule import ABOVE_ONE, POSITIVE, REAL, RULES, UNIT, composite, declare
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
    "declare", "differentiable", "elu", "gelu", "grad", "hessian", "hvp", "jacobian", "jit", "jvp",
    "leaky_relu", "log_softmax", "logsumexp", "nn", "no_grad", "optim", "relu", "sigmoid", "silu",
    "softmax", "softplus", "value_and_grad", "vjp",
]  # fmt: skip

# What notebooks show and what errors say is added here: Tensor and Module are defined without it.
without(TENSOR)(Tensor)
without(MODULE)(nn.Module)

if not TYPE_CHECKING:  # or mypy would believe that the package has every name
    Tensor._repr_html_ = notebook.graph
    nn.Module._repr_html_ = notebook.table
    nn.__getattr__ = lacking(nn.__name__, NN)
    __getattr__ = lacking(__name__, PACKAGE)
