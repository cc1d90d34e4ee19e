"""The activation functions as modules, for use in Sequential, and their names.

Each takes x of any shape to y of the same shape, element by element, but for the two softmaxes,
which need the axis that they normalize. The settings are plain numbers.
"""

from typing import Any

import numpy as np

from .. import rules
from .module import Module


class Sigmoid(Module):
    """σ(x) = 1/(1 + e⁻ˣ)"""

    def forward(self, x: Any) -> Any:
        return rules.sigmoid(x)


class Tanh(Module):
    """tanh x"""

    def forward(self, x: Any) -> Any:
        return np.tanh(x)


class ReLU(Module):
    """max(x, 0)"""

    def forward(self, x: Any) -> Any:
        return rules.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope·x (Maas, Hannun and Ng, 2013)"""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        return rules.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class Softplus(Module):
    """log(1 + eˣ)"""

    def forward(self, x: Any) -> Any:
        return rules.softplus(x)


class SiLU(Module):
    """x·σ(x) (Elfwing, Uchibe and Doya, 2017)"""

    def forward(self, x: Any) -> Any:
        return rules.silu(x)


class GELU(Module):
    """x·Φ(x), Φ the standard normal distribution, not the tanh form (Hendrycks and Gimpel, 2016)"""

    def forward(self, x: Any) -> Any:
        return rules.gelu(x)


class ELU(Module):
    """x where x > 0, else α(eˣ − 1) (Clevert, Unterthiner and Hochreiter, 2015)"""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return rules.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Softmax(Module):
    """eˣ / Σ eˣ over one axis, the last by default; of the shape of x

    Args:
        dim: that axis, as PyTorch calls it.

    Raises:
        AxisError: x has no such axis.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        return rules.softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x − log Σ eˣ, the logarithm of `Softmax`, with its settings and errors"""

    def forward(self, x: Any) -> Any:
        return rules.log_softmax(x, axis=self.dim)


ACTIVATIONS: dict[str, type[Module]] = {
    "relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "silu": SiLU, "gelu": GELU, "elu": ELU,
    "leaky_relu": LeakyReLU, "softplus": Softplus,
}  # fmt: skip
"""Of hidden layers, by the names that the command and the estimators take."""
