"""Gradients made smaller before a step: by their norm, or one by one."""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from ..checks import at_least, positive
from ..graph import leaf
from ..tensor import Tensor
from ..walk import gradient
from .group import parameters_in


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Any:
    """Scales all gradients by min(1, max_norm/(norm + 10⁻⁶)); returns their norm before.

    Args:
        parameters: those with gradients are looked at.
        max_norm: of all gradients together, as one vector.
        norm_type: p of the norm (Σ|g|ᵖ)^(1/p); inf for the largest |g|.

    Raises:
        TypeError: parameters are not Tensors, or a setting is no number.
        ValueError: max_norm is below 0, or norm_type not above 0.
    """
    max_norm = at_least("max_norm", max_norm, 0, infinite=True)
    norm_type = positive("norm_type", norm_type, infinite=True)
    found = [(p, g) for p in parameters_in(parameters) if (g := gradient(p)) is not None]
    norm = norm_of([g for _, g in found], norm_type)
    scale = np.minimum(max_norm / (norm + 1e-6), 1)
    for p, g in found:
        p.grad = leaf(Tensor, g * scale.astype(g.dtype))
    return norm


def norm_of(gradients: list[Any], p: float) -> Any:
    """The p-norm of all of these as one vector."""
    if not gradients:
        return np.float64(0)
    if p == np.inf:
        return reduce(np.maximum, [np.max(np.abs(g)) for g in gradients])
    if p == 2:
        return np.sqrt(reduce(np.add, [np.sum(g * g) for g in gradients]))
    return np.power(reduce(np.add, [np.sum(np.abs(g) ** p) for g in gradients]), 1 / p)


def clip_grad_value_(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Puts every element of every gradient into [−clip_value, clip_value].

    Raises:
        TypeError: parameters are not Tensors, or a setting is no number.
        ValueError: clip_value is below 0.
    """
    clip_value = at_least("clip_value", clip_value, 0, infinite=True)
    for p in parameters_in(parameters):
        g = gradient(p)
        if g is not None:
            p.grad = leaf(Tensor, np.minimum(np.maximum(g, -clip_value), clip_value))
