"""The derivative of every function a Tensor knows, and the functions that NumPy lacks."""

from . import calculus, decompositions, joining, linalg, movement, nan, networks, reductions
from .activations import *  # noqa: F403
from .activations import __all__ as _activations

__all__ = [
    "calculus",
    "decompositions",
    "joining",
    "linalg",
    "movement",
    "nan",
    "networks",
    "reductions",
]
__all__ += _activations
