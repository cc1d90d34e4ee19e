"""Derivatives of the elementwise functions: the inside cover of a calculus book.

Each line reads: function, formula, and for each input its cotangent, given the cotangent g of y.
Where a function has a kink, the rule takes the field's convention, named beside it.
"""

import math

import numpy as np

from ..graph import differentiable
from ..rule import ABOVE_ONE, POSITIVE, REAL, RULES, UNIT, aliases, composite, elementwise
from .arguments import only

LN2 = math.log(2)
LN10 = math.log(10)


def zero(g, y, x):
    """A step function: no slope wherever it has one."""
    return np.zeros_like(x)


# --- arithmetic ---

elementwise(np.add, "a + b", lambda g, y, a, b: g, lambda g, y, a, b: g)
elementwise(np.subtract, "a − b", lambda g, y, a, b: g, lambda g, y, a, b: -g)
elementwise(np.multiply, "a·b", lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
elementwise(
    np.true_divide, "a / b",
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -g * y / b,
    domain=POSITIVE,
)  # fmt: skip
elementwise(np.negative, "−x", lambda g, y, x: -g)
elementwise(np.positive, "x", lambda g, y, x: g)


def through_base(g, y, a, b):
    """g · b·aᵇ⁻¹, and 0 where a = b = 0."""
    if issubclass(type(b), int | float):
        return g * (b * a ** (b - 1)) if b else np.zeros_like(y)
    corner = np.equal(a, 0) & np.equal(b, 0)
    return only(~corner, g) * b * a ** np.where(corner, 1.0, b - 1)


def through_exponent(g, y, a, b):
    """g · aᵇ log a, and its limit 0 at a = 0."""
    corner = np.equal(a, 0) & np.greater_equal(b, 0)
    return only(~corner, g) * y * np.log(np.where(corner, 1, a))


elementwise(np.power, "aᵇ", through_base, through_exponent, domain=POSITIVE)
elementwise(np.float_power, "aᵇ, in float64", *RULES[np.power].vjps, domain=POSITIVE)


def through_step(g, y):
    """g·y for a y of steps: where y is 0, it is 0 around there."""
    return only(np.not_equal(y, 0), g) * y


# Both jump where a/b is an integer: the domain is narrow, so that only a = b has to be avoided.
elementwise(
    np.remainder, "a − b⌊a/b⌋",
    lambda g, y, a, b: g,
    lambda g, y, a, b: -through_step(g, np.floor_divide(a, b)),
    domain=(1.1, 1.9),
)  # fmt: skip
elementwise(
    np.floor_divide, "⌊a/b⌋",
    lambda g, y, a, b: np.zeros_like(y),
    lambda g, y, a, b: np.zeros_like(y),
    domain=(1.1, 1.9),
)  # fmt: skip
composite(
    np.divmod, "⌊a/b⌋ and a − b⌊a/b⌋",
    lambda a, b: (np.floor_divide(a, b), np.remainder(a, b)),
    domain=(1.1, 1.9), examples=lambda f, x: [f(x(2, 3), x(3))[1]],
)  # fmt: skip
elementwise(np.reciprocal, "1/x", lambda g, y, x: -g * y * y, domain=POSITIVE)
elementwise(np.square, "x²", lambda g, y, x: g * 2 * x)
elementwise(np.sqrt, "√x", lambda g, y, x: g / (2 * y), domain=POSITIVE)
elementwise(np.cbrt, "∛x", lambda g, y, x: g / (3 * y * y), domain=POSITIVE)

# --- exponentials and logarithms ---

elementwise(np.exp, "eˣ", lambda g, y, x: g * y)
elementwise(np.exp2, "2ˣ", lambda g, y, x: g * y * LN2)
elementwise(np.expm1, "eˣ − 1", lambda g, y, x: g * (y + 1))
elementwise(np.log, "log x", lambda g, y, x: g / x, domain=POSITIVE)
elementwise(np.log2, "log₂ x", lambda g, y, x: g / (x * LN2), domain=POSITIVE)
elementwise(np.log10, "log₁₀ x", lambda g, y, x: g / (x * LN10), domain=POSITIVE)
elementwise(np.log1p, "log(1 + x)", lambda g, y, x: g / (1 + x), domain=POSITIVE)


@np.errstate(over="ignore", invalid="ignore")
def weight(y, a, b, exp=np.exp):
    """e^(a − y), the part of a in log(eᵃ + eᵇ); at infinity that in the larger of both."""
    return np.where(np.isinf(y), share(y, a, b), exp(a - y))


elementwise(
    np.logaddexp, "log(eᵃ + eᵇ)",
    lambda g, y, a, b: g * weight(y, a, b),
    lambda g, y, a, b: g * weight(y, b, a),
)  # fmt: skip
elementwise(
    np.logaddexp2, "log₂(2ᵃ + 2ᵇ)",
    lambda g, y, a, b: g * weight(y, a, b, np.exp2),
    lambda g, y, a, b: g * weight(y, b, a, np.exp2),
)  # fmt: skip

# --- trigonometry ---

elementwise(np.sin, "sin x", lambda g, y, x: g * np.cos(x))
elementwise(np.cos, "cos x", lambda g, y, x: -g * np.sin(x))
elementwise(np.tan, "tan x", lambda g, y, x: g * (1 + y * y), domain=UNIT)
elementwise(np.arcsin, "arcsin x", lambda g, y, x: g / np.sqrt((1 - x) * (1 + x)), domain=UNIT)
elementwise(np.arccos, "arccos x", lambda g, y, x: -g / np.sqrt((1 - x) * (1 + x)), domain=UNIT)
elementwise(np.arctan, "arctan x", lambda g, y, x: g / (1 + x * x))


@differentiable(
    lambda g, q, p, y: np.where(np.equal(y, 0), np.nan, g) / y,
    lambda g, q, p, y: -np.where(np.equal(y, 0), np.nan, g) * q / y,
    form="elementwise",
    domain=POSITIVE,
)
def over(p, y):
    """p/y; 0 where y = 0, at the corner of a norm, where its own slope is NaN: there is none"""
    return only(np.not_equal(y, 0), p) / np.where(np.equal(y, 0), 1, y)


def around(g, p, a, b):
    """g · p/(a² + b²) without overflow, and 0 at the corner a = b = 0."""
    r = np.hypot(a, b)
    return over(only(np.not_equal(r, 0), g), r) * over(p, r)


elementwise(
    np.arctan2, "the angle of (b, a)",
    lambda g, y, a, b: around(g, b, a, b),
    lambda g, y, a, b: -around(g, a, a, b),
    domain=POSITIVE,
)  # fmt: skip
elementwise(np.sinh, "sinh x", lambda g, y, x: g * np.cosh(x))
elementwise(np.cosh, "cosh x", lambda g, y, x: g * np.sinh(x))
elementwise(np.tanh, "tanh x", lambda g, y, x: g * (1 - y * y))
elementwise(np.arcsinh, "arcsinh x", lambda g, y, x: g / np.sqrt(x * x + 1))
elementwise(
    np.arccosh, "arccosh x", lambda g, y, x: g / np.sqrt((x - 1) * (x + 1)), domain=ABOVE_ONE
)
elementwise(np.arctanh, "arctanh x", lambda g, y, x: g / ((1 - x) * (1 + x)), domain=UNIT)
elementwise(
    np.hypot, "√(a² + b²)",
    # At the corner a = b = 0 the slope is taken as 0.
    lambda g, y, a, b: only(np.not_equal(y, 0), g) * over(a, y),
    lambda g, y, a, b: only(np.not_equal(y, 0), g) * over(b, y),
    domain=POSITIVE,
)  # fmt: skip
elementwise(np.deg2rad, "x·π/180", lambda g, y, x: g * (math.pi / 180))
elementwise(np.rad2deg, "x·180/π", lambda g, y, x: g * (180 / math.pi))
aliases(np.deg2rad, np.radians)
aliases(np.rad2deg, np.degrees)

# --- kinks and steps ---


@differentiable(
    lambda g, y, x: np.where(np.equal(x, 0), np.nan, np.zeros_like(x)),
    form="elementwise", domain=REAL,
)  # fmt: skip
def side(x):
    """sign x, as the slope of |x|, which has no second derivative at 0: it is NaN there"""
    return np.sign(x)


for modulus in np.absolute, np.fabs:
    elementwise(
        modulus, "|x|", lambda g, y, x: only(np.not_equal(x, 0), g) * side(x)
    )  # fmt: skip
elementwise(np.sign, "sign x", zero)
elementwise(np.floor, "⌊x⌋", zero)
elementwise(np.ceil, "⌈x⌉", zero)
elementwise(np.trunc, "x towards 0", zero)
elementwise(np.rint, "the nearest integer", zero)
elementwise(
    np.round, "x to some decimals", lambda g, y, x, decimals=0: np.zeros_like(x),
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), decimals=0), f(x(3), 0)],
)  # fmt: skip
aliases(np.round, np.around)


