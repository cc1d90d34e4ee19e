"""kl_divergence: how far one distribution is from another, where there is a formula."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import continuous as c
from . import counts as k
from . import vectors as v
from .distribution import Distribution, special

FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}
"""∫ p log(p/q) by the classes of p and q."""


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """KL(p ‖ q) = E log p(x)/q(x), x drawn from p: 0 or more, and 0 only where they are the same.

    Raises:
        NotImplementedError: there is no formula for these two.
    """
    formula = FORMULAS.get((type(p), type(q)))
    if formula is None:
        raise NotImplementedError(
            f"KL({type(p).__name__} ‖ {type(q).__name__}) has no formula here: average "
            "p.log_prob(x) - q.log_prob(x) over x = p.rsample((n,))"
        )
    return formula(p, q)


def of(kind: type, other: type | None = None) -> Callable[[Any], Any]:
    """Adds a formula."""

    def add(formula: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        FORMULAS[kind, other or kind] = formula
        return formula

    return add


@of(c.Normal)
@of(c.LogNormal)
def normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale) ** 2
    away = (p.loc - q.loc) / q.scale
    return 0.5 * (ratio + away * away - 1 - np.log(ratio))


@of(c.Laplace)
def laplace(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, np.abs(p.loc - q.loc)
    return ratio * np.exp(-away / p.scale) + away / q.scale - 1 - np.log(ratio)


@of(c.Cauchy)
def cauchy(p: Any, q: Any) -> Any:
    """Chyzak and Nielsen, A closed-form formula for the KL divergence between Cauchy distributions,
    2019."""
    size = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    return np.log(size / (4 * p.scale * q.scale))


@of(c.Exponential)
def exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - 1 - np.log(ratio)


@of(c.Gamma)
def gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    return (
        (a - b) * special.psi(a) - special.gammaln(a) + special.gammaln(b)
        + b * np.log(p.rate / q.rate) + a * (q.rate / p.rate - 1)
    )  # fmt: skip


@of(c.Beta)
def beta(p: Any, q: Any) -> Any:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    return (
        special.betaln(c, d) - special.betaln(a, b) + (a - c) * special.psi(a)
        + (b - d) * special.psi(b) + (c - a + d - b) * special.psi(a + b)
    )  # fmt: skip


@of(k.Bernoulli)
def bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - q.weighted(p.probs, 1 - p.probs)


@of(k.Binomial)
def binomial(p: Any, q: Any) -> Any:
    if not np.array_equal(p.total_count, q.total_count):
        raise NotImplementedError("KL of two binomials with different total_count has no formula")
    here = p.weighted(p.probs, 1 - p.probs)
    return p.total_count * (here - q.weighted(p.probs, 1 - p.probs))


@of(k.Poisson)
def poisson(p: Any, q: Any) -> Any:
    return special.xlogy(p.rate, p.rate / q.rate) - p.rate + q.rate


@of(k.Categorical)
def categorical(p: Any, q: Any) -> Any:
    return np.sum(special.rel_entr(p.probs, q.probs), axis=-1)


@of(v.Dirichlet)
def dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = np.sum(a, axis=-1)
    sizes = special.gammaln(total) - special.gammaln(np.sum(b, axis=-1))
    parts = special.gammaln(b) - special.gammaln(a)
    parts = parts + (a - b) * (special.psi(a) - special.psi(np.expand_dims(total, -1)))
    return sizes + np.sum(parts, axis=-1)


@of(v.MultivariateNormal)
def multivariate_normal(p: Any, q: Any) -> Any:
    d = p.event_shape[0]
    shift = np.expand_dims(q.loc - p.loc, -1)
    both = np.linalg.solve(q.scale_tril, p.scale_tril)
    away = np.linalg.solve(q.scale_tril, shift)[..., 0]
    sizes = np.sum(np.log(q.diagonal), axis=-1) - np.sum(np.log(p.diagonal), axis=-1)
    squares = np.sum(both * both, axis=(-2, -1)) + np.sum(away * away, axis=-1)
    return sizes + 0.5 * (squares - d)
