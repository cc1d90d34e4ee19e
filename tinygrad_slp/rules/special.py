"""Derivatives of the functions of scipy.special, declared when a Tensor first meets one of them.

The formulas are those of the NIST Digital Library of Mathematical Functions (DLMF), by chapter.
Parameters for which there is no formula, such as the order of a Bessel function, are settings.
"""

import math
from functools import partial

import numpy as np
from scipy import special

from ..graph import differentiable
from ..rule import ABOVE_ONE, POSITIVE, REAL, aliases, declare, elementwise, functions
from .arguments import only
from .calculus import side

BEFORE = functions()

HALF_ROOT_PI = math.sqrt(math.pi) / 2
ROOT_TWO_PI = math.sqrt(2 * math.pi)
AWAY = (1.2, 4.0)  # from poles, near which measured slopes are worth little


def with_parameters(function, formula, slope, count, *, domain):
    """The rule of a function of some parameters and x, with g · slope(y, parameters, x) for x."""

    def bind(*args):
        *given, x = args
        shape = np.broadcast_shapes(np.shape(x), *map(np.shape, given))
        x = x if np.shape(x) == shape else np.broadcast_to(x, shape)
        kind = np.result_type(getattr(x, "dtype", float), np.float16).type
        # SciPy takes numbers of Python for float64: so float32 would not stay what it is.
        return (x,), {"given": tuple([p if hasattr(p, "dtype") else kind(p) for p in given])}

    declare(
        function, formula, lambda g, y, x, given=(): g * slope(y, *given, x),
        run=lambda x, given=(): function(*given, x), bind=bind, domain=domain,
        examples=lambda f, x: [
            f(*[1.5] * count, x(2, 3)), f(*range(2, count + 2), x(4)),
        ],
    )  # fmt: skip


# --- gamma and beta functions (DLMF 5) ---


def polygamma_slope(g, y, x, n=1):
    return g * polygamma(x, n=n + 1)


@differentiable(
    polygamma_slope,
    form="elementwise", domain=AWAY, examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), n=2)],
)  # fmt: skip
def polygamma(x, n=1):
    """ψ⁽ⁿ⁾(x)      ∂x = g · ψ⁽ⁿ⁺¹⁾(x)

    SciPy's is no ufunc: NumPy hands it on, so that it is one operation for `jit` too.
    """
    return np.piecewise(x, [np.equal(x, x)], [partial(special.polygamma, n), np.nan])


elementwise(special.gamma, "Γ(x)", lambda g, y, x: g * y * special.psi(x), domain=AWAY)
elementwise(special.rgamma, "1/Γ(x)", lambda g, y, x: -g * y * special.psi(x), domain=AWAY)
elementwise(special.gammaln, "log |Γ(x)|", lambda g, y, x: g * special.psi(x), domain=AWAY)
elementwise(special.loggamma, "log Γ(x)", lambda g, y, x: g * special.psi(x), domain=AWAY)
elementwise(special.psi, "ψ(x) = Γ′(x)/Γ(x)", lambda g, y, x: g * polygamma(x, n=1), domain=AWAY)
aliases(special.psi, special.digamma)
elementwise(
    special.betaln, "log |B(a, b)|",
    lambda g, y, a, b: g * (special.psi(a) - special.psi(a + b)),
    lambda g, y, a, b: g * (special.psi(b) - special.psi(a + b)),
    domain=AWAY,
)  # fmt: skip
elementwise(
    special.beta, "B(a, b)",
    lambda g, y, a, b: g * y * (special.psi(a) - special.psi(a + b)),
    lambda g, y, a, b: g * y * (special.psi(b) - special.psi(a + b)),
    domain=AWAY,
)  # fmt: skip


def gamma_density(a, x):
    """xᵃ⁻¹e⁻ˣ/Γ(a)"""
    return np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))


with_parameters(
    special.gammainc, "P(a, x) = γ(a, x)/Γ(a)", lambda y, a, x: gamma_density(a, x), 1,
    domain=POSITIVE,
)  # fmt: skip
with_parameters(
    special.gammaincc, "Q(a, x) = 1 − P(a, x)", lambda y, a, x: -gamma_density(a, x), 1,
    domain=POSITIVE,
)  # fmt: skip


def beta_density(a, b, x):
    """xᵃ⁻¹(1 − x)ᵇ⁻¹/B(a, b)"""
    return np.exp(special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b))


