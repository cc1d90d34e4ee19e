"""Losses: how far predictions are from targets, as functions and as modules.

Nothing is broadcast by accident: prediction and target have the same shape, but for class indices,
of which there is one for each row of scores, and a variance may be given for a whole sample.
reduction="none" keeps all losses, one for each element, or one for each row of scores; "sum" adds
them, "mean" averages them.
"""

import math
from typing import Any

import numpy as np

from ..graph import Node, differentiable, holds, shown
from ..rule import REAL
from ..rules import log_softmax, relu, softplus
from ..rules.activations import class_surprise
from .module import Module


def floats(x: Any) -> Any:
    """x as an array of floats, which do not wrap round as small integers do."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return np.asarray(x, dtype=float)
    return x.astype(float) if dtype.kind in "biu" else x


def arrays(loss: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Prediction and target with shapes that are equal, or an error that shows both."""
    p = floats(prediction)
    t = target if hasattr(target, "shape") else np.asarray(target, dtype=p.dtype)
    if p.shape != t.shape:
        hint = "reshape one of them to the shape of the other"
        if p.size == t.size:
            hint = f"write target.reshape({p.shape}) or prediction.reshape({t.shape})"
        raise ValueError(
            f"{loss} needs prediction and target of the same shape, got {p.shape} and {t.shape}: "
            + hint
        )
    return p, t


def reduce(losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f'reduction should be "mean", "sum" or "none", got {reduction!r}')


@differentiable(
    lambda g, y, p, t: (g * (2 / p.size)) * (p - t),
    lambda g, y, p, t: (g * (2 / p.size)) * (t - p),
    domain=REAL,
    examples=lambda f, x: [f(x(4), x(4)), f(x(2, 3), x(2, 3))],
)
def mean_squared_error(p: Any, t: Any) -> Any:
    """Σ (p − t)² / n      ∂p = g · 2(p − t)/n, ∂t = −∂p"""
    d = (p - t).ravel()
    return d.dot(d) / p.size


def mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """(p − t)²"""
    p, t = arrays("mse_loss", prediction, target)
    if reduction == "mean":
        return mean_squared_error(p, t)
    return reduce(np.square(p - t), reduction)


def l1_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """|p − t|, the absolute error; its slope is 0 where they are equal"""
    p, t = arrays("l1_loss", prediction, target)
    return reduce(np.absolute(p - t), reduction)


