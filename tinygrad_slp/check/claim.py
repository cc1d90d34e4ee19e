"""A claimed gradient: given as arrays, as a function, or left to a framework."""

from typing import Any

import numpy as np

from ..tree import flatten, leaves_like, structure
from .adapters import framework_of
from .evaluation import Point


class Claim:
    """The claimed gradient: at the point of the user, and again in wider dtypes.

    Attributes:
        arrays: one for each floating-point leaf of x.
        misfit: why the claim does not have the structure and shapes of x; empty if it does.
    """

    def __init__(self, point: Point, grad: Any) -> None:
        self.grad = grad
        self.misfit = ""
        self.arrays = self.at(point)
        self.eps = max((float(np.finfo(a.dtype).eps) for a in self.arrays), default=point.eps)

    def at(self, point: Point) -> list[Any]:
        """The claimed gradient at a point."""
        with np.errstate(all="ignore"):
            if self.grad is None:
                found = automatic(point)
            else:
                tree = point.tree([a.copy() for a in point.arrays])
                found = self.grad(tree) if callable(self.grad) else self.grad
                found = self.fitted(found, point)
        arrays = [np.asarray(framework_of(g).array(g)) for g in found]
        if any(a.dtype.kind == "c" for a in arrays):
            raise TypeError("the gradient is complex; that of a real function is real")
        arrays = [a if a.dtype.kind == "f" else a.astype(np.float64) for a in arrays]
        for a, x, where in zip(arrays, point.arrays, point.names, strict=bool(not self.misfit)):
            if a.shape != x.shape:
                self.misfit = (
                    f"the gradient of {where} has shape {a.shape}, but {where} has shape {x.shape}"
                )
        return arrays

    def fitted(self, found: Any, point: Point) -> list[Any]:
        """The leaves of a claimed gradient that belong to the floating-point leaves of x."""
        same = structure(found) == structure(point.x)
        leaves = leaves_like(found, point.x) if same else flatten(found)[0]
        n, moving = len(point.leaves), len(point.moving)
        if moving == 1 and len(leaves) != 1 and len(leaves) != n:
            leaves = [np.asarray(found, dtype=point.arrays[0].dtype)]  # a list for an array
        if len(leaves) == n:
            return [leaves[k] for k in point.moving]
        if len(leaves) != moving:
            self.misfit = f"the gradient has {len(leaves)} arrays, but x has {moving}"
            return []
        return leaves


PROBE = -2.0
"""What is sent back from a single number: a derivative that ignores it, or its sign, is found."""


def automatic(point: Point) -> list[Any]:
    """The gradient that the framework of x computes."""
    if point.weights is not None:
        return cotangents(point, point.weights)
    return [g / PROBE for g in cotangents(point, np.full(point.shape, PROBE))]


def ignores_what_comes(point: Point) -> bool:
    """Whether the framework's derivative is the same whatever comes in."""
    one, two = (cotangents(point, np.full(point.shape, g)) for g in (1.0, PROBE))
    array = point.framework.array
    return all(np.array_equal(array(a), array(b)) for a, b in zip(one, two, strict=True))


def cotangents(point: Point, weights: Any) -> list[Any]:
    """What the framework sends back to x, for what comes in at the output."""

    def f(*moving: Any) -> Any:
        leaves = list(point.leaves)
        for k, x in zip(point.moving, moving, strict=True):
            leaves[k] = x
        return point.f(point.rebuild(leaves))

    framework = point.framework
    xs = [
        framework.like(a, point.leaves[k]) for a, k in zip(point.arrays, point.moving, strict=True)
    ]
    try:
        return framework.gradient(f, xs, weights.astype(point.dtype))
    except TypeError as error:
        raise TypeError(
            f"{framework.name} arrays were given and no gradient, but the function could not be "
            f"differentiated automatically: {error}\nGive the gradient to check as grad=..., or "
            "write the function with functions that Tensors take"
        ) from error