with_parameters(
    special.betainc, "Iₓ(a, b)", lambda y, a, b, x: beta_density(a, b, x), 2,
    domain=(0.4, 0.6),
)  # fmt: skip

with_parameters(
    special.gammaincinv, "the x with P(a, x) = p", lambda y, a, p: 1 / gamma_density(a, y), 1,
    domain=(0.45, 0.55),
)  # fmt: skip
with_parameters(
    special.betaincinv, "the x with Iₓ(a, b) = p", lambda y, a, b, p: 1 / beta_density(a, b, y), 2,
    domain=(0.4, 0.6),
)  # fmt: skip


def t_density(v, x):
    """Of Student's distribution with v degrees of freedom."""
    return np.exp(-(v + 1) / 2 * np.log1p(x * x / v) - special.betaln(0.5, v / 2)) / np.sqrt(v)


with_parameters(
    special.stdtr, "P(T ≤ x), T of v degrees of freedom", lambda y, v, x: t_density(v, x), 1,
    domain=REAL,
)  # fmt: skip
with_parameters(
    special.stdtrit, "the x with P(T ≤ x) = p", lambda y, v, p: 1 / t_density(v, y), 1,
    domain=(0.45, 0.55),
)  # fmt: skip

# --- error functions and the normal distribution (DLMF 7) ---

elementwise(special.erf, "erf x", lambda g, y, x: g * np.exp(-x * x) / HALF_ROOT_PI)
elementwise(special.erfc, "1 − erf x", lambda g, y, x: -g * np.exp(-x * x) / HALF_ROOT_PI)
elementwise(special.erfcx, "exp(x²) · erfc x", lambda g, y, x: g * (2 * x * y - 1 / HALF_ROOT_PI))
elementwise(
    special.erfinv, "the x with erf x = p", lambda g, y, p: g * HALF_ROOT_PI * np.exp(y * y),
    domain=(-0.5, 0.5),
)  # fmt: skip
elementwise(
    special.erfcinv, "the x with erfc x = p", lambda g, y, p: -g * HALF_ROOT_PI * np.exp(y * y),
    domain=(0.5, 1.5),
)  # fmt: skip
elementwise(special.ndtr, "Φ(x)", lambda g, y, x: g * np.exp(-x * x / 2) / ROOT_TWO_PI)
elementwise(special.log_ndtr, "log Φ(x)", lambda g, y, x: g * np.exp(-x * x / 2 - y) / ROOT_TWO_PI)
elementwise(
    special.ndtri, "the x with Φ(x) = p", lambda g, y, p: g * ROOT_TWO_PI * np.exp(y * y / 2),
    domain=(0.4, 0.6),
)  # fmt: skip
elementwise(special.dawsn, "exp(−x²) ∫₀ˣ exp(t²) dt", lambda g, y, x: g * (1 - 2 * x * y))

# --- logistic functions, entropies and transforms ---

elementwise(special.expit, "σ(x)", lambda g, y, x: g * (y * special.expit(-x)))
elementwise(special.log_expit, "log σ(x)", lambda g, y, x: g * special.expit(-x))
elementwise(special.logit, "log(p/(1 − p))", lambda g, y, p: g / (p * (1 - p)), domain=(0.1, 0.9))
elementwise(
    special.xlogy, "x · log y, 0 where x = 0",
    lambda g, y, x, b: g * np.log(b),
    lambda g, y, x, b: only(np.not_equal(x, 0), g * x) / np.where(np.equal(x, 0), 1, b),
    domain=POSITIVE,
)  # fmt: skip
elementwise(
    special.xlog1py, "x · log(1 + y), 0 where x = 0",
    lambda g, y, x, b: g * np.log1p(b),
    lambda g, y, x, b: only(np.not_equal(x, 0), g * x) / np.where(np.equal(x, 0), 1, 1 + b),
    domain=POSITIVE,
)  # fmt: skip
elementwise(special.entr, "−x · log x", lambda g, y, x: -g * (np.log(x) + 1), domain=POSITIVE)
elementwise(
    special.rel_entr, "x · log(x/y)",
    lambda g, y, a, b: g * (np.log(a / b) + 1),
    lambda g, y, a, b: -g * a / b,
    domain=POSITIVE,
)  # fmt: skip
elementwise(
    special.kl_div, "x · log(x/y) − x + y",
    lambda g, y, a, b: g * np.log(a / b),
    lambda g, y, a, b: g * (1 - a / b),
    domain=POSITIVE,
)  # fmt: skip


