"""The functions that layers and losses are made of, each fused into one, with its rule.

As one function instead of several they make fewer nodes, and stay finite where parts would not.
"""

from typing import Any

import numpy as np

from ..graph import differentiable
from ..rule import REAL
from .activations import largest, sigmoid, silent, softmax, softmax_slope
from .arguments import floats
from .reductions import add_up, mean

Array = Any  # an array, or a Tensor: what goes in comes out
Axes = tuple[int, ...]

# --- of layers ---


@differentiable(
    lambda g, y, x, W, b: np.dot(g, W),  # as @, with less overhead; g.dot knows no Tensor
    lambda g, y, x, W, b: np.dot(g.T, x),
    lambda g, y, x, W, b: add_up(g, 0),
    domain=REAL,
    examples=lambda f, x: [f(x(4, 3), x(2, 3), x(2)), f(x(1, 3), x(1, 3), x(1))],
)
def linear(x: Array, W: Array, b: Array) -> Array:
    """x·Wᵀ + b of a matrix x      ∂x = g·W, ∂W = gᵀ·x, ∂b = Σ g"""
    return np.dot(x, W.T) + b


def moments(x: Array, axis: Axes) -> tuple[Array, Array]:
    """The mean, and the mean square of the deviations from it, with the axes kept."""
    m = mean(x, axis, keepdims=True)
    return m, mean(np.square(x - m), axis, keepdims=True)


def standardize_slope(g: Array, y: Array, x: Array, axis: Axes = (0,), eps: float = 1e-5) -> Array:
    """(g − mean g − y · mean(g ⊙ y)) / σ: what is left of g once it can move neither moment."""
    _, variance = moments(x, axis)
    shift, stretch = mean(g, axis, keepdims=True), mean(g * y, axis, keepdims=True)
    return (g - shift - y * stretch) / np.sqrt(variance + eps)


@differentiable(
    standardize_slope,
    domain=REAL,
    examples=lambda f, x: [f(x(5, 2)), f(x(2, 5), axis=(1,)), f(x(3, 2, 2), axis=(0, 2), eps=0.1)],
)
def standardize(x: Array, axis: Axes = (0,), eps: float = 1e-5) -> Array:
    """(x − mean x) / √(var x + ε)      ∂x = (g − mean g − y · mean(g ⊙ y)) / √(var x + ε)"""
    m, variance = moments(x, axis)
    return (x - m) / np.sqrt(variance + eps)


# --- of losses ---


@differentiable(
    lambda g, y, p, t: (g * (2 / (p.size or 1))) * (p - t),
    lambda g, y, p, t: (g * (2 / (p.size or 1))) * (t - p),
    domain=REAL,
    examples=lambda f, x: [f(x(4), x(4)), f(x(2, 3), x(2, 3))],
)
def mean_squared_error(p: Array, t: Array) -> Array:
    """Σ (p − t)² / n      ∂p = g · 2(p − t)/n, ∂t = −∂p"""
    d = (p - t).ravel()
    return d.dot(d) / p.size


def clamped_log(p: Array) -> Array:
    """log p, no lower than −100; NaN where p is negative or NaN."""
    return np.where(p == 0, -100.0, np.log(np.where(p == 0, 1, p)).clip(-100))


@differentiable(
    lambda g, y, p, t: g * ((1 - t) / np.maximum(1 - p, 1e-12) - t / np.maximum(p, 1e-12)),
    lambda g, y, p, t: g * (clamped_log(1 - p) - clamped_log(p)),
    form="elementwise",
    domain=(0.05, 0.95),
)
def binary_cross_entropy(p: Array, t: Array) -> Array:
    """−t log p − (1 − t) log(1 − p)     ∂p = g ((1 − t)/(1 − p) − t/p), ∂t = g log((1 − p)/p)"""
    return -(t * clamped_log(p) + (1 - t) * clamped_log(1 - p))


def logistic_slope(g: Array, y: Array, z: Array, t: Array) -> Array:
    """g (σ(z) − t), by the smaller of σ(z) and σ(−z): neither it nor its slope cancels."""
    right = z > 0
    small = sigmoid(np.where(right, -z, z))
    return g * np.where(right, (1 - t) - small, small - t)


@differentiable(
    logistic_slope,
    lambda g, y, z, t: -g * z,
    form="elementwise",
    domain=REAL,
)
@silent
def logistic_loss(z: Array, t: Array) -> Array:
    """−t log σ(z) − (1 − t) log σ(−z)     ∂z = g (σ(z) − t), ∂t = −g z"""
    far = (1 - t) * np.maximum(z, 0) + t * np.maximum(-z, 0)
    return far + np.log1p(np.exp(-np.absolute(z)))


def is_class(t: Array, z: Array) -> Array:
    """Which of the scores z (B, C) is that of the target class t (B,), row by row."""
    return t[:, np.newaxis] == np.arange(z.shape[-1], like=t)


def with_classes(f, x):
    return [f(x(3, 4), np.array([0, 2, 2])), f(x(1, 2), np.array([1]))]


@differentiable(
    lambda g, y, z, t: softmax_slope(g, softmax(z), z),
    None,
    domain=REAL,
    examples=with_classes,
)
@silent
def residual(z: Array, t: Array) -> Array:
    """softmax(z) − one-hot(t), right also where softmax is 1      ∂z = that of softmax"""
    z = floats(z)
    e, own = np.exp(z - largest(z, -1)), is_class(t, z)
    others = np.add.reduce(np.where(own, 0, e), axis=-1, keepdims=True)
    return np.where(own, -others, e) / np.add.reduce(e, axis=-1, keepdims=True)


@differentiable(
    lambda g, y, z, t: g[:, np.newaxis] * residual(z, t),
    None,
    domain=REAL,
    examples=with_classes,
)
@silent
def softmax_cross_entropy(z: Array, t: Array) -> Array:
    """log Σ eᶻ − z[t], of each row      ∂z = g · (softmax(z) − one-hot(t))"""
    z = floats(z)
    z = z - largest(z, -1)
    own = np.add.reduce(np.where(is_class(t, z), z, 0), axis=-1)
    others = np.add.reduce(np.where(is_class(t, z), 0, np.exp(z)), axis=-1)
    return np.log1p(others + np.expm1(own)) - own  # what is added to 1 is not rounded off