def share(y, a, b):
    """How much of the cotangent goes to a: all where it is the output, half in a tie with b."""
    return np.equal(y, a) * (1 - 0.5 * np.equal(a, b))


def to_first(g, y, a, b):
    """The cotangent of a: g where a is the output, half of it in a tie with b."""
    return np.where(np.equal(a, b), 0.5 * g, only(np.equal(y, a), g))


def to_second(g, y, a, b):
    """What is left for b; NaN counts as the output it became."""
    return np.where(np.equal(a, b), 0.5 * g, only(np.not_equal(y, a), g))


for extremum, formula in (
    (np.maximum, "max(a, b)"),
    (np.minimum, "min(a, b)"),
    (np.fmax, "max(a, b), NaN ignored"),
    (np.fmin, "min(a, b), NaN ignored"),
):
    elementwise(extremum, formula, to_first, to_second)

elementwise(
    np.where, "a where c, else b",
    None,
    lambda g, y, c, a, b: only(c, g),
    lambda g, y, c, a, b: np.where(c, 0, g),
    examples=lambda f, x: [
        f(x(2, 3) > 0, x(2, 3), x(3)),
        f(np.array([True, False, True]), x(2, 3), x(2, 1)),
    ],
)  # fmt: skip


# The slope is 1 on the bounds themselves, as in PyTorch: not a composite of maximum and minimum.
# Between bounds that meet or cross nothing moves.
@differentiable(
    lambda g, y, x, low, high: only(np.equal(y, x) & np.less(low, high), g),
    lambda g, y, x, low, high: only((x < low) & (low <= high), g),
    lambda g, y, x, low, high: only((x > high) | (low > high), g),
    form="elementwise",
    domain=REAL,
    examples=lambda f, x: [f(x(2, 3), -1.0, 1.0), f(x(2, 3), x(3) * 0.1 - 1, 0.2 * x(3) + 1)],
)
def clamp(x, low, high):
    """min(max(x, low), high)      ∂x = g where low ≤ x ≤ high; else it is that of the bound"""
    return np.minimum(np.maximum(x, low), high)


@composite(
    np.clip,
    "min(max(x, low), high)",
    examples=lambda f, x: [f(x(2, 3), -1, 1), f(x(2, 3), None, 0.5), f(x(2, 3), -0.25, None)],
)
def clip(a, a_min=None, a_max=None, *, min=None, max=None):
    if (a_min is not None or a_max is not None) and (min is not None or max is not None):
        raise ValueError("np.clip takes its bounds as a_min and a_max, or as min and max, not both")
    low = a_min if min is None else min
    high = a_max if max is None else max
    lowest, highest = limits(a)
    return clamp(a, lowest if low is None else low, highest if high is None else high)


def limits(x):
    """Bounds that hold for all numbers of the dtype of x, and do not change it."""
    kind = x.dtype.kind if hasattr(x, "dtype") else "f"
    if kind == "b":
        return False, True
    return (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max) if kind in "iu" else (-np.inf, np.inf)