def huber_loss(prediction: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t; Huber 1964"""
    if not delta > 0:
        raise ValueError(f"delta should be above 0, got {delta}")
    p, t = arrays("huber_loss", prediction, target)
    size = np.absolute(p - t)
    near = np.minimum(size, delta)
    return reduce(near * (size - 0.5 * near), reduction)


def clamped_log(p: Any) -> Any:
    """log p, no lower than −100; NaN where p is negative or NaN."""
    return np.where(p == 0, -100.0, np.log(np.where(p == 0, 1, p)).clip(-100))


@differentiable(
    lambda g, y, p, t: g * ((1 - t) / np.maximum(1 - p, 1e-12) - t / np.maximum(p, 1e-12)),
    lambda g, y, p, t: g * (clamped_log(1 - p) - clamped_log(p)),
    form="elementwise",
    domain=(0.05, 0.95),
)
def bernoulli_surprise(p: Any, t: Any) -> Any:
    """−t log p − (1 − t) log(1 − p)     ∂p = g ((1 − t)/(1 − p) − t/p), ∂t = g log((1 − p)/p)"""
    return -(t * clamped_log(p) + (1 - t) * clamped_log(1 - p))


def binary_cross_entropy(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−(t log p + (1 − t) log(1 − p)), of probabilities p; logs end at −100, as in PyTorch

    Raises:
        ValueError: a prediction outside [0, 1]: perhaps these are logits.
    """
    p, t = arrays("binary_cross_entropy", prediction, target)
    if not holds(lambda p: not np.any((p < 0) | (p > 1)), p):
        values = shown(p)
        raise ValueError(
            "binary_cross_entropy takes probabilities in [0, 1], got values from "
            f"{np.min(values)} to {np.max(values)}; for logits use "
            "binary_cross_entropy_with_logits"
        )
    return reduce(bernoulli_surprise(p, t), reduction)


def binary_cross_entropy_with_logits(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−(t log σ(z) + (1 − t) log(1 − σ(z))) = (1 − t)·z + softplus(−z), of logits z"""
    z, t = arrays("binary_cross_entropy_with_logits", prediction, target)
    # Not softplus(z) − t·z, which cancels where z is large and the target 1.
    return reduce((1 - t) * z + softplus(-z), reduction)


def class_indices(loss: str, scores: Any, target: Any) -> np.ndarray:
    """The target as class indices of shape (B,) that exist among the scores of shape (B, C)."""
    t = target.array if isinstance(target, Node) else target
    t = t if hasattr(t, "shape") else np.asarray(t)
    if scores.ndim != 2 or t.shape != scores.shape[:1] or t.dtype.kind not in "iu":
        raise ValueError(
            f"{loss} takes scores of shape (batch, classes) and integer class indices of shape "
            f"(batch,), got {scores.shape} and {t.dtype} of shape {t.shape}"
        )
    classes = scores.shape[1]
    if not holds(lambda t: not t.size or (t.min() >= 0 and t.max() < classes), t):
        given = shown(t)
        row = int(np.argmax((given < 0) | (given >= classes)))
        raise ValueError(
            f"{loss}: class {given[row]} in row {row} of the {len(given)} targets, "
            f"but there are {classes} classes, numbered from 0"
        )
    return t


def nll_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−(log-probability of the target class): prediction (B, C), target class indices (B,)"""
    p = floats(prediction)
    t = class_indices("nll_loss", p, target)
    return reduce(-p[np.arange(len(t)), t], reduction)


def cross_entropy(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−Σ t log softmax(z), of logits z (B, C); target class indices (B,) or probabilities (B, C)"""
    z = floats(prediction)
    t = target if hasattr(target, "shape") else np.asarray(target)
    if z.ndim == 2 and t.shape == z.shape and t.dtype.kind == "f":
        return reduce(-(t * log_softmax(z)).sum(axis=-1), reduction)
    return reduce(class_surprise(z, class_indices("cross_entropy", z, t)), reduction)


def hinge_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """max(0, 1 − t·p), with targets −1 and 1

    Raises:
        ValueError: another target.
    """
    p, t = arrays("hinge_loss", prediction, target)
    if not holds(lambda t: bool(np.all(np.absolute(t) == 1)), t):
        values = np.unique(shown(t))
        raise ValueError(f"hinge_loss takes targets −1 and 1, got {values[:5]}")
    return reduce(relu(1 - t * p), reduction)


def gaussian_nll_loss(
    prediction: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """½(log v + (p − t)²/v), of targets t normal around p with variance v; full adds ½ log 2π

    A variance below eps counts as eps, with the gradient that it has there (Nix and Weigend,
    Estimating the mean and variance of the target probability distribution, 1994).

    Args:
        var: of the shape of the prediction (..., n); or (..., 1) or (...,), one for each sample.

    Raises:
        ValueError: another shape, or a negative variance.
    """
    if not eps > 0:
        raise ValueError(f"eps should be above 0, got {eps}")
    p, t = arrays("gaussian_nll_loss", prediction, target)
    v = variances(p, var)
    now = v.array if isinstance(v, Node) else v
    v = v + np.maximum(eps - now, 0)  # not max(v, ε): there would be no gradient out of there
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    return reduce(0.5 * (np.log(v) + np.square(p - t) / v) + constant, reduction)


def variances(p: Any, var: Any) -> Any:
    """The variances of a prediction, of a shape that broadcasts to its shape, none below 0."""
    v = var if hasattr(var, "shape") else np.asarray(var, dtype=p.dtype)
    if v.shape != p.shape and v.shape == p.shape[:-1]:
        v = v.reshape(*v.shape, 1)
    if v.shape not in (p.shape, (*p.shape[:-1], 1)):
        raise ValueError(
            f"gaussian_nll_loss needs a variance for each prediction, {p.shape}, or each sample, "
            f"{(*p.shape[:-1], 1)}; got {v.shape}"
        )
    if not holds(lambda v: not np.any(v < 0), v):
        raise ValueError(f"gaussian_nll_loss got a negative variance, {np.min(shown(v))}")
    return v


class Loss(Module):
    """A loss as a module: the function below, with its reduction."""

    function: Any

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f'reduction should be "mean", "sum" or "none", got {reduction!r}')
        self.reduction = reduction

    def forward(self, prediction: Any, target: Any) -> Any:
        return self.function(prediction, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """(p − t)²"""

    function = staticmethod(mse_loss)


class L1Loss(Loss):
    """|p − t|"""

    function = staticmethod(l1_loss)


class HuberLoss(Loss):
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t"""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, prediction: Any, target: Any) -> Any:
        return huber_loss(prediction, target, self.reduction, self.delta)


class BCELoss(Loss):
    """−(t log p + (1 − t) log(1 − p))"""

    function = staticmethod(binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    """−(t log σ(z) + (1 − t) log(1 − σ(z)))"""

    function = staticmethod(binary_cross_entropy_with_logits)


class CrossEntropyLoss(Loss):
    """−Σ t log softmax(z)"""

    function = staticmethod(cross_entropy)


class NLLLoss(Loss):
    """−(log-probability of the target class)"""

    function = staticmethod(nll_loss)


class GaussianNLLLoss(Loss):
    """½(log v + (p − t)²/v), called with prediction, target and variance"""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, prediction: Any, target: Any, var: Any) -> Any:  # type: ignore[override]
        return gaussian_nll_loss(prediction, target, var, self.full, self.eps, self.reduction)

    def extra_repr(self) -> str:
        return f"full={self.full}, eps={self.eps}, {super().extra_repr()}"


class HingeLoss(Loss):
    """max(0, 1 − t·p)"""

    function = staticmethod(hinge_loss)
