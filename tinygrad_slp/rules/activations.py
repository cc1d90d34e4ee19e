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
from .reductions import add_up, kept

__all__ = [
    "elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "silu", "softmax",
    "softplus",
]  # fmt: skip

Array = Any  # an array, or a Tensor: what goes in comes out
Axis = int | tuple[int, ...] | None


silent = np.errstate(over="ignore", under="ignore", divide="ignore")
"""Lets eˣ run to 0 and ∞, and log 0 to −∞, without a warning: this is what the formulas mean."""


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


@differentiable(lambda g, y, x: g * (y * sigmoid(-x)), form="elementwise", domain=REAL)
def logistic(x: Array) -> Array:
    """σ(x), for the slopes of losses      ∂x = g · σ(x)σ(−x), right also where 1 − σ is 0"""
    return sigmoid(x)


@differentiable(lambda g, y, x: g * logistic(x), form="elementwise", domain=REAL)
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


# --- of several numbers ---


def over_axes(f, x):
    return [f(x(2, 3)), f(x(3)), f(x(2, 3), axis=0), f(x(2, 3, 2), axis=(0, -1))]


def largest(x: Array, axis: Axis) -> Array:
    """max x, with the axes kept; of nothing 0."""
    return (x.max if x.size else x.sum)(axis=axis, keepdims=True)


def rest(e: Array, axis: Axis) -> Array:
    """Σ e − 1, where the largest e is 1, with the axes kept: the small ones are not rounded off."""
    ones = only(np.equal(e, 1), e)
    others = add_up(e - ones, axis, keepdims=True)
    return others + (add_up(ones, axis, keepdims=True) - 1)


def softmax_slope(g: Array, y: Array, x: Array, axis: Axis = -1) -> Array:
    """y ⊙ (g − Σ g ⊙ y), the same for g less a number: that at the largest y, which may be 1."""
    chosen = only(np.equal(y, largest(y, axis)), g)
    g = g - add_up(chosen, axis, keepdims=True)
    return y * (g - add_up(g * y, axis, keepdims=True))


@differentiable(softmax_slope, domain=REAL, examples=over_axes)
@silent
def softmax(x: Array, axis: Axis = -1) -> Array:
    """eˣ / Σ eˣ      ∂x = y ⊙ (g − Σ g ⊙ y)

    Args:
        axis: of the sum, or several; the last by default. y has the shape of x. Where x is ∞, or
            −∞ all along the axis, y is NaN all along the axis.
    """
    x = floats(x)
    e = np.exp(x - largest(x, axis))
    return e / add_up(e, axis, keepdims=True)


@differentiable(
    lambda g, y, x, axis=-1: -softmax_slope(g, softmax(x, axis), x, axis),
    domain=REAL,
    examples=over_axes,
)
@silent
def complement(x: Array, axis: Axis = -1) -> Array:
    """1 − softmax(x), right to the last digits also where softmax is 1      ∂x = −that of it"""
    x = floats(x)
    e = np.exp(x - largest(x, axis))
    r = rest(e, axis)
    return np.where(np.equal(e, 1), r, 1 + r - e) / (1 + r)


@differentiable(
    lambda g, y, x, axis=-1: (
        g * complement(x, axis) - softmax(x, axis) * (add_up(g, axis, keepdims=True) - g)
    ),
    domain=REAL,
    examples=over_axes,
)
@silent
def log_softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """x − log Σ eˣ      ∂x = g − softmax(x) · Σ g

    Args:
        axis: of the sum, or several; the last by default. y has the shape of x. Where x is ∞, or
            −∞ all along the axis, y is NaN all along the axis.
    """
    x = floats(x)
    x = x - largest(x, axis)
    return x - np.log1p(rest(np.exp(x), axis))


@np.errstate(invalid="ignore")
def logsumexp_slope(
    g: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False
) -> Array:
    """g · softmax(x); where y is infinite, those x that are y share g evenly."""
    if x.ndim and not keepdims:
        g, y = kept(g, x, axis), kept(y, x, axis)
    chosen = np.equal(x, y)
    even = chosen / np.maximum(np.add.reduce(chosen, axis=axis, keepdims=True), 1)
    return g * np.where(np.isinf(y), even, softmax(x, axis))


@differentiable(
    logsumexp_slope,
    domain=REAL,
    examples=lambda f, x: [*over_axes(f, x), f(x(2, 3), -1), f(x(2, 3), None, keepdims=True)],
)
@silent
def logsumexp(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """log Σ eˣ      ∂x = g · softmax(x)

    Args:
        axis: of the sum, or several; all by default, as in SciPy and JAX.
        keepdims: leave these axes in y, with length 1.
    """
    x = floats(x)
    highest = largest(x, axis)
    highest = np.where(np.isfinite(highest), highest, 0)
    y = np.log1p(rest(np.exp(x - highest), axis)) + highest
    return y if keepdims else np.squeeze(y, axis=axis)
