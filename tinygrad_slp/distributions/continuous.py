"""Distributions of real numbers: log p(x) as in a book, and moments, entropy and quantiles."""

import math
from typing import Any

import numpy as np

from ..tensor import unwrapped
from .distribution import Distribution, special, stream_of

LOG_TWO_PI = math.log(2 * math.pi)
NO = float("nan")


class LocationScale(Distribution):
    """x = μ + σz, for z of a distribution without parameters: loc is μ, scale σ."""

    positive = ("scale",)
    loc: Any
    scale: Any

    def __init__(self, loc: Any, scale: Any) -> None:
        super().__init__(loc=loc, scale=scale)

    def z(self, x: Any) -> Any:
        return (x - self.loc) / self.scale

    @property
    def mean(self) -> Any:
        return self.expanded(self.loc)


class Normal(LocationScale):
    """p(x) = exp(−z²/2) / (σ√2π),  z = (x − μ)/σ"""

    def log_density(self, x: Any) -> Any:
        z = self.z(x)
        return -0.5 * z * z - np.log(self.scale) - 0.5 * LOG_TWO_PI

    @property
    def variance(self) -> Any:
        return self.expanded(self.scale**2)

    def entropy(self) -> Any:
        return self.expanded(np.log(self.scale) + 0.5 + 0.5 * LOG_TWO_PI)

    def cdf(self, x: Any) -> Any:
        return special.ndtr(self.z(x))

    def icdf(self, u: Any) -> Any:
        return self.loc + self.scale * special.ndtri(u)


class LogNormal(LocationScale):
    """The exponential of a normal number: p(x) = p_Normal(log x) / x"""

    support = (0.0, np.inf)
    inner = 1.0

    def __init__(self, loc: Any, scale: Any) -> None:
        super().__init__(loc, scale)
        self.normal = Normal(loc, scale)

    def contains(self, x: Any) -> Any:
        return np.greater(x, 0)

    def log_density(self, x: Any) -> Any:
        return self.normal.log_density(np.log(x)) - np.log(x)

    @property
    def mean(self) -> Any:
        return np.exp(self.loc + self.scale**2 / 2)

    @property
    def variance(self) -> Any:
        return np.expm1(self.scale**2) * np.exp(2 * self.loc + self.scale**2)

    def entropy(self) -> Any:
        return self.normal.entropy() + self.loc

    def cdf(self, x: Any) -> Any:
        return self.normal.cdf(np.log(x))

    def icdf(self, u: Any) -> Any:
        return np.exp(self.normal.icdf(u))


class StudentT(Distribution):
    """p(x) = (1 + z²/ν)^(−(ν+1)/2) / (σ√ν · B(½, ν/2)),  z = (x − μ)/σ"""

    positive = ("df", "scale")
    df: Any
    loc: Any
    scale: Any

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> None:
        super().__init__(df=df, loc=loc, scale=scale)

    def log_density(self, x: Any) -> Any:
        v, z = self.df, (x - self.loc) / self.scale
        constant = np.log(self.scale) + 0.5 * np.log(v) + special.betaln(0.5, v / 2)
        return -(v + 1) / 2 * np.log1p(z * z / v) - constant

    @property
    def mean(self) -> Any:
        return self.expanded(np.where(np.greater(self.df, 1), self.loc, NO))

    @property
    def variance(self) -> Any:
        v = self.df
        finite = np.greater(v, 2)
        safe = self.scale**2 * v / (np.where(finite, v, 3.0) - 2)
        return self.expanded(np.where(finite, safe, np.where(np.greater(v, 1), np.inf, NO)))

    def entropy(self) -> Any:
        v = self.df
        spread = (v + 1) / 2 * (special.psi((v + 1) / 2) - special.psi(v / 2))
        size = 0.5 * np.log(v) + special.betaln(0.5, v / 2) + np.log(self.scale)
        return self.expanded(spread + size)

    def icdf(self, u: Any) -> Any:
        return self.loc + self.scale * special.stdtrit(self.df, u)


class Laplace(LocationScale):
    """p(x) = exp(−|x − μ|/b) / 2b"""

    def log_density(self, x: Any) -> Any:
        return -np.abs(self.z(x)) - np.log(2 * self.scale)

    @property
    def variance(self) -> Any:
        return self.expanded(2 * self.scale**2)

    def entropy(self) -> Any:
        return self.expanded(1 + np.log(2 * self.scale))

    def cdf(self, x: Any) -> Any:
        z = self.z(x)
        return 0.5 - 0.5 * np.sign(z) * np.expm1(-np.abs(z))

    def icdf(self, u: Any) -> Any:
        t = u - 0.5
        return self.loc - self.scale * np.sign(t) * np.log1p(-2 * np.abs(t))


class Cauchy(LocationScale):
    """p(x) = 1 / (πγ(1 + z²)),  z = (x − x₀)/γ; it has neither mean nor variance"""

    def log_density(self, x: Any) -> Any:
        z = self.z(x)
        return -np.log1p(z * z) - np.log(np.pi * self.scale)

    @property
    def mean(self) -> Any:
        return np.full(self.batch_shape, NO)

    @property
    def variance(self) -> Any:
        return np.full(self.batch_shape, NO)

    def entropy(self) -> Any:
        return self.expanded(np.log(4 * np.pi * self.scale))

    def cdf(self, x: Any) -> Any:
        return 0.5 + np.arctan(self.z(x)) / np.pi

    def icdf(self, u: Any) -> Any:
        return self.loc + self.scale * np.tan(np.pi * (u - 0.5))


