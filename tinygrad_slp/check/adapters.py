"""What the checker must know of each framework: its arrays, and how it differentiates.

A framework is recognized by the type of what is given; nothing is imported that the caller has not
imported already.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..autodiff import vjp
from ..graph import Node
from ..tensor import Tensor


class Framework(Protocol):
    """Arrays of some library, to and from NumPy, and its automatic differentiation."""

    name: str
    wider: str  # how to get numbers of twice the precision

    def array(self, x: Any) -> Any:
        """Its array or number as one of NumPy's, which may share memory."""

    def like(self, array: np.ndarray, x: Any) -> Any:
        """A NumPy array as what x is."""

    def gradient(self, f: Callable[..., Any], xs: Sequence[Any], weights: Any) -> list[Any]:
        """The cotangents of the arguments of f, given those of its output."""


class Numpy:
    """NumPy's arrays, Python's numbers, and Tensors."""

    name = "NumPy"
    wider = ""

    def array(self, x: Any) -> Any:
        return np.asarray(x.array if isinstance(x, Node) else x)

    def like(self, array: np.ndarray, x: Any) -> Any:
        if isinstance(x, Node):
            return Tensor(array, requires_grad=x.tracked)
        return array if isinstance(x, np.ndarray) else array[()]

    def gradient(self, f: Callable[..., Any], xs: Sequence[Any], weights: Any) -> list[Any]:
        _, pull = vjp(f, *[self.array(x) for x in xs])
        return list(pull(weights))


class Torch:
    name = "PyTorch"
    wider = "x.double()"

    def array(self, x: Any) -> Any:
        if not hasattr(x, "detach"):
            return np.asarray(x)
        if x.dtype == sys.modules["torch"].bfloat16:
            raise TypeError("bfloat16 has too few digits to measure slopes; write x.double()")
        return x.detach().cpu().numpy()

    def like(self, array: np.ndarray, x: Any) -> Any:
        torch = sys.modules["torch"]
        if not torch.is_tensor(x):
            return array
        dtype = x.dtype if x.is_floating_point() else None
        y = torch.as_tensor(array.copy(), dtype=dtype, device=x.device)
        return y.requires_grad_(x.requires_grad)

    def gradient(self, f: Callable[..., Any], xs: Sequence[Any], weights: Any) -> list[Any]:
        torch = sys.modules["torch"]
        leaves = [x.detach().clone().requires_grad_() for x in xs]
        y = f(*leaves)
        if not torch.is_tensor(y):
            raise TypeError(
                f"it returns a {type(y).__name__} through which PyTorch cannot differentiate"
            )
        if not y.requires_grad:
            return [torch.zeros_like(x) for x in leaves]
        g = torch.as_tensor(weights, dtype=y.dtype, device=y.device).reshape(y.shape)
        found = torch.autograd.grad(y, leaves, g, allow_unused=True)
        pairs = zip(found, leaves, strict=True)
        return [torch.zeros_like(x) if gx is None else gx for gx, x in pairs]


class Jax:
    name = "JAX"
    wider = 'jax.config.update("jax_enable_x64", True)'

    def array(self, x: Any) -> Any:
        return np.asarray(x)

    def like(self, array: np.ndarray, x: Any) -> Any:
        numpy = sys.modules["jax"].numpy
        return numpy.asarray(array, x.dtype if numpy.issubdtype(x.dtype, numpy.floating) else None)

    def gradient(self, f: Callable[..., Any], xs: Sequence[Any], weights: Any) -> list[Any]:
        jax = sys.modules["jax"]
        y, pull = jax.vjp(lambda *xs: jax.numpy.asarray(f(*xs)), *xs)
        return list(pull(jax.numpy.asarray(weights, dtype=y.dtype).reshape(y.shape)))


BY_MODULE: dict[str, Framework] = {"torch": Torch(), "jax": Jax(), "jaxlib": Jax()}
NUMPY = Numpy()


def framework_of(x: Any) -> Framework:
    """The framework that an array belongs to."""
    return BY_MODULE.get(type(x).__module__.split(".")[0], NUMPY)
