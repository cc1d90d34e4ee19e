"""The activation functions that NumPy lacks, each with its rule, each stable everywhere.

Far out, e^(−|x|) underflows to the 0 that is meant: overflow and underflow are not reported here.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import differentiable
from ..rule import REAL
from .arguments import floats, only, times
from .reductions import kept

__all__ = [
    "elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "silu", "softmax",
    "softplus",
]  # fmt: skip

Array = Any  # an array, or a Tensor: what goes in comes out


silent = np.errstate(over="ignore", under="ignore")
"""Lets eˣ run to 0 and ∞ without a warning; both are what the formulas mean."""


@differentiable(lambda g, y, x: g * (y * (1.0 - y)), form="elementwise", domain=REAL)
@silent
def sigmoid(x: Array) -> Array:
    """σ(x) = 1/(1 + e⁻ˣ)      ∂x = g · σ(1 − σ)"""
    return np.reciprocal(1.0 + np.exp(-floats(x)))  # sooner than 1 / ..., and for real x to the bit


@differentiable(lambda g, y, x: only(y > 0, g), form="elementwise", domain=REAL)
def relu(x: Array) -> Array:
    """max(x, 0)      ∂x = g where x > 0, else 0 (also at the kink)"""
    return np.maximum(x, 0)


@differentiable(
    lambda g, y, x, negative_slope: np.where(x > 0, g, times(negative_slope, g)),
    lambda g, y, x, negative_slope: only(x <= 0, g * x),
    form="elementwise",
    domain=REAL,
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), negative_slope=0.3), f(x(2, 3), x(3))],
)
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else negative_slope·x      ∂x = g, else g · negative_slope

    The slope may be an array that is trained: that is the PReLU of He et al., 2015.
    """
    return np.where(x > 0, x, negative_slope * x)


