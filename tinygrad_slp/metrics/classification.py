"""Metrics of classes: how good predicted labels, scores and probabilities are."""

from typing import Any, NamedTuple

import numpy as np

from ..checks import whole
from ..data.column import listed
from .arguments import both_labels, distinct, numbers, places, probabilities, true_places


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
    """How many rows of each true label (row) got each predicted label (column): int64, (k, k).

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


class PrecisionRecallF1(NamedTuple):
    """How well classes are found: each one a number for each class (k,), or their average.

    Attributes:
        precision: the share of rows predicted as the class that belong to it.
        recall: the share of rows of the class that were predicted as it.
        f1: 2/(1/precision + 1/recall).
        rows: the number of rows of the class, or of all classes.
    """

    precision: Any
    recall: Any
    f1: Any
    rows: Any


def precision_recall_f1(
    y_true: Any, y_pred: Any, labels: Any = None, average: str | None = None
) -> PrecisionRecallF1:
    """Precision, recall and F₁ of each class, 0 where there is nothing to take a share of.

    Args:
        labels: the order of the classes; by default the labels in y_true or y_pred, sorted. Of two
            classes, those of the second one are what others call precision, recall and F₁.
        average: "macro", over the classes, or "weighted", by their rows; None: of each class.

    Raises:
        ValueError: as `confusion_matrix`; or another average.
    """
    if average not in (None, "macro", "weighted"):
        raise ValueError(f'average should be None, "macro" or "weighted", got {average!r}')
    matrix = confusion_matrix(y_true, y_pred, labels)
    hits, rows, taken = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall, f1 = (
        times * hits / np.maximum(n, 1) for times, n in ((1, taken), (1, rows), (2, taken + rows))
    )
    if average is None:
        return PrecisionRecallF1(precision, recall, f1, rows)
    weights = rows if average == "weighted" else None

    def mean(x: np.ndarray) -> float:
        return float(np.average(x, weights=weights))

    return PrecisionRecallF1(mean(precision), mean(recall), mean(f1), int(rows.sum()))


def roc_auc(y_true: Any, y_score: Any, labels: Any = None) -> float:
    """The probability that a score of the class is above one of the rest, ties counting half.

    Of more than two classes (y_score of shape (n, k)), each one against the rest, averaged.

    Raises:
        ValueError: shapes that do not fit, not numbers, NaN, a label that is not among `labels`,
            or a class that is not in y_true: the area is then not defined.
    """
    score = numbers("y_score", y_score)
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
    bins = whole("bins", bins, 1)
    p = probabilities(y_proba)
    at, _ = true_places(y_true, labels, p)
    right, p = (at == 1, p) if p.ndim == 1 else (p.argmax(axis=1) == at, p.max(axis=1))
    at_bin = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    rows, hits, sums = (np.bincount(at_bin, weights, bins) for weights in (None, right, p))
    some = rows > 0
    rows, observed, predicted = rows[some], hits[some] / rows[some], sums[some] / rows[some]
    error = np.average(np.abs(observed - predicted), weights=rows)
    return Calibration(float(error), observed, predicted, rows)
