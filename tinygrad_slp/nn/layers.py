"""Layers: modules with parameters, and modules of modules."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import differentiable
from ..rule import REAL
from ..rules import sigmoid
from ..tensor import Tensor
from .module import Module

if TYPE_CHECKING:  # looked at as code runs, np.random would be half the time of the import
    Seed = np.random.Generator | int | None


@differentiable(
    lambda g, y, x, W, b: g @ W,
    lambda g, y, x, W, b: np.dot(g.T, x),  # the same product as @, with less overhead
    lambda g, y, x, W, b: np.add.reduce(g),
    domain=REAL,
    examples=lambda f, x: [f(x(4, 3), x(2, 3), x(2)), f(x(1, 3), x(1, 3), x(1))],
)
def linear(x: Any, W: Any, b: Any) -> Any:
    """x·Wᵀ + b of a matrix x      ∂x = g·W, ∂W = gᵀ·x, ∂b = Σ g"""
    return x.dot(W.T) + b


class Linear(Module):
    """y = x·Wᵀ + b: x of shape (..., in_features) to y of shape (..., out_features).

    `weight` (out_features, in_features) and `bias` (out_features,) are drawn uniformly from
    ±1/√in_features, as in PyTorch.

    Args:
        bias: add b.
        init: `init(rng, shape)` draws the weight instead.
        dtype: of the parameters.
        rng: a Generator, or a seed.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Callable[..., Any] | None = None,
        dtype: Any = np.float64,
        rng: "Seed" = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"Linear needs at least one feature in and out, got {in_features}, {out_features}"
            )
        rng = np.random.default_rng(rng)
        bound = 1 / np.sqrt(in_features)
        shape = out_features, in_features
        weight = init(rng, shape) if init else rng.uniform(-bound, bound, shape)
        if np.shape(weight) != shape:
            raise ValueError(f"init gave a weight of shape {np.shape(weight)}, expected {shape}")
        self.weight = Tensor(weight, requires_grad=True, dtype=dtype)
        self.bias = (
            Tensor(rng.uniform(-bound, bound, out_features), requires_grad=True, dtype=dtype)
            if bias
            else None
        )

    def forward(self, x: Any) -> Any:
        weight = self.weight
        if not hasattr(x, "shape"):
            x = np.asarray(x, dtype=weight.dtype)
        if x.shape[-1:] != weight.array.shape[1:]:
            raise ValueError(
                f"{self!r} got an input of shape {x.shape}; its last axis should have "
                f"{weight.shape[1]} features"
            )
        bias = 0.0 if self.bias is None else self.bias
        if x.ndim == 2:
            return linear(x, weight, bias)
        outputs, inputs = weight.shape
        return linear(x.reshape(-1, inputs), weight, bias).reshape(*x.shape[:-1], outputs)

    def extra_repr(self) -> str:
        outputs, inputs = self.weight.shape
        has_bias = self.bias is not None
        return f"in_features={inputs}, out_features={outputs}, bias={has_bias}"


class Perceptron(Module):
    """The tutorial's perceptron: ŷ = σ(X·w + b), X of shape (n, features) to ŷ of shape (n,).

    `weight` (features,) is drawn uniformly from [0, 1); `bias` () is 0. One sample of shape
    (features,) gives one number.
    """

    def __init__(self, features: int, *, dtype: Any = np.float64, rng: "Seed" = None) -> None:
        if features < 1:
            raise ValueError(f"a Perceptron needs at least one feature, got {features}")
        rng = np.random.default_rng(rng)
        self.weight = Tensor(rng.uniform(size=features), requires_grad=True, dtype=dtype)
        self.bias = Tensor(0.0, requires_grad=True, dtype=dtype)

    def forward(self, x: Any) -> Any:
        if not hasattr(x, "shape"):
            x = np.asarray(x, dtype=self.weight.dtype)
        if x.ndim < 1 or x.shape[-1] != self.weight.size:
            raise ValueError(
                f"{self!r} got an input of shape {x.shape}; its last axis should have "
                f"{self.weight.size} features"
            )
        return sigmoid(x @ self.weight + self.bias)

    def extra_repr(self) -> str:
        return f"features={self.weight.size}"


class Sequential(Module):
    """Layers one after the other; `model[0]` is the first, `model[1:]` the rest."""

    def __init__(self, *layers: Any) -> None:
        for layer in layers:
            if not callable(layer):
                raise TypeError(
                    f"Sequential takes layers one by one, each callable; got {layer!r}. "
                    "For a list write Sequential(*layers)"
                )
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def children(self) -> dict[str, Any]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def __getitem__(self, index: int | slice) -> Any:
        part = self.layers[index]
        return Sequential(*part) if isinstance(part, list) else part

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)