@differentiable(lambda g, y, x: g * sigmoid(x), form="elementwise", domain=REAL)
@silent
def softplus(x: Array) -> Array:
    """log(1 + eˣ)      ∂x = g · σ(x)"""
    x = floats(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


@differentiable(
    lambda g, y, x: g * (sigmoid(x) * (1 + x * sigmoid(-x))), form="elementwise", domain=REAL
)
def silu(x: Array) -> Array:
    """x·σ(x)      ∂x = g · σ(x)(1 + x σ(−x))"""
    return x * sigmoid(x)


@differentiable(lambda g, y, x: -g * x * y, form="elementwise", domain=REAL)
@silent
def normal_pdf(x: Array) -> Array:
    """φ(x) = e^(−x²/2)/√(2π)      ∂x = −g · x φ(x)"""
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


# log(erfc(z)·e^(z²)/t) in Chebyshev polynomials of 2t − 1, with t = 2/(2 + z), z ≥ 0: the
# substitution of Press et al., Numerical Recipes, section 6.2.2; good to the last bit or two.
ERFC = (
    -0.6513268598908547, 0.6419697923564902, 0.019476473204185836, -0.009561514786808632,
    -0.0009465953444820369, 0.00036683949785276145, 4.252332480690777e-05, -2.0278578112534242e-05,
    -1.6242900046470256e-06, 1.3036558355805232e-06, 1.5626441722066142e-08,
    -8.523809591492654e-08, 6.5290544390988515e-09, 5.059343495551469e-09, -9.91364156493033e-10,
    -2.273651222931836e-10, 9.646791102015527e-11, 2.3940380830391146e-12, -6.886027526497553e-12,
    8.944879273090725e-13, 3.130921399342958e-13, -1.1270822361367252e-13, 3.810905255189232e-16,
    7.106097613609237e-15, -1.5230282014571043e-15, -9.457494571291233e-17, 1.210237189224279e-16,
    -2.816663087747177e-17,
)  # fmt: skip


def chebyshev(coefficients: Sequence[float], u: Array) -> Array:
    """Σ cₖTₖ(u), by Clenshaw's recurrence."""
    first, *rest = coefficients
    a = b = 0 * u
    for c in reversed(rest):
        a, b = c + 2 * u * a - b, a
    return first + u * a - b


@differentiable(lambda g, y, x: g * normal_pdf(x), form="elementwise", domain=REAL)
@silent
def normal_cdf(x: Array) -> Array:
    """Φ(x) = ½ erfc(−x/√2)      ∂x = g · φ(x)"""
    z = np.absolute(x) * math.sqrt(0.5)
    t = 2 / (2 + z)
    tail = 0.5 * t * np.exp(chebyshev(ERFC, 2 * t - 1) - z * z)
    return np.where(x < 0, tail, 1 - tail)


@differentiable(
    lambda g, y, x: g * (normal_cdf(x) + x * normal_pdf(x)), form="elementwise", domain=REAL
)
def gelu(x: Array) -> Array:
    """x·Φ(x)      ∂x = g · (Φ(x) + x φ(x))      Hendrycks and Gimpel 2016, not the tanh form"""
    return x * normal_cdf(x)


@silent
def below(x: Array) -> Array:
    """eˣ where x < 0, else 1."""
    return np.exp(np.minimum(x, 0))


@differentiable(
    # Not y + α, which is α(eˣ − 1) + α and 0 for x ≪ 0.
    lambda g, y, x, alpha: np.where(x > 0, g, times(alpha, g) * below(x)),
    lambda g, y, x, alpha: only(x <= 0, g) * np.expm1(np.minimum(x, 0)),
    form="elementwise",
    domain=REAL,
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), alpha=0.5), f(x(2, 3), x(3))],
)
@silent
def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, else α(eˣ − 1)      ∂x = g, else g · αeˣ"""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def over_axes(f, x):
    return [f(x(2, 3)), f(x(3)), f(x(2, 3), axis=0), f(x(2, 3, 2), axis=(0, -1))]


@differentiable(
    lambda g, y, x, axis=-1: y * (g - (g * y).sum(axis=axis, keepdims=True)),
    domain=REAL,
    examples=over_axes,
)
@silent
def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """eˣ / Σ eˣ      ∂x = y ⊙ (g − Σ g ⊙ y)

    Args:
        axis: of the sum, or several; the last by default. y has the shape of x.
    """
    e = np.exp(floats(x) - top(x, axis))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


@differentiable(
    lambda g, y, x, axis=-1: g - softmax(x, axis) * g.sum(axis=axis, keepdims=True),
    domain=REAL,
    examples=over_axes,
)
def log_softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """x − log Σ eˣ      ∂x = g − softmax(x) · Σ g

    Args:
        axis: of the sum, or several; the last by default. y has the shape of x.
    """
    return x - log_sum(x, axis)


@differentiable(
    lambda g, y, x, axis=None, keepdims=False: (
        softmax(x, axis) * (g if keepdims or not x.ndim else kept(g, x, axis))
    ),
    domain=REAL,
    examples=lambda f, x: [*over_axes(f, x), f(x(2, 3), -1), f(x(2, 3), None, keepdims=True)],
)
def logsumexp(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """log Σ eˣ      ∂x = g · softmax(x)

    Args:
        axis: of the sum, or several; all by default, as in SciPy and JAX.
        keepdims: leave these axes in y, with length 1.
    """
    y = log_sum(x, axis)
    return y if keepdims else np.squeeze(y, axis=axis)


def log_sum(x: Array, axis: int | tuple[int, ...] | None) -> Array:
    """log Σ eˣ, with the axes kept; an infinite maximum is the answer itself."""
    highest = top(x, axis)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        e = np.exp(floats(x) - highest)
        return np.log(np.add.reduce(e, axis=axis, keepdims=True)) + highest


def top(x: Array, axis: int | tuple[int, ...] | None) -> Array:
    """max x, with the axes kept: e^(x − max x) does not overflow. 0 where it is infinite."""
    highest = floats(x).max(axis=axis, keepdims=True)
    return np.where(np.isfinite(highest), highest, 0)
