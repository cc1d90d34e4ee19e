"""Metrics: how good predictions are, each a number by scikit-learn's definition.

As there, and unlike in `nn`'s losses, the truth comes first. Arrays or Tensors are taken, and none
is broadcast. Labels are strings or whole numbers, shape (n,); scores and probabilities have shape
(n, k), a column for each class in the order of `labels`, or (n,) if they are of the second of two
classes. `labels` is by default what there is in y_true, sorted.
"""

from typing import Any, NamedTuple

import numpy as np

from .data.column import column, listed, positions
from .graph import Node

# --- classes ---


def accuracy(y_true: Any, y_pred: Any) -> float:
    """The share of labels that are right.

    Raises:
        ValueError: shapes that differ, no rows, or scores in the place of labels.
    """
    true, pred = both_labels(y_true, y_pred)
    return float(np.mean(true == pred))


def balanced_accuracy(y_true: Any, y_pred: Any) -> float:
    """The share of labels that are right in each class of y_true, averaged over these classes.

    Raises:
        ValueError: as `accuracy`.
    """
    true, pred = both_labels(y_true, y_pred)
    return float(np.mean([np.mean(pred[true == label] == label) for label in np.unique(true)]))


def confusion_matrix(y_true: Any, y_pred: Any, labels: Any = None) -> np.ndarray:
    """How many of each label (rows) were taken for each label (columns): int64, shape (k, k).

    Args:
        labels: the order of rows and columns; by default the labels in y_true or y_pred, sorted.

    Raises:
        ValueError: as `accuracy`; or a label that is not among `labels`.
    """
    true, pred = both_labels(y_true, y_pred)
    labels = np.union1d(true, pred) if labels is None else distinct(labels)
    k = len(labels)
    cell = k * places("y_true", true, labels) + places("y_pred", pred, labels)
    return np.bincount(cell, minlength=k * k).reshape(k, k)


def roc_auc(y_true: Any, y_score: Any, labels: Any = None) -> float:
    """The probability that a score of the class is above one of the rest, ties counting half.

    Of more than two classes (y_score of shape (n, k)), each one against the rest, averaged.

    Raises:
        ValueError: shapes that do not fit, NaN, a label that is not among `labels`, or a class
            that is not in y_true: the area is then not defined.
    """
    score = array(y_score)
    if np.any(np.isnan(score)):
        raise ValueError("y_score has NaN, which has no rank")
    at, labels = true_places(y_true, labels, score)
    absent = np.bincount(at, minlength=len(labels)) == 0
    if np.any(absent):
        there = labels[~absent]
        raise ValueError(f"roc_auc needs rows of every class in y_true, got only {listed(there)}")
    if score.ndim == 1:
        return area(at == 1, score)
    return float(np.mean([area(at == k, score[:, k]) for k in range(len(labels))]))


def area(positive: np.ndarray, score: np.ndarray) -> float:
    """The area under the ROC curve, as Mann and Whitney's U: from the ranks of the positive."""
    _, at, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2  # equal scores have the mean of their ranks
    n = np.count_nonzero(positive)
    above = rank[at[positive]].sum() - n * (n + 1) / 2
    return float(above / (n * (len(score) - n)))


def log_loss(y_true: Any, y_proba: Any, labels: Any = None) -> float:
    """−Σ log p(label) / n, with p no closer to 0 and 1 than the eps of its dtype.

    Raises:
        ValueError: shapes that do not fit, not probabilities, rows that do not sum to 1, a label
            that is not among `labels`, or one class only.
    """
    p = probabilities(y_proba)
    at, _ = true_places(y_true, labels, p)
    eps = np.finfo(p.dtype).eps
    p = (np.stack([1 - p, p], axis=1) if p.ndim == 1 else p)[np.arange(len(p)), at]
    return float(-np.mean(np.log(np.clip(p, eps, 1 - eps))))


class Calibration(NamedTuple):
    """How far probabilities may be taken at their word.

    Attributes:
        error: the expected calibration error, Σ rows·|observed − predicted| / n.
        observed, predicted: the curve: in each bin that is not empty, how often the class was
            right, and the mean probability that was given for it.
        rows: how many there are in these bins.
    """

    error: float
    observed: np.ndarray
    predicted: np.ndarray
    rows: np.ndarray


def calibration(y_true: Any, y_proba: Any, labels: Any = None, bins: int = 10) -> Calibration:
    """The calibration of p (n,), for the second of two classes, or of the largest p in each row of
    (n, k), for its class, in bins of equal width; the curve is scikit-learn's calibration_curve.

    Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017.

    Raises:
        ValueError: as `log_loss`; or no bins.
    """
    if bins < 1:
        raise ValueError(f"bins should be at least 1, got {bins}")
    p = probabilities(y_proba)
    at, _ = true_places(y_true, labels, p)
    right, p = (at == 1, p) if p.ndim == 1 else (p.argmax(axis=1) == at, p.max(axis=1))
    at_bin = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    rows, hits, sums = (np.bincount(at_bin, weights, bins) for weights in (None, right, p))
    some = rows > 0
    rows, observed, predicted = rows[some], hits[some] / rows[some], sums[some] / rows[some]
    error = np.average(np.abs(observed - predicted), weights=rows)
    return Calibration(float(error), observed, predicted, rows)


# --- numbers ---


