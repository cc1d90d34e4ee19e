"""Distributions of vectors, and mixtures."""

from typing import Any

import numpy as np

from ..rules import logsumexp
from ..tensor import unwrapped
from .continuous import LOG_TWO_PI, Gamma
from .counts import Categorical
from .distribution import Distribution, special, stream_of, uniform


class Dirichlet(Distribution):
    """p(x) = Γ(Σa)/ΠΓ(a) · Π xᵏ⁻¹ with k = a, of x (..., K) with Σx = 1"""

    def __init__(self, concentration: Any) -> None:
        self.concentration = concentration
        self.check("concentration", concentration, "above 0", lambda a: a > 0)
        *batch, size = np.shape(concentration)
        self.batch_shape, self.event_shape = tuple(batch), (size,)

    def log_density(self, x: Any) -> Any:
        a = self.concentration
        size = special.gammaln(np.sum(a, axis=-1)) - np.sum(special.gammaln(a), axis=-1)
        return np.sum(special.xlogy(a - 1, x), axis=-1) + size

    @property
    def mean(self) -> Any:
        return self.concentration / np.sum(self.concentration, axis=-1, keepdims=True)

    @property
    def variance(self) -> Any:
        mean, total = self.mean, np.sum(self.concentration, axis=-1, keepdims=True)
        return mean * (1 - mean) / (total + 1)

    def entropy(self) -> Any:
        a = self.concentration
        total = np.sum(a, axis=-1)
        size = np.sum(special.gammaln(a), axis=-1) - special.gammaln(total)
        k = self.event_shape[0]
        return size + (total - k) * special.psi(total) - np.sum((a - 1) * special.psi(a), axis=-1)

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        """Gammas, divided by their sum."""
        parts = Gamma(self.concentration, 1.0).rsample(shape, rng)
        return parts / np.sum(parts, axis=-1, keepdims=True)


class Multinomial(Distribution):
    """p(x) = n!/Πx! · Π pˣ, of counts x (..., K) with Σx = n"""

    def __init__(self, total_count: int, probs: Any = None, logits: Any = None) -> None:
        self.total_count = total_count
        self.one = Categorical(probs, logits)
        self.batch_shape, self.event_shape = self.one.batch_shape, np.shape(self.one.given)[-1:]

    def log_prob(self, x: Any) -> Any:
        whole = np.greater_equal(x, 0) & np.equal(x, np.floor(x))
        inside = np.all(unwrapped(whole), axis=-1)
        inside = inside & np.equal(np.sum(unwrapped(x), axis=-1), self.total_count)
        found = self.log_density(np.where(inside[..., np.newaxis], x, 0.0))
        return np.where(inside, found, -np.inf)

    def log_density(self, x: Any) -> Any:
        ways = special.gammaln(self.total_count + 1.0) - np.sum(special.gammaln(x + 1.0), axis=-1)
        return ways + np.sum(special.xlogy(x, self.one.probs), axis=-1)

    @property
    def mean(self) -> Any:
        return self.total_count * self.one.probs

    @property
    def variance(self) -> Any:
        return self.total_count * self.one.probs * (1 - self.one.probs)

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        return self.one.rsample()  # which says that it is a jump

    def sample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        drawn = self.one.sample((self.total_count, *shape), rng)
        return np.sum(drawn[..., np.newaxis] == np.arange(self.event_shape[0]), axis=0).astype(
            float
        )


