"""The activation functions as modules, for use in Sequential, and their names.

Each takes x of any shape to y of the same shape, element by element, but for the two softmaxes,
which need the axis that they normalize. They take `inplace` where PyTorch's do, but never write
into x. An elementwise function of `rules.activations` that has no class here is given one.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import rules
from ..checks import flag, number, one_of, positive, whole
from ..rule import RULES
from ..rules.activations import __all__ as FUNCTIONS
from .module import Module

M = TypeVar("M", bound=Module)

__all__ = [
    "ELU", "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus",
    "Tanh",
]  # fmt: skip

ACTIVATIONS: dict[str, type[Module]] = {}
"""Of hidden layers, by the names that the command and the estimators take."""


def activation(name: str, function: Callable[[Any], Any]) -> type[Module]:
    """The layer y = f(x) of a function without settings; one with a rule is known by its name."""

    def __init__(self: Module, inplace: bool = False) -> None:
        flag("inplace", inplace)

    def forward(self: Module, input: Any) -> Any:
        return function(input)

    fields = {"__init__": __init__, "forward": forward, "__module__": __name__}
    doc = RULES[function].formula if function in RULES else function.__doc__
    layer = type(name, (Module,), {"__doc__": doc, **fields})
    return named(function)(layer) if function in RULES else layer


def named(function: Callable[..., Any]) -> Callable[[type[M]], type[M]]:
    """Enters a layer under the name of its function."""

    def enter(layer: type[M]) -> type[M]:
        ACTIVATIONS[function.__name__] = layer
        return layer

    return enter


ReLU = activation("ReLU", rules.relu)
Tanh = activation("Tanh", np.tanh)
Sigmoid = activation("Sigmoid", rules.sigmoid)
SiLU = activation("SiLU", rules.silu)


@named(rules.leaky_relu)
class LeakyReLU(Module):
    """x where x > 0, else negative_slope·x (Maas, Hannun and Ng, 2013)

    Raises:
        TypeError: the slope is no number.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = number("negative_slope", negative_slope)
        flag("inplace", inplace)

    def forward(self, input: Any) -> Any:
        return rules.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


@named(rules.elu)
class ELU(Module):
    """x where x > 0, else α(eˣ − 1) (Clevert, Unterthiner and Hochreiter, 2015)

    Raises:
        TypeError: alpha is no number.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = number("alpha", alpha)
        flag("inplace", inplace)

    def forward(self, input: Any) -> Any:
        return rules.elu(input, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


@named(rules.softplus)
class Softplus(Module):
    """log(1 + e^(βx))/β

    Args:
        beta: β.
        threshold: where βx is above it, y is x, as in PyTorch, where it is 20 by default. Without,
            y is exact everywhere.

    Raises:
        TypeError: a setting is no number.
        ValueError: beta is not above 0.
    """

    beta = 1.0  # as models have it that were saved before there were settings
    threshold = None

    def __init__(self, beta: float = 1.0, threshold: float | None = None) -> None:
        self.beta = positive("beta", beta)
        self.threshold = None if threshold is None else number("threshold", threshold)

    def forward(self, input: Any) -> Any:
        if self.beta == 1 and self.threshold is None:
            return rules.softplus(input)
        z = np.multiply(input, self.beta)
        y = rules.softplus(z) / self.beta
        return y if self.threshold is None else np.where(z > self.threshold, input, y)

    def extra_repr(self) -> str:
        threshold = "" if self.threshold is None else f", threshold={self.threshold}"
        return f"beta={self.beta}{threshold}"


@named(rules.gelu)
class GELU(Module):
    """x·Φ(x), Φ the standard normal distribution (Hendrycks and Gimpel, 2016)

    Args:
        approximate: "tanh" for ½x(1 + tanh(√(2/π)(x + 0.044715x³))), from the same paper.

    Raises:
        ValueError: another approximation.
    """

    approximate = "none"  # as models have it that were saved before there were settings

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = one_of("approximate", approximate, ("none", "tanh"))

    def forward(self, input: Any) -> Any:
        if self.approximate == "none":
            return rules.gelu(input)
        x = np.multiply(input, 1.0)
        # ½(1 + tanh u) = σ(2u), which keeps its digits far to the left.
        return x * rules.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))

    def extra_repr(self) -> str:
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class Softmax(Module):
    """eˣ / Σ eˣ over one axis, the last by default; of the shape of x

    Args:
        dim: that axis, as PyTorch calls it.
        axis: the same, as NumPy calls it.

    Raises:
        TypeError: the axis is no whole number, or is given twice.
        AxisError: x has no such axis.
    """

    def __init__(self, dim: int | None = None, *, axis: int | None = None) -> None:
        if dim is not None and axis is not None:
            raise TypeError(
                f"dim and axis are two names of one axis, got dim={dim!r}, axis={axis!r}"
            )
        named = ("axis", axis) if dim is None else ("dim", dim)
        self.dim = -1 if named[1] is None else whole(*named)

    def forward(self, input: Any) -> Any:
        return rules.softmax(input, axis=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x − log Σ eˣ, the logarithm of `Softmax`, with its settings and errors"""

    def forward(self, input: Any) -> Any:
        return rules.log_softmax(input, axis=self.dim)


for _function in (getattr(rules, name) for name in FUNCTIONS):
    _name = _function.__name__
    if RULES[_function].form == "elementwise" and _name not in ACTIVATIONS:
        _class = _name.title().replace("_", "")  # mish: Mish, log_sigmoid: LogSigmoid
        globals()[_class] = activation(_class, _function)
        __all__ += [_class]