def in_power(u):
    """((u − 1)eᵘ + 1)/u² = Σ uᵏ/(k!(k + 2)), by the series near 0."""
    near = np.less(np.absolute(u), 0.1)
    small, large = np.where(near, u, 0), np.where(near, 1, u)
    series = sum(small**k / (math.factorial(k) * (k + 2)) for k in range(1, 10)) + 0.5
    return np.where(near, series, ((large - 1) * np.exp(large) + 1) / (large * large))


elementwise(
    special.boxcox, "(xᵏ − 1)/k, log x where k = 0",
    lambda g, y, x, k: g * x ** (k - 1),
    lambda g, y, x, k: g * np.log(x) ** 2 * in_power(k * np.log(x)),
    domain=POSITIVE,
    examples=lambda f, x: [f(x(2, 3), x(3)), f(x(2, 3), 0.0), f(x(2, 3), x(3) - x(3))],
)  # fmt: skip

# --- Bessel functions (DLMF 10.6 and 10.29) ---


def between(f, sign=1):
    """The mean of the orders v − 1 and v + 1; with sign −1 half their difference."""
    return lambda y, v, x: (f(v - 1, x) + sign * f(v + 1, x)) / 2


def minus(slope):
    return lambda *args: -slope(*args)


with_parameters(special.jv, "Jᵥ(x)", between(special.jv, -1), 1, domain=ABOVE_ONE)
with_parameters(special.yv, "Yᵥ(x)", between(special.yv, -1), 1, domain=ABOVE_ONE)
with_parameters(special.iv, "Iᵥ(x)", between(special.iv), 1, domain=ABOVE_ONE)
with_parameters(special.kv, "Kᵥ(x)", minus(between(special.kv)), 1, domain=ABOVE_ONE)
with_parameters(
    special.ive, "exp(−|x|) · Iᵥ(x)",
    lambda y, v, x: between(special.ive)(y, v, x) - side(x) * y, 1, domain=ABOVE_ONE,
)  # fmt: skip
elementwise(special.j0, "J₀(x)", lambda g, y, x: -g * special.j1(x))
elementwise(special.j1, "J₁(x)", lambda g, y, x: g * (special.j0(x) - special.jv(2, x)) / 2)
elementwise(special.y0, "Y₀(x)", lambda g, y, x: -g * special.y1(x), domain=ABOVE_ONE)
elementwise(
    special.y1, "Y₁(x)", lambda g, y, x: g * (special.y0(x) - special.yv(2, x)) / 2,
    domain=ABOVE_ONE,
)  # fmt: skip
elementwise(special.i0, "I₀(x)", lambda g, y, x: g * special.i1(x))
elementwise(special.i1, "I₁(x)", lambda g, y, x: g * (special.i0(x) + special.iv(2, x)) / 2)
elementwise(
    special.i0e,
    "exp(−|x|) · I₀(x)",
    lambda g, y, x: only(np.not_equal(x, 0), g) * (special.i1e(x) - side(x) * y),
)
elementwise(
    special.i1e, "exp(−|x|) · I₁(x)",
    lambda g, y, x: g * ((special.i0e(x) + special.ive(2, x)) / 2 - side(x) * y),
)  # fmt: skip
elementwise(special.k0, "K₀(x)", lambda g, y, x: -g * special.k1(x), domain=ABOVE_ONE)
elementwise(
    special.k1, "K₁(x)", lambda g, y, x: -g * (special.k0(x) + special.kv(2, x)) / 2,
    domain=ABOVE_ONE,
)  # fmt: skip

# --- exponential integrals (DLMF 6) ---

elementwise(special.exp1, "E₁(x)", lambda g, y, x: -g * np.exp(-x) / x, domain=ABOVE_ONE)
elementwise(special.expi, "Ei(x)", lambda g, y, x: g * np.exp(x) / x, domain=ABOVE_ONE)
elementwise(
    special.spence,
    "∫₁ˣ log t/(1 − t) dt",
    lambda g, y, x: g * np.log(x) / (1 - x),
    domain=ABOVE_ONE,
)

DECLARED = [rule for rule in functions() if rule not in BEFORE]
"""The rules of this file."""
