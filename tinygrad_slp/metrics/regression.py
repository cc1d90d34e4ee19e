"""Metrics of numbers: how far predicted ones are from the true ones."""

from typing import Any

import numpy as np

from .arguments import both_numbers


def mse(y_true: Any, y_pred: Any) -> float:
    """Σ (y − ŷ)² / n, over all elements.

    Raises:
        ValueError: shapes that differ, no rows, or not numbers.
    """
    true, pred = both_numbers(y_true, y_pred)
    return float(np.mean(np.square(true - pred)))


def rmse(y_true: Any, y_pred: Any) -> float:
    """√(Σ (y − ŷ)² / n), in the unit of y; of shape (n, d), the mean over the columns.

    Raises:
        ValueError: as `mse`.
    """
    true, pred = both_numbers(y_true, y_pred)
    return float(np.mean(np.sqrt(np.mean(np.square(true - pred), axis=0))))


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