def mse(y_true: Any, y_pred: Any) -> float:
    """Σ (y − ŷ)² / n, over all elements.

    Raises:
        ValueError: shapes that differ, no rows, or not numbers.
    """
    true, pred = both_numbers(y_true, y_pred)
    return float(np.mean(np.square(true - pred)))


def mae(y_true: Any, y_pred: Any) -> float:
    """Σ |y − ŷ| / n, over all elements.

    Raises:
        ValueError: as `mse`.
    """
    true, pred = both_numbers(y_true, y_pred)
    return float(np.mean(np.abs(true - pred)))


def r2(y_true: Any, y_pred: Any) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)²; of shape (n, d), the mean over the columns.

    Where y is constant, 1 if the prediction is right in every row, else 0, as in scikit-learn.

    Raises:
        ValueError: as `mse`; or fewer than two rows.
    """
    true, pred = both_numbers(y_true, y_pred)
    if len(true) < 2:
        raise ValueError("r2 compares with the spread of y_true, and so needs two rows, got 1")
    rest = np.sum(np.square(true - pred), axis=0)
    spread = np.sum(np.square(true - true.mean(axis=0)), axis=0)
    constant = true.max(axis=0) == true.min(axis=0)
    ratio = np.where(constant, np.sign(rest), rest / np.where(constant, 1, spread))
    return float(np.mean(1 - ratio))


# --- what is given ---


def array(values: Any) -> np.ndarray:
    return np.asarray(values.array if isinstance(values, Node) else values)


def same_shape(true: np.ndarray, pred: np.ndarray) -> None:
    if true.shape != pred.shape or not true.ndim:
        hint = ""
        if true.ndim == 1 and pred.ndim == 2 and len(true) == len(pred):
            flat = pred.shape[1] == 1
            hint = f": write {'y_pred[:, 0]' if flat else 'y_pred.argmax(axis=1) for labels'}"
        raise ValueError(
            "y_true and y_pred should have the same shape, (n, ...), got "
            f"{true.shape} and {pred.shape}{hint}"
        )
    if not len(true):
        raise ValueError("there are no rows to judge")


def both_labels(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    true, pred = array(y_true), array(y_pred)
    same_shape(true, pred)
    true, pred = as_labels("y_true", true), as_labels("y_pred", pred)
    if (true.dtype.kind == "U") != (pred.dtype.kind == "U"):
        raise ValueError(
            f"y_true and y_pred should both be strings or both numbers, got {true.dtype} and "
            f"{pred.dtype}; data.Labels turns one into the other"
        )
    return true, pred


def as_labels(name: str, values: np.ndarray) -> np.ndarray:
    """Labels, checked to be strings or whole numbers."""
    try:
        labels = column(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if labels.dtype.kind == "f" and np.any(broken := labels != np.rint(labels)):
        raise ValueError(
            f"{name} should hold labels, got {labels[broken][0]} in row {np.argmax(broken)}; "
            "of probabilities p, the labels are p >= 0.5, or p.argmax(axis=1)"
        )
    return labels


def distinct(labels: Any) -> np.ndarray:
    """The labels given by name, each one once."""
    found = as_labels("labels", array(labels))
    if not len(found) or len(np.unique(found)) < len(found):
        raise ValueError(f"labels= should name each label once, got {listed(found)}")
    return found


def places(name: str, y: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where each of y (n,) stands among the labels (k,), from 0."""
    order = np.argsort(labels)
    try:
        at = positions(labels[order], y)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if np.any(unknown := at < 0):
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{name} has {y[row].item()!r} in row {row}, which is not among the labels "
            + listed(labels)
        )
    found: np.ndarray = order[at]
    return found


def true_places(y_true: Any, labels: Any, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y_true as class indices (n,), and the labels, which fit the columns of the scores."""
    true = as_labels("y_true", array(y_true))
    if score.ndim not in (1, 2) or len(score) != len(true) or not len(true):
        raise ValueError(
            f"{len(true)} labels in y_true need scores of shape ({len(true)},) or "
            f"({len(true)}, k), got {score.shape}"
        )
    found = np.unique(true) if labels is None else distinct(labels)
    columns = 2 if score.ndim == 1 else score.shape[1]
    if len(found) != columns:
        raise ValueError(
            f"scores of shape {score.shape} are of {columns} classes, but there are "
            f"{len(found)}: {listed(found)}; name those of the columns with labels="
        )
    return places("y_true", true, found), found


def probabilities(values: Any) -> np.ndarray:
    p = array(values)
    p = p if p.dtype.kind == "f" else p.astype(float)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(
            f"probabilities are from 0 to 1, got from {p.min()} to {p.max()}; "
            "of logits, take the sigmoid or softmax first"
        )
    if p.ndim == 2:
        total = p.sum(axis=1)
        if np.any(wrong := np.abs(total - 1) > np.sqrt(np.finfo(p.dtype).eps)):
            raise ValueError(
                f"the probabilities of row {np.argmax(wrong)} sum to {total[wrong][0]}, not to 1"
            )
    return p


def both_numbers(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    true, pred = array(y_true), array(y_pred)
    same_shape(true, pred)
    for name, values in (("y_true", true), ("y_pred", pred)):
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name} should hold numbers, got {values.dtype}")
    return true.astype(float), pred.astype(float)
