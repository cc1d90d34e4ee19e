"""Layers: modules that each compute one thing, of an array, a Tensor or a list.

Sizes are whole numbers of 1 or more. A layer that is made with other settings says so at once, and
one that is given another shape says so when it is called.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..checks import Between, flag, probability, require, whole
from ..random import Seed, Stream
from ..rules import sigmoid
from ..rules.arguments import floats, shaped
from ..rules.networks import linear
from ..tensor import Tensor
from . import init as starts
from .module import Module


def drawn(init: Callable[..., Any], rng: Any, shape: tuple[int, ...]) -> Any:
    """What an init draws, of the shape that was asked for.

    Raises:
        ValueError: it draws another shape.
    """
    weight = init(rng, shape)
    if np.shape(weight) != shape:
        raise ValueError(f"init gave a weight of shape {np.shape(weight)}, expected {shape}")
    return weight


class Linear(Module):
    """y = x·Wᵀ + b: x of shape (..., in_features) to y of shape (..., out_features).

    `weight` (out_features, in_features) and `bias` (out_features,) are drawn uniformly from
    ±1/√in_features, as in PyTorch.

    Args:
        bias: add b.
        init: `init(rng, shape)` draws the weight instead.
        dtype: of the parameters.
        rng: a Generator, or a seed.

    Raises:
        TypeError: a size is no whole number.
        ValueError: a size is below 1, or the last axis of x has another length.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Callable[..., Any] | None = None,
        dtype: Any = np.float64,
        rng: Seed = None,
    ) -> None:
        in_features = whole("in_features", in_features, 1)
        out_features = whole("out_features", out_features, 1)
        rng = np.random.default_rng(rng)
        bound = 1 / np.sqrt(in_features)
        default = partial(starts.uniform, a=-bound, b=bound)
        weight = drawn(init or default, rng, (out_features, in_features))
        self.weight = Tensor(weight, requires_grad=True, dtype=dtype)
        self.bias = (
            Tensor(rng.uniform(-bound, bound, out_features), requires_grad=True, dtype=dtype)
            if flag("bias", bias)
            else None
        )

    def forward(self, input: Any) -> Any:
        weight, bias = self.weight, self.bias
        x = shaped(input, weight)
        shape, (outputs, inputs) = x.shape, weight.array.shape
        if not shape or shape[-1] != inputs:
            raise ValueError(
                f"{self!r} got an input of shape {shape}; its last axis should have "
                f"{inputs} features"
            )
        b = 0.0 if bias is None else bias
        if len(shape) == 2:
            return linear(x, weight, b)
        return linear(x.reshape(-1, inputs), weight, b).reshape(*shape[:-1], outputs)

    def extra_repr(self) -> str:
        outputs, inputs = self.weight.shape
        has_bias = self.bias is not None
        return f"in_features={inputs}, out_features={outputs}, bias={has_bias}"


class Perceptron(Module):
    """The tutorial's perceptron: ŷ = σ(X·w + b), X of shape (n, features) to ŷ of shape (n,).

    `weight` (features,) is drawn uniformly from [0, 1); `bias` () is 0. One sample of shape
    (features,) gives one number.

    Args:
        dtype: of the parameters.
        rng: a Generator, or a seed.

    Raises:
        TypeError: `features` is no whole number.
        ValueError: it is below 1, or the last axis of X has another length.
    """

    def __init__(self, features: int, *, dtype: Any = np.float64, rng: Seed = None) -> None:
        features = whole("features", features, 1)
        rng = np.random.default_rng(rng)
        self.weight = Tensor(rng.uniform(size=features), requires_grad=True, dtype=dtype)
        self.bias = Tensor(0.0, requires_grad=True, dtype=dtype)

    def forward(self, input: Any) -> Any:
        x = shaped(input, self.weight)
        if x.ndim < 1 or x.shape[-1] != self.weight.size:
            raise ValueError(
                f"{self!r} got an input of shape {x.shape}; its last axis should have "
                f"{self.weight.size} features"
            )
        return sigmoid(x @ self.weight + self.bias)

    def extra_repr(self) -> str:
        return f"features={self.weight.size}"


