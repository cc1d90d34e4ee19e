"""Losses: how far predictions p are from targets t, as functions and as modules.

Nothing is broadcast by accident: p and t have the same shape, any, unless a loss says otherwise.
reduction="none" keeps all losses, one for each element, or one for each row of scores; "sum" adds
them, "mean" averages them. Integers count as floats, lists as arrays. In the formulas, log is the
natural logarithm.
"""

import math
from typing import Any

import numpy as np

from ..graph import Node, holds, shown
from ..rules import log_softmax, networks, relu, softplus
from ..rules.arguments import floats, shaped
from .module import Module
from .settings import positive


def arrays(loss: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Prediction and target with shapes that are equal, or an error that shows both."""
    p = floats(prediction)
    t = shaped(target, p)
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
    """The losses added up, averaged, or all of them."""
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    known(reduction)
    return losses


def known(reduction: str) -> str:
    """The name of a reduction.

    Raises:
        ValueError: there is no such reduction.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction should be "mean", "sum" or "none", got {reduction!r}')
    return reduction


def mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """(p − t)², the squared error, of p and t of one shape

    Raises:
        ValueError: p and t differ in shape, or another reduction.
    """
    p, t = arrays("mse_loss", prediction, target)
    if reduction == "mean":
        return networks.mean_squared_error(p, t)
    return reduce(np.square(p - t), reduction)


def l1_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """|p − t|, the absolute error, of p and t of one shape; its slope is 0 where they are equal

    Raises:
        ValueError: p and t differ in shape, or another reduction.
    """
    p, t = arrays("l1_loss", prediction, target)
    return reduce(np.absolute(p - t), reduction)


def huber_loss(prediction: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t, p and t of one shape

    Huber, Robust estimation of a location parameter, 1964.

    Raises:
        ValueError: p and t differ in shape, delta is not above 0, or another reduction.
    """
    positive("delta", delta)
    p, t = arrays("huber_loss", prediction, target)
    size = np.absolute(p - t)
    near = np.minimum(size, delta)
    return reduce(near * (size - 0.5 * near), reduction)


def binary_cross_entropy(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−(t log p + (1 − t) log(1 − p)), of probabilities p and t of one shape

    Logarithms end at −100, as in PyTorch.

    Raises:
        ValueError: p and t differ in shape, another reduction, or a prediction outside [0, 1]:
            perhaps these are logits.
    """
    p, t = arrays("binary_cross_entropy", prediction, target)
    if not holds(lambda p: not np.any((p < 0) | (p > 1)), p):
        values = shown(p)
        raise ValueError(
            "binary_cross_entropy takes probabilities in [0, 1], got values from "
            f"{np.min(values)} to {np.max(values)}; for logits use "
            "binary_cross_entropy_with_logits"
        )
    return reduce(networks.binary_cross_entropy(p, t), reduction)


def binary_cross_entropy_with_logits(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−(t log σ(z) + (1 − t) log(1 − σ(z))), of logits z and probabilities t of one shape

    Computed as (1 − t)·z + softplus(−z), which is finite for all z.

    Raises:
        ValueError: z and t differ in shape, or another reduction.
    """
    z, t = arrays("binary_cross_entropy_with_logits", prediction, target)
    # Not softplus(z) − t·z, which cancels where z is large and the target 1.
    return reduce((1 - t) * z + softplus(-z), reduction)


def class_indices(loss: str, scores: Any, target: Any) -> Any:
    """The target as class indices of shape (B,) that exist among the scores of shape (B, C)."""
    t = shaped(target.array if isinstance(target, Node) else target)
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
    """−p[t], of log-probabilities p (B, C) and class indices t (B,), row by row

    Raises:
        ValueError: other shapes, indices that are no integers, no such class, or another reduction.
    """
    p = floats(prediction)
    t = class_indices("nll_loss", p, target)
    return reduce(-p[np.arange(len(t)), t], reduction)


def cross_entropy(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """−Σ t log softmax(z) of each row of logits z (B, C)

    t is the index of a class, from 0 to C − 1, for each row (B,), or probabilities (B, C).

    Raises:
        ValueError: other shapes, indices that are no integers, no such class, or another reduction.
    """
    z = floats(prediction)
    t = shaped(target)
    if z.ndim == 2 and t.shape == z.shape and t.dtype.kind == "f":
        return reduce(-(t * log_softmax(z)).sum(axis=-1), reduction)
    return reduce(
        networks.softmax_cross_entropy(z, class_indices("cross_entropy", z, t)), reduction
    )


def hinge_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """max(0, 1 − t·p), of scores p and targets t, −1 or 1, of one shape

    Cortes and Vapnik, Support-vector networks, 1995.

    Raises:
        ValueError: p and t differ in shape, another target, or another reduction.
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
        prediction, target: p and t, of one shape (..., n).
        var: v, of that shape too; or (..., 1) or (...,), one for each sample.

    Raises:
        ValueError: other shapes, a negative variance, eps is not above 0, or another reduction.
    """
    positive("eps", eps)
    p, t = arrays("gaussian_nll_loss", prediction, target)
    v = variances(p, var)
    now = v.array if isinstance(v, Node) else v
    v = v + np.maximum(eps - now, 0)  # not max(v, ε): there would be no gradient out of there
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    return reduce(0.5 * (np.log(v) + np.square(p - t) / v) + constant, reduction)


def variances(p: Any, var: Any) -> Any:
    """The variances of a prediction, of a shape that broadcasts to its shape, none below 0."""
    v = shaped(var, p)
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
    """A loss as a module that keeps its settings, and is called with prediction and target.

    Shapes, and errors when it is called, are those of the function that it names.

    Args:
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: another reduction.
    """

    function: Any

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = known(reduction)

    def forward(self, prediction: Any, target: Any) -> Any:
        return self.function(prediction, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """(p − t)²: see `mse_loss`."""

    function = staticmethod(mse_loss)


class L1Loss(Loss):
    """|p − t|: see `l1_loss`."""

    function = staticmethod(l1_loss)


class HuberLoss(Loss):
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t: see `huber_loss`.

    Raises:
        ValueError: delta is not above 0, or another reduction.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = positive("delta", delta)

    def forward(self, prediction: Any, target: Any) -> Any:
        return huber_loss(prediction, target, self.reduction, self.delta)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, delta={self.delta}"


class BCELoss(Loss):
    """−(t log p + (1 − t) log(1 − p)): see `binary_cross_entropy`."""

    function = staticmethod(binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    """−(t log σ(z) + (1 − t) log(1 − σ(z))): see `binary_cross_entropy_with_logits`."""

    function = staticmethod(binary_cross_entropy_with_logits)


class CrossEntropyLoss(Loss):
    """−Σ t log softmax(z): see `cross_entropy`."""

    function = staticmethod(cross_entropy)


class NLLLoss(Loss):
    """−p[t], of log-probabilities p: see `nll_loss`."""

    function = staticmethod(nll_loss)


class GaussianNLLLoss(Loss):
    """½(log v + (p − t)²/v), called with prediction, target and variance: see `gaussian_nll_loss`.

    Raises:
        ValueError: eps is not above 0, or another reduction.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = positive("eps", eps)

    def forward(self, prediction: Any, target: Any, var: Any) -> Any:  # type: ignore[override]
        return gaussian_nll_loss(prediction, target, var, self.full, self.eps, self.reduction)

    def extra_repr(self) -> str:
        return f"full={self.full}, eps={self.eps}, {super().extra_repr()}"


class HingeLoss(Loss):
    """max(0, 1 − t·p): see `hinge_loss`."""

    function = staticmethod(hinge_loss)
