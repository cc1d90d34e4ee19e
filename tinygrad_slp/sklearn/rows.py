"""Rows of data as scikit-learn's users give them, checked, weighted and put aside."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from ..data import train_test_split

Rows = tuple[np.ndarray, ...]
"""X (n, features), y (n, ...), and the weights (n,) if there are any."""


def weighted(X: np.ndarray, y: np.ndarray, sample_weight: Any) -> tuple[Rows, float]:
    """The rows that have a weight, with weights of mean 1; and what the mean was before.

    A row of weight 2 is as good as two, so the penalty, which is shared among the rows, has to know
    how many rows they count as.

    Raises:
        ValueError: weights of another shape, negative, or all 0.
    """
    if sample_weight is None:
        return (X, y), 1.0
    w = check_array(sample_weight, dtype=X.dtype, ensure_2d=False, input_name="sample_weight")
    if w.shape != X.shape[:1]:
        raise ValueError(
            f"sample_weight.shape == {w.shape}, expected {X.shape[:1]}: a weight for each row"
        )
    if np.any(w < 0):
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not np.any(w):
        raise ValueError("Sample weights must contain at least one non-zero number: all are zero")
    counts = w > 0
    mean = float(np.mean(w[counts]))
    return (X[counts], y[counts], w[counts] / mean), mean


def held_out(rows: Rows, fraction: float, labels: Any, rng: Any) -> tuple[Rows, Rows]:
    """Rows to train on, and rows to measure on, of each label its share, if there are labels (n,).

    Raises:
        ValueError: there are too few rows, or too few of a class.
    """
    parts = train_test_split(*rows, test_size=fraction, stratify=labels, rng=rng)
    if len(parts[1]) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return tuple(parts[::2]), tuple(parts[1::2])


def batch_size(asked: Any, n: int, norm: str | None) -> int:
    """Rows of a batch: as asked, or one more, so that no batch of one has to be normalized."""
    size = min(200 if isinstance(asked, str) else int(asked), n)
    while norm == "batch" and 1 < size < n and n % size == 1:
        size += 1
    return size