class Embedding(Module):
    """Row i of a table, for each index i: indices of any shape to y of shape (..., embedding_dim).

    `weight` (num_embeddings, embedding_dim) is drawn from N(0, 1).

    Args:
        padding_idx: a row that starts as 0 and gets no gradient; from the end, if negative.
        init: `init(rng, shape)` draws the weight instead.
        dtype: of the weight.
        rng: a Generator, or a seed.

    Raises:
        TypeError: the indices are not integers, or a size is no whole number.
        ValueError: there is no such row, or a size is below 1.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        init: Callable[..., Any] | None = None,
        dtype: Any = np.float64,
        rng: Seed = None,
    ) -> None:
        num_embeddings = whole("num_embeddings", num_embeddings, 1)
        shape = num_embeddings, whole("embedding_dim", embedding_dim, 1)
        if padding_idx is not None:
            padding_idx = whole("padding_idx", padding_idx)
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx={padding_idx} of {num_embeddings} embeddings")
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        rng = np.random.default_rng(rng)
        weight = drawn(init or starts.normal, rng, shape)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.weight = Tensor(weight, requires_grad=True, dtype=dtype)

    def forward(self, input: Any) -> Any:
        i = shaped(input.array if isinstance(input, Tensor) else input)
        if i.dtype.kind not in "iu":
            raise TypeError(f"{self!r} takes integers, got {i.dtype} of shape {i.shape}")
        rows = len(self.weight)

        def out_of_range(i: Any) -> ValueError:
            found = f"indices from {i.min()} to {i.max()}"
            return ValueError(f"{self!r} got {found}; there are rows 0 to {rows - 1}")

        require(Between(0, rows - 1), i, out_of_range)
        y = self.weight[i]
        if self.padding_idx is None:
            return y
        padding = np.equal(i, self.padding_idx)[..., None]
        return np.where(padding, self.weight.array[self.padding_idx], y)

    def extra_repr(self) -> str:
        rows, columns = self.weight.shape
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{rows}, {columns}{padding}"


class Dropout(Module):
    """While training, each element 0 with probability p, and the others divided by 1 − p.

    x of any shape to y of the same. After `eval()`, x itself (Srivastava et al., Dropout, 2014).

    Args:
        p: from 0 to 1.
        inplace: as in PyTorch; nothing is written in place.
        rng: a Generator, or a seed; the layer has a `Stream` of its own.

    Raises:
        TypeError: p is no number.
        ValueError: p is not from 0 to 1.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: Seed = None) -> None:
        self.p = probability("p", p)
        flag("inplace", inplace)
        self.stream = Stream(rng)

    def forward(self, input: Any) -> Any:
        if not self.training or self.p == 0:
            return input
        x = floats(input)
        kept = self.stream.uniform(x.shape, x.dtype) >= self.p
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        return x * (kept.astype(x.dtype) * scale)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Flatten(Module):
    """Axes start_dim to end_dim made one: by default (B, ...) to (B, features).

    Raises:
        TypeError: an axis is no whole number.
        ValueError: x lacks these axes, or they are in another order.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = whole("start_dim", start_dim)
        self.end_dim = whole("end_dim", end_dim)

    def forward(self, input: Any) -> Any:
        x = shaped(input, float)
        start, end = (d + x.ndim if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < x.ndim:
            raise ValueError(f"{self!r} got an input of shape {x.shape}, which lacks these axes")
        before, within, after = x.shape[:start], x.shape[start : end + 1], x.shape[end + 1 :]
        return x.reshape((*before, math.prod(within), *after))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """x, of any shape, as it is; like PyTorch's, it may be made with any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        return input
