"""Derivatives of the elementwise functions of NumPy that a book has no line for: parts and signs
of numbers, and special functions."""

import math

import numpy as np

from ..errors import NOT_COMPLEX
from ..rule import REAL, composite, declare, elementwise
from .arguments import only
from .calculus import side, through_step

# --- parts and signs of numbers ---

elementwise(
    np.fmod, "a − b·trunc(a/b)",
    lambda g, y, a, b: g,
    lambda g, y, a, b: -through_step(g, np.rint((a - y) / b)),
    domain=(1.1, 1.9),
)  # fmt: skip


@composite(
    np.modf, "x − trunc x and trunc x",
    domain=(1.1, 1.9), examples=lambda f, x: [f(x(2, 3))[0]],
)  # fmt: skip
def modf(x):
    if x.dtype.kind != "f":
        x = x.astype(np.modf(np.zeros_like(x, shape=()))[0].dtype)
    finite = np.where(np.isinf(x), np.copysign(np.zeros_like(x), x), x)
    return np.fmod(finite, 1), np.trunc(x)


declare(
    np.ldexp, "x·2ⁱ",
    lambda g, y, x, i: np.ldexp(g, i),
    None,
    domain=REAL, examples=lambda f, x: [f(x(2, 3), 2), f(x(3), np.array([[1], [-2]]))],
)  # fmt: skip
elementwise(
    np.copysign, "|a| with the sign of b",
    lambda g, y, a, b: only(np.not_equal(a, 0), g) * side(a) * np.copysign(np.ones_like(y), b),
    lambda g, y, a, b: np.zeros_like(y),
)  # fmt: skip
elementwise(
    np.heaviside, "0 where x < 0, 1 where x > 0, else h",
    lambda g, y, x, h: np.zeros_like(y),
    lambda g, y, x, h: only(np.equal(x, 0), g),
    examples=lambda f, x: [f(x(2, 3), x(3)), f(np.array([0, 1, 0], np.int8), x(2, 1))],
)  # fmt: skip


@composite(np.real_if_close, "x, which is real", examples=lambda f, x: [f(x(2, 3))])
def real_if_close(x, tol=100):
    if x.dtype.kind == "c":
        raise TypeError(f"np.real_if_close: {NOT_COMPLEX}")
    return np.reshape(x, x.shape)


# --- special functions ---


def sinc_slope(x):
    """(cos πx − sinc x) / x, and its series for |πx| < 1, where the difference loses digits:

    π Σ (−1)ᵏ 2k z²ᵏ⁻¹ / (2k + 1)!  with  z = πx
    """
    z = math.pi * x
    near = np.absolute(z) < 1
    small, far = np.where(near, z, 0), np.where(near, 1, x)
    square, series = small * small, 0
    for k in range(10, 0, -1):
        series = series * square + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
    return np.where(near, math.pi * small * series, (np.cos(math.pi * far) - np.sinc(far)) / far)


elementwise(np.sinc, "sin πx / (πx)", lambda g, y, x: g * sinc_slope(x))

COSINES = [math.cos(math.pi * (k + 0.5) / 128) for k in range(64)]


def i1(x):
    """I₁, the mean of cos θ · sinh(x cos θ) over the circle, where x ≤ 710: an integral over whole
    periods, which converges faster than any power (Trefethen and Weideman, 2014)."""
    return sum(c / 64 * np.sinh(c * x) for c in COSINES)


elementwise(np.i0, "I₀(x)", lambda g, y, x: g * i1(x))
