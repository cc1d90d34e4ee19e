"""Probability distributions with the names and arguments of PyTorch's; needs the extra `scipy`."""

from .continuous import (
    Beta,
    Cauchy,
    Exponential,
    Gamma,
    Laplace,
    LogNormal,
    Normal,
    StudentT,
    VonMises,
)
from .counts import Bernoulli, Binomial, Categorical, NegativeBinomial, Poisson
from .distribution import Distribution
from .divergence import kl_divergence
from .vectors import Dirichlet, MixtureSameFamily, Multinomial, MultivariateNormal

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Dirichlet", "Distribution",
    "Exponential", "Gamma", "Laplace", "LogNormal", "MixtureSameFamily", "Multinomial",
    "MultivariateNormal", "NegativeBinomial", "Normal", "Poisson", "StudentT", "VonMises",
    "kl_divergence",
]  # fmt: skip
