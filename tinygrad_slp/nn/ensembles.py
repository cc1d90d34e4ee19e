"""Ensembles: k networks side by side, each with parameters of its own, as one module.

Their arrays have a first axis for the members, so that one product serves all of them.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks import at_least, probability, whole
from ..random import Seed
from ..tensor import Tensor
from .activations import ReLU
from .containers import Sequential
from .layers import Dropout
from .module import Buffer, Module


class LinearEnsemble(Module):
    """y = x·W + b of each member: x of shape (k, n, in_features) to y (k, n, out_features).

    `weight` (k, in_features, out_features) is drawn from N(0, gain²/in_features), `bias`
    (k, 1, out_features) from N(0, spread²). An x of shape (1, n, in_features) is shared.

    Raises:
        TypeError, ValueError: a size is no whole number, or below 1.
    """

    def __init__(
        self,
        members: int,
        in_features: int,
        out_features: int,
        *,
        gain: float = 1.0,
        spread: float = 0.0,
        dtype: Any = np.float64,
        rng: Seed = None,
    ) -> None:
        k = whole("members", members, 1)
        d = whole("in_features", in_features, 1)
        m = whole("out_features", out_features, 1)
        gain, spread = at_least("gain", gain, 0), at_least("spread", spread, 0)
        rng = np.random.default_rng(rng)
        weight = rng.normal(0, gain / np.sqrt(d), (k, d, m))
        self.weight = Tensor(weight, requires_grad=True, dtype=dtype)
        self.bias = Tensor(rng.normal(0, spread, (k, 1, m)), requires_grad=True, dtype=dtype)

    def forward(self, input: Any) -> Any:
        return input @ self.weight + self.bias

    def extra_repr(self) -> str:
        k, d, m = self.weight.shape
        return f"{k}, {d}, {m}"


class PiecewiseLinear(Module):
    """x (..., d) and ramps of its first columns: clip((x − a)/(b − a), 0, 1) − ½, for all
    neighbouring knots a < b of a column; y of shape (..., d + ramps).

    A linear layer after it is a broken line in each column (Gorishniy et al., On embeddings for
    numerical features in tabular deep learning, 2022, section 3.2).

    Args:
        knots: of each of the first columns, increasing.

    Raises:
        ValueError: there is no ramp, or the knots of a column do not increase.
    """

    def __init__(self, knots: Sequence[Any], *, dtype: Any = np.float64) -> None:
        for k, at in enumerate(knots):
            if not np.all(np.diff(at) > 0):
                raise ValueError(f"the knots of column {k} should increase, got {at!r}")
        self.columns = np.repeat(np.arange(len(knots)), [max(len(at) - 1, 0) for at in knots])
        if not len(self.columns):
            raise ValueError("there should be two knots or more in a column")
        ends = np.concatenate([np.column_stack([at[:-1], at[1:]]) for at in knots])
        self.start = Buffer(ends[:, 0], dtype=dtype)
        self.slope = Buffer(1 / (ends[:, 1] - ends[:, 0]), dtype=dtype)

    def forward(self, input: Any) -> Any:
        ramps = (np.take(input, self.columns, axis=-1) - self.start) * self.slope
        return np.concatenate([input, np.clip(ramps, 0.0, 1.0) - 0.5], axis=-1)

    def extra_repr(self) -> str:
        return f"{len(self.columns)} ramps"


class MLPEnsemble(Module):
    """Multi-layer perceptrons beside a straight line: y = MLP(x) + x·V, for each of k members.

    x of shape (k, n, sizes[0]), or (1, n, sizes[0]) for all, to y (k, n, sizes[-1]). The line
    starts at 0. Without hidden layers there is only the line.

    Args:
        members: k.
        sizes: features of the input, of each hidden layer, of the output.
        activation: makes an activation, such as nn.ReLU.
        dropout: the probability, after each hidden layer.
        line_features: so many of the first features are what the line sees; by default all.
        dtype: of the parameters.
        rng: a Generator, or a seed.

    Raises:
        TypeError, ValueError: as `LinearEnsemble` and `Dropout` do.
    """

    def __init__(
        self,
        members: int,
        sizes: Sequence[int],
        activation: Callable[[], Any] = ReLU,
        dropout: float = 0.0,
        line_features: int | None = None,
        *,
        dtype: Any = np.float64,
        rng: Seed = None,
    ) -> None:
        probability("dropout", dropout)
        rng = np.random.default_rng(rng)
        inputs, *hidden, outputs = sizes
        seen = inputs if line_features is None else line_features
        self.line_features = whole("line_features", seen, 1)
        self.line = LinearEnsemble(
            members, self.line_features, outputs, gain=0, dtype=dtype, rng=rng
        )
        layers: list[Any] = []
        for k, (a, b) in enumerate(pairwise([inputs, *hidden])):
            gain, spread = (np.sqrt(2), 0.0) if k else (1.0, 0.3)
            layer = LinearEnsemble(members, a, b, gain=gain, spread=spread, dtype=dtype, rng=rng)
            layers += [layer, activation(), *([Dropout(dropout, rng=rng)] if dropout else [])]
        if hidden:
            small = np.sqrt(0.02)
            layers.append(
                LinearEnsemble(members, hidden[-1], outputs, gain=small, dtype=dtype, rng=rng)
            )
        self.layers = Sequential(*layers)

    def forward(self, input: Any) -> Any:
        line = self.line(input[..., : self.line_features])
        return self.layers(input) + line if len(self.layers) else line
