"""Losses: how far predictions p are from targets t.

Nothing is broadcast by accident: p and t have the same shape, any, unless a loss says otherwise.
reduction="none" keeps all losses, one for each element, or one for each row of scores; "sum" adds
them, "mean" averages them. Integers count as floats, lists as arrays. In the formulas, log is the
natural logarithm.
"""

import math
from typing import Any

import numpy as np

from ..checks import Between, flag, positive, probability, require, whole
from ..graph import Node
from ..rules import log_softmax, networks, relu, softplus
from ..rules.arguments import floats, shaped


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
    if checked_reduction(reduction) == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def checked_reduction(reduction: str) -> str:
    """The name of a reduction.

    Raises:
        ValueError: there is no such reduction.
    """
    if isinstance(reduction, str) and reduction in ("mean", "sum", "none"):
        return reduction
    hint = "" if isinstance(reduction, str) else "; weights are given by name, as weight=w"
    raise ValueError(f'reduction should be "mean", "sum" or "none", got {reduction!r:.60}{hint}')


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """(p − t)², the squared error, of p and t of one shape

    Raises:
        ValueError: p and t differ in shape, or another reduction.
    """
    p, t = arrays("mse_loss", input, target)
    if reduction == "mean":
        return networks.mean_squared_error(p, t)
    return reduce(np.square(p - t), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """|p − t|, the absolute error, of p and t of one shape; its slope is 0 where they are equal

    Raises:
        ValueError: p and t differ in shape, or another reduction.
    """
    p, t = arrays("l1_loss", input, target)
    return reduce(np.absolute(p - t), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """½d² where |d| ≤ δ, else δ(|d| − ½δ), of d = p − t, p and t of one shape

    Huber, Robust estimation of a location parameter, 1964.

    Raises:
        ValueError: p and t differ in shape, delta is not above 0, or another reduction.
    """
    positive("delta", delta)
    p, t = arrays("huber_loss", input, target)
    d = p - t
    near = np.clip(d, -delta, delta)
    return reduce(near * (d - 0.5 * near), reduction)


def binary_cross_entropy(
    input: Any, target: Any, reduction: str = "mean", *, weight: Any = None
) -> Any:
    """−(t log p + (1 − t) log(1 − p)), of probabilities p and t of one shape

    Logarithms end at −100, as in PyTorch.

    Args:
        weight: of each loss, of a shape that broadcasts to theirs.

    Raises:
        ValueError: p and t differ in shape, another reduction, or a prediction outside [0, 1]:
            perhaps these are logits.
    """
    p, t = arrays("binary_cross_entropy", input, target)

    def no_probabilities(p: Any) -> ValueError:
        return ValueError(
            "binary_cross_entropy takes probabilities in [0, 1], got values from "
            f"{np.min(p)} to {np.max(p)}; for logits use binary_cross_entropy_with_logits"
        )

    require(Between(0, 1), p, no_probabilities)
    return reduce(times(networks.binary_cross_entropy(p, t), "weight", weight), reduction)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    pos_weight: Any = None,
) -> Any:
    """−(t log σ(z) + (1 − t) log(1 − σ(z))), of logits z and probabilities t of one shape

    Args:
        weight: of each loss, of a shape that broadcasts to theirs.
        pos_weight: of the first term: that of the positives, where they are few.

    Raises:
        ValueError: z and t differ in shape, a weight does not fit, or another reduction.
    """
    z, t = arrays("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        losses = networks.logistic_loss(z, t)
    else:  # −log σ(z) is softplus(−z)
        losses = times(t * softplus(-z), "pos_weight", pos_weight) + (1 - t) * softplus(z)
    return reduce(times(losses, "weight", weight), reduction)


def times(losses: Any, name: str, weight: Any) -> Any:
    """The losses times their weights, if there are any.

    Raises:
        ValueError: the weights are not of a shape that broadcasts to that of the losses.
    """
    if weight is None:
        return losses
    w = like(weight, losses)
    if not broadcasts(w.shape, losses.shape):
        raise ValueError(
            f"{name} should have a shape that broadcasts to that of the losses, {losses.shape}; "
            f"got {w.shape}"
        )
    return losses * w


def like(weight: Any, scores: Any) -> Any:
    """Weights as an array or Tensor of the dtype of the scores."""
    w = shaped(weight, scores)
    return w if w.dtype == scores.dtype else w.astype(scores.dtype)


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to the other."""
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(n in (1, m) for n, m in pairs)


def class_indices(loss: str, scores: Any, target: Any, ignore_index: int | None) -> Any:
    """The target as indices of classes that exist among the scores (B, C, ...), of shape (B, ...).

    Raises:
        ValueError: other shapes, indices that are no integers, or no such class.
    """
    if ignore_index is not None:
        whole("ignore_index", ignore_index)
    t = shaped(target.array if isinstance(target, Node) else target)
    expected = (*scores.shape[:1], *scores.shape[2:]) if scores.ndim > 1 else ()
    if not scores.ndim or t.shape != expected or t.dtype.kind not in "iu":
        raise ValueError(
            f"{loss} takes scores of shape (batch, classes), (batch, classes, ...) or (classes,) "
            "and integer class indices of that shape without the classes, got "
            f"{scores.shape} and {t.dtype} of shape {t.shape}"
        )
    classes = scores.shape[min(1, scores.ndim - 1)]

    exist = Between(0, classes - 1, but=ignore_index)

    def unknown(t: Any) -> ValueError:
        given = t.reshape(-1)
        row = int(np.argmax(exist.fails(given)))
        hint = "" if given[row] != -100 else ". To leave samples out write ignore_index=-100"
        return ValueError(
            f"{loss}: class {given[row]} in row {row} of the {len(given)} targets, "
            f"but there are {classes} classes, numbered from 0{hint}"
        )

    require(exist, t, unknown)
    return t


def nll_loss(
    input: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int | None = None,
) -> Any:
    """−p[t], of log-probabilities p (B, C) and class indices t (B,), row by row

    Shapes, arguments and errors are those of `cross_entropy`, but for probabilities t.
    """
    return of_classes("nll_loss", own_score, floats(input), target, reduction, weight, ignore_index)


def own_score(p: Any, t: Any) -> Any:
    """−p[t], row by row; 0 where there is no such class."""
    return -np.where(networks.is_class(t, p), p, 0).sum(axis=-1)


def cross_entropy(
    input: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """−Σ t log softmax(z) of each row of logits z (B, C)

    t is the index of a class, from 0 to C − 1, for each row (B,), or probabilities (B, C). The
    logits may also be those of one sample, (C,), or have more axes, (B, C, ...); those of the
    losses are these without C.

    Args:
        weight: (C,), of each class: of its term of the sum. The mean over indices is a weighted
            one: it is divided by the weights of the targets.
        ignore_index: where t is this, there is no loss.
        label_smoothing: ε: t becomes (1 − ε)·t + ε/C (Szegedy et al., Rethinking
            the Inception architecture for computer vision, 2016).

    Raises:
        ValueError: other shapes, indices that are no integers, no such class, a setting out of
            range, or another reduction.
    """
    z, t = floats(input), shaped(target)
    smoothing = label_smoothing and probability("label_smoothing", label_smoothing)
    if z.ndim and t.shape == z.shape and t.dtype.kind == "f":
        axis = min(1, z.ndim - 1)
        if smoothing:
            t = (1 - smoothing) * t + smoothing / z.shape[axis]
        terms = t * log_softmax(z, axis=axis)
        if weight is not None:
            w = of_each_class(weight, z)
            terms = terms * w.reshape(-1, *[1] * (z.ndim - 1 - axis))
        return reduce(-terms.sum(axis=axis), reduction)
    rule = networks.softmax_cross_entropy
    return of_classes("cross_entropy", rule, z, t, reduction, weight, ignore_index, smoothing)


def of_classes(
    loss: str,
    rule: Any,
    scores: Any,
    target: Any,
    reduction: str,
    weight: Any,
    ignore_index: int | None,
    smoothing: float = 0.0,
) -> Any:
    """The loss, by `rule(scores, t)` of rows (n, C) and class indices (n,), with its options."""
    t = class_indices(loss, scores, target, ignore_index)
    shape = t.shape
    if scores.ndim != 2:
        axis = min(1, scores.ndim - 1)
        scores = np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])
        t = t.reshape(-1)
    if weight is None and ignore_index is None and not smoothing:
        losses = rule(scores, t)
        return reduce(losses if losses.shape == shape else losses.reshape(shape), reduction)
    kept = t != ignore_index if ignore_index is not None else np.ones_like(t, dtype=bool)
    own = networks.is_class(t, scores) & kept[:, np.newaxis]
    scores = np.where(kept[:, np.newaxis], scores, 0)
    w = 1 if weight is None else of_each_class(weight, scores)
    w_own = np.where(own, w, np.zeros_like(scores)).sum(axis=-1)
    losses = w_own * rule(scores, t)
    if smoothing:
        even = -(log_softmax(scores) * w).mean(axis=-1)
        losses = (1 - smoothing) * losses + smoothing * np.where(kept, even, 0)
    if checked_reduction(reduction) == "mean":
        return losses.sum() / w_own.sum()
    return reduce(losses.reshape(shape), reduction)


def of_each_class(weight: Any, scores: Any) -> Any:
    """The weights of the classes.

    Raises:
        ValueError: there is not one for each class.
    """
    w, classes = like(weight, scores), scores.shape[min(1, scores.ndim - 1)]
    if w.shape != (classes,):
        raise ValueError(f"weight has shape {w.shape}; there are {classes} classes: ({classes},)")
    return w


def hinge_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """max(0, 1 − t·p), of scores p and targets t, −1 or 1, of one shape

    Cortes and Vapnik, Support-vector networks, 1995.

    Raises:
        ValueError: p and t differ in shape, another target, or another reduction.
    """
    p, t = arrays("hinge_loss", input, target)
    require(
        lambda t: bool(np.all(np.absolute(t) == 1)),
        t,
        lambda t: ValueError(f"hinge_loss takes targets −1 and 1, got {np.unique(t)[:5]}"),
    )
    return reduce(relu(1 - t * p), reduction)


def gaussian_nll_loss(
    input: Any,
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
        input, target: p and t, of one shape (..., n).
        var: v, of that shape too, or one that broadcasts to it: (..., 1) or (...,), one for each
            sample; (1, n), one for each output; a number, one for all.

    Raises:
        ValueError: other shapes, a negative variance, eps is not above 0, or another reduction.
    """
    positive("eps", eps)
    p, t = arrays("gaussian_nll_loss", input, target)
    v = variances(p, var)
    now = v.array if isinstance(v, Node) else v
    v = v + np.maximum(eps - now, 0)  # not max(v, ε): there would be no gradient out of there
    constant = 0.5 * math.log(2 * math.pi) if flag("full", full) else 0.0
    return reduce(0.5 * (np.log(v) + np.square(p - t) / v) + constant, reduction)


def variances(p: Any, var: Any) -> Any:
    """The variances of a prediction, of a shape that broadcasts to its shape, none below 0."""
    v = shaped(var, p)
    if v.shape != p.shape and v.shape == p.shape[:-1]:
        v = v.reshape(*v.shape, 1)
    if v.ndim not in (0, p.ndim) or not broadcasts(v.shape, p.shape):
        raise ValueError(
            f"gaussian_nll_loss needs a variance for each prediction, {p.shape}, or each sample, "
            f"{(*p.shape[:-1], 1)}; got {v.shape}"
        )
    require(
        Between(0, np.inf),
        v,
        lambda v: ValueError(f"gaussian_nll_loss got a negative variance, {np.min(v)}"),
    )
    return v