class MultivariateNormal(Distribution):
    """p(x) = exp(−½ zᵀz) / (|det L| (2π)^(d/2)),  z = L⁻¹(x − μ), Σ = LLᵀ

    Args:
        loc: (..., d).
        covariance_matrix: Σ (..., d, d), or
        scale_tril: L, which has numbers above 0 on its diagonal, and 0 above it.
    """

    def __init__(self, loc: Any, covariance_matrix: Any = None, scale_tril: Any = None) -> None:
        if (covariance_matrix is None) == (scale_tril is None):
            raise ValueError("MultivariateNormal takes either covariance_matrix or scale_tril")
        self.loc = loc
        self.scale_tril = (
            np.linalg.cholesky(covariance_matrix) if scale_tril is None else np.tril(scale_tril)
        )
        diagonal = np.diagonal(self.scale_tril, axis1=-2, axis2=-1)
        self.check("the diagonal of scale_tril", diagonal, "above 0", lambda x: x > 0)
        self.diagonal = diagonal
        self.event_shape = np.shape(diagonal)[-1:]
        self.batch_shape = np.broadcast_shapes(np.shape(loc)[:-1], np.shape(diagonal)[:-1])

    def log_density(self, x: Any) -> Any:
        z = np.linalg.solve(self.scale_tril, np.expand_dims(x - self.loc, -1))[..., 0]
        size = np.sum(np.log(self.diagonal), axis=-1) + 0.5 * LOG_TWO_PI * self.event_shape[0]
        return -0.5 * np.sum(z * z, axis=-1) - size

    @property
    def covariance_matrix(self) -> Any:
        return self.scale_tril @ np.swapaxes(self.scale_tril, -1, -2)

    @property
    def mean(self) -> Any:
        return np.broadcast_to(self.loc, self.shape_of(()))

    @property
    def variance(self) -> Any:
        return np.broadcast_to(np.sum(self.scale_tril**2, axis=-1), self.shape_of(()))

    def entropy(self) -> Any:
        size = np.sum(np.log(self.diagonal), axis=-1)
        return self.expanded(size + 0.5 * (1 + LOG_TWO_PI) * self.event_shape[0])

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        """μ + Lz, z of standard normal numbers."""
        z = special.ndtri(uniform(self.shape_of(shape), rng))
        return self.loc + (self.scale_tril @ np.expand_dims(z, -1))[..., 0]


class MixtureSameFamily(Distribution):
    """p(x) = Σₖ wₖ pₖ(x)

    Args:
        mixture_distribution: a Categorical with the weights (..., K).
        component_distribution: with K as the last axis of its batch.
    """

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution
    ) -> None:
        self.parts = component_distribution
        self.event_shape = component_distribution.event_shape
        *batch, k = component_distribution.batch_shape
        logits = mixture_distribution.logits
        if k != np.shape(logits)[-1]:
            raise ValueError(f"there are {k} components, and {np.shape(logits)[-1]} weights")
        self.batch_shape = tuple(batch)
        self.weights = Categorical(
            logits=np.broadcast_to(logits, component_distribution.batch_shape)
        )

    def with_parts(self, x: Any) -> Any:
        return np.expand_dims(x, -1 - len(self.event_shape))

    def log_prob(self, x: Any) -> Any:
        return logsumexp(self.weights.logits + self.parts.log_prob(self.with_parts(x)), axis=-1)

    def averaged(self, x: Any) -> Any:
        weights = self.weights.probs
        for _ in self.event_shape:
            weights = np.expand_dims(weights, -1)
        return np.sum(weights * x, axis=-1 - len(self.event_shape))

    @property
    def mean(self) -> Any:
        return self.averaged(self.parts.mean)

    @property
    def variance(self) -> Any:
        """E Var + Var E"""
        mean = self.parts.mean
        away = mean - self.with_parts(self.mean)
        return self.averaged(self.parts.variance + away * away)

    def rsample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        raise NotImplementedError("which part is drawn jumps: no gradient flows; write sample")

    def sample(self, shape: tuple[int, ...] = (), rng: Any = None) -> Any:
        rng = stream_of(rng)
        at, drawn = self.weights.sample(shape, rng), self.parts.sample(shape, rng)
        k = np.reshape(at.astype(int), (*at.shape, *[1] * (1 + len(self.event_shape))))
        axis = -1 - len(self.event_shape)
        return np.take_along_axis(drawn, k, axis=axis).squeeze(axis)
