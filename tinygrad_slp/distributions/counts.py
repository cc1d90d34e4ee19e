"""Distributions of counts and classes: log p(k) as in a book, and moments and entropy."""

from typing import Any

import numpy as np

from ..rules import log_softmax, sigmoid, softmax, softplus
from ..tensor import unwrapped
from .distribution import Distribution, special, uniform


class Counts(Distribution):
    """Whole numbers from 0 on."""

    support = (0.0, np.inf)

    def contains(self, x: Any) -> Any:
        return super().contains(x) & np.equal(x, np.floor(x))

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        raise NotImplementedError(
            f"draws of {type(self).__name__} jump: no gradient flows through them; write sample"
        )

    def sample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        u = uniform(self.shape_of(shape), rng)
        return self.count_at(u).astype(float)

    def count_at(self, u: Any) -> Any:
        """The least k with P(K ≤ k) ≥ u."""
        raise NotImplementedError


def least(continued: Any, cdf: Any, u: Any) -> Any:
    """The least k with cdf(k) ≥ u, from the root of the continued cdf, which is near it."""
    k = np.maximum(np.ceil(continued), 0)
    before = np.maximum(k - 1, 0)
    return np.where(cdf(before) >= u, before, k)


class Poisson(Counts):
    """p(k) = λᵏ e^(−λ) / k!"""

    positive = ("rate",)
    rate: Any

    def __init__(self, rate: Any) -> None:
        super().__init__(rate=rate)

    def log_density(self, x: Any) -> Any:
        return special.xlogy(x, self.rate) - self.rate - special.gammaln(x + 1.0)

    @property
    def mean(self) -> Any:
        return self.expanded(self.rate)

    @property
    def variance(self) -> Any:
        return self.expanded(self.rate)

    def count_at(self, u: Any) -> Any:
        rate = unwrapped(self.rate)
        return least(special.pdtrik(u, rate), lambda k: special.gammaincc(k + 1, rate), u)


class OfOdds(Counts):
    """Counts by a probability, given as it is or as logits = log(p/(1 − p))."""

    given: Any

    def __init__(self, probs: Any = None, logits: Any = None, **others: Any) -> None:
        one_of_two(self, probs, logits)
        if probs is not None:
            self.check("probs", probs, "from 0 to 1", lambda p: (p >= 0) & (p <= 1))
        self.by_logits = probs is None
        super().__init__(given=logits if self.by_logits else probs, **others)

    @property
    def probs(self) -> Any:
        return sigmoid(self.given) if self.by_logits else self.given

    @property
    def logits(self) -> Any:
        return self.given if self.by_logits else special.logit(self.given)

    def weighted(self, k: Any, m: Any) -> Any:
        """k log p + m log(1 − p)"""
        if self.by_logits:
            return -(k * softplus(-self.given) + m * softplus(self.given))
        return special.xlogy(k, self.given) + special.xlog1py(m, -self.given)


def one_of_two(distribution: Distribution, probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError(f"{type(distribution).__name__} takes either probs or logits")


class Bernoulli(OfOdds):
    """p(1) = p, p(0) = 1 − p"""

    support = (0.0, 1.0)

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        super().__init__(probs, logits)

    def log_density(self, x: Any) -> Any:
        return self.weighted(x, 1 - x)

    @property
    def mean(self) -> Any:
        return self.expanded(self.probs)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def entropy(self) -> Any:
        return -self.weighted(self.probs, 1 - self.probs)

    def count_at(self, u: Any) -> Any:
        return np.less(u, unwrapped(self.probs))


class Binomial(OfOdds):
    """p(k) = n!/(k!(n − k)!) · pᵏ(1 − p)ⁿ⁻ᵏ"""

    total_count: Any

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None) -> None:
        super().__init__(probs, logits, total_count=total_count)

    def contains(self, x: Any) -> Any:
        return super().contains(x) & np.less_equal(x, self.total_count)

    def log_density(self, x: Any) -> Any:
        n = self.total_count
        ways = -special.betaln(x + 1.0, n - x + 1.0) - np.log(n + 1.0)
        return ways + self.weighted(x, n - x)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def count_at(self, u: Any) -> Any:
        n, p = unwrapped(self.total_count), unwrapped(self.probs)
        cdf = lambda k: np.where(k >= n, 1.0, special.betainc(np.maximum(n - k, 1), k + 1, 1 - p))
        return least(special.bdtrik(u, n, p), cdf, u)


class NegativeBinomial(OfOdds):
    """p(k) = Γ(r + k)/(k! Γ(r)) · pᵏ(1 − p)ʳ: successes, of probability p, before r failures"""

    positive = ("total_count",)
    total_count: Any

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None) -> None:
        super().__init__(probs, logits, total_count=total_count)

    def log_density(self, x: Any) -> Any:
        r = self.total_count
        ways = special.gammaln(r + x) - special.gammaln(x + 1.0) - special.gammaln(r)
        return ways + self.weighted(x, r)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs / (1 - self.probs)

    @property
    def variance(self) -> Any:
        return self.mean / (1 - self.probs)

    def count_at(self, u: Any) -> Any:
        r, p = unwrapped(self.total_count), unwrapped(self.probs)
        cdf = lambda k: special.betainc(r, k + 1, 1 - p)
        return least(special.nbdtrik(u, r, 1 - p), cdf, u)


class Categorical(Counts):
    """p(k) = pₖ, k from 0 to K − 1: probs (..., K), which are divided by their sum, or logits"""

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        one_of_two(self, probs, logits)
        if probs is not None:
            self.check("probs", probs, "0 or more", lambda p: p >= 0)
        self.by_logits = probs is None
        self.given = logits if self.by_logits else probs
        *batch, k = np.shape(self.given)
        self.batch_shape, self.support = tuple(batch), (0.0, k - 1.0)

    @property
    def probs(self) -> Any:
        if self.by_logits:
            return softmax(self.given, axis=-1)
        return self.given / np.sum(self.given, axis=-1, keepdims=True)

    @property
    def logits(self) -> Any:
        return log_softmax(self.given, axis=-1) if self.by_logits else np.log(self.probs)

    def log_density(self, x: Any) -> Any:
        logits = self.logits
        chosen = np.equal(np.expand_dims(unwrapped(x), -1), np.arange(np.shape(logits)[-1]))
        return np.sum(np.where(chosen, logits, 0.0), axis=-1)

    @property
    def mean(self) -> Any:
        return np.full(self.batch_shape, np.nan)

    @property
    def variance(self) -> Any:
        return np.full(self.batch_shape, np.nan)

    def entropy(self) -> Any:
        return np.sum(special.entr(self.probs), axis=-1)

    def count_at(self, u: Any) -> Any:
        ends = np.cumsum(unwrapped(self.probs), axis=-1)
        return np.sum(np.greater_equal(np.expand_dims(u, -1), ends[..., :-1]), axis=-1)
