"""The derivative of every function a Tensor knows, and the functions that NumPy lacks."""

from . import (
    calculus,
    decompositions,
    joining,
    linalg,
    movement,
    nan,
    networks,
    numeric,
    reductions,
    signals,
    statistics,
)
from .activations import *  # noqa: F403
from .activations import __all__ as _activations

__all__ = [
    "calculus", "decompositions", "joining", "linalg", "movement", "nan", "networks", "numeric",
    "reductions", "signals", "statistics",
]  # fmt: skip
__all__ += _activations
