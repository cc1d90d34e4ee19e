"""A tiny deep-learning framework on NumPy: its core reads in an afternoon, each rule is checked."""

from typing import TYPE_CHECKING

from . import nn, notebook, optim
from .autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .graph import differentiable, no_grad
from .jit import TraceError, jit
from .pytorch import MODULE, TENSOR, say_what_to_write, without
from .rule import ABOVE_ONE, POSITIVE, REAL, RULES, UNIT, composite, declare
from .rules.activations import *  # noqa: F403
from .rules.activations import __all__ as _activations
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "ABOVE_ONE", "POSITIVE", "REAL", "RULES", "UNIT", "Tensor", "TraceError", "composite",
    "declare", "differentiable", "grad", "hessian", "hvp", "jacobian", "jit", "jvp", "nn",
    "no_grad", "optim", "value_and_grad", "vjp",
]  # fmt: skip
__all__ += _activations

# What notebooks show and what errors say is added here: Tensor and Module are defined without it.
without(TENSOR)(Tensor)
without(MODULE)(nn.Module)

if not TYPE_CHECKING:  # or mypy would believe that the package has every name
    Tensor._repr_html_ = notebook.graph
    nn.Module._repr_html_ = notebook.table
    from .pytorch import tensor  # noqa: F401  (of the file of that name nobody needs the name)

    say_what_to_write()