class Gamma(Distribution):
    """p(x) = βᵃ xᵃ⁻¹ e^(−βx) / Γ(a)"""

    positive = ("concentration", "rate")
    support = (0.0, np.inf)
    inner = 1.0
    concentration: Any
    rate: Any

    def __init__(self, concentration: Any, rate: Any) -> None:
        super().__init__(concentration=concentration, rate=rate)

    def log_density(self, x: Any) -> Any:
        a, b = self.concentration, self.rate
        return a * np.log(b) + special.xlogy(a - 1, x) - b * x - special.gammaln(a)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate**2

    def entropy(self) -> Any:
        a = self.concentration
        return a - np.log(self.rate) + special.gammaln(a) + (1 - a) * special.psi(a)

    def cdf(self, x: Any) -> Any:
        return special.gammainc(self.concentration, self.rate * x)

    def icdf(self, u: Any) -> Any:
        return special.gammaincinv(self.concentration, u) / self.rate


class Exponential(Distribution):
    """p(x) = λe^(−λx)"""

    positive = ("rate",)
    support = (0.0, np.inf)
    inner = 1.0
    rate: Any

    def __init__(self, rate: Any) -> None:
        super().__init__(rate=rate)

    def log_density(self, x: Any) -> Any:
        return np.log(self.rate) - self.rate * x

    @property
    def mean(self) -> Any:
        return 1 / self.rate

    @property
    def variance(self) -> Any:
        return 1 / self.rate**2

    def entropy(self) -> Any:
        return 1 - np.log(self.rate)

    def cdf(self, x: Any) -> Any:
        return -np.expm1(-self.rate * x)

    def icdf(self, u: Any) -> Any:
        return -np.log1p(-u) / self.rate


class Beta(Distribution):
    """p(x) = xᵃ⁻¹(1 − x)ᵇ⁻¹ / B(a, b),  a = concentration1, b = concentration0"""

    positive = ("concentration1", "concentration0")
    support = (0.0, 1.0)
    inner = 0.5
    concentration1: Any
    concentration0: Any

    def __init__(self, concentration1: Any, concentration0: Any) -> None:
        super().__init__(concentration1=concentration1, concentration0=concentration0)

    def log_density(self, x: Any) -> Any:
        a, b = self.concentration1, self.concentration0
        return special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b)

    @property
    def mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return a * b / ((a + b) ** 2 * (a + b + 1))

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        of_parts = (a - 1) * special.psi(a) + (b - 1) * special.psi(b)
        return special.betaln(a, b) - of_parts + (a + b - 2) * special.psi(a + b)

    def cdf(self, x: Any) -> Any:
        return special.betainc(self.concentration1, self.concentration0, x)

    def icdf(self, u: Any) -> Any:
        return special.betaincinv(self.concentration1, self.concentration0, u)


class VonMises(Distribution):
    """p(x) = exp(κ cos(x − μ)) / (2π I₀(κ)), of an angle from −π to π; its variance is circular:
    1 − I₁(κ)/I₀(κ)"""

    positive = ("concentration",)
    loc: Any
    concentration: Any

    def __init__(self, loc: Any, concentration: Any) -> None:
        super().__init__(loc=loc, concentration=concentration)

    def log_density(self, x: Any) -> Any:
        k = self.concentration
        return k * (np.cos(x - self.loc) - 1) - np.log(2 * np.pi * special.i0e(k))

    @property
    def mean(self) -> Any:
        return self.expanded(self.loc)

    @property
    def variance(self) -> Any:
        k = self.concentration
        return self.expanded(1 - special.i1e(k) / special.i0e(k))

    def entropy(self) -> Any:
        k = self.concentration
        size = np.log(2 * np.pi * special.i0e(k))
        return self.expanded(size + k * (1 - special.i1e(k) / special.i0e(k)))

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        raise NotImplementedError("VonMises is drawn by rejection, without gradients: write sample")

    def sample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        """Best and Fisher, Efficient simulation of the von Mises distribution, 1979."""
        stream, shape = stream_of(rng), self.shape_of(shape)
        loc, k = (np.broadcast_to(unwrapped(x), shape) for x in (self.loc, self.concentration))
        tau = 1 + np.sqrt(1 + 4 * k * k)
        rho = (tau - np.sqrt(2 * tau)) / (2 * k)
        # For small κ the formula cancels: its series there.
        r = np.where(k < 1e-5, 1 / np.where(k < 1e-5, k, 1) + k, (1 + rho * rho) / (2 * rho))
        angle, open_ = np.zeros(shape), np.ones(shape, bool)
        while open_.any():
            u1, u2, u3 = (stream.uniform(shape) for _ in range(3))
            z = np.cos(np.pi * u1)
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            good = open_ & ((c * (2 - c) > u2) | (np.log(c / np.maximum(u2, 1e-300)) + 1 >= c))
            turn = np.sign(u3 - 0.5) * np.arccos(np.clip(f, -1, 1))
            angle = np.where(good, turn, angle)
            open_ &= ~good
        return (angle + loc + np.pi) % (2 * np.pi) - np.pi
