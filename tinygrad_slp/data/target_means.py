"""Categories with many values as numbers: the mean of the target over the rows of each."""

from typing import Any, Self

import numpy as np

from .categories import different, packed, unpacked
from .column import column, positions
from .encoder import Encoder


class TargetMeans(Encoder):
    """A category as the mean of the target over its rows, shrunk towards the mean of all: of n
    rows, (Σy + m·ȳ)/(n + m), where m is the variance within categories over that between them
    (Micci-Barreca, A preprocessing scheme for high-cardinality categorical attributes, 2001).
    A category that was not there in `fit` is the mean of all.

    Training rows must not see their own target, or the network learns to trust what it will not
    have. `left_out` gives each of them the means over the rows of other folds.

    Args:
        y: the target, (n, m).
        fold: the fold of each row, (n,): 0, 1, ..., as in `left_out`.

    Attributes:
        categories: sorted, (k,).
        means: of each category, and last of all rows, (k + 1, m), divided by their deviations.
    """

    categories: np.ndarray
    means: np.ndarray
    of_folds: np.ndarray

    def __init__(self, y: Any = None, fold: Any = None) -> None:
        self.y = y
        self.fold = fold

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: no target was given, or one of other rows.
        """
        x = column(x)
        if self.y is None or self.fold is None or not len(x) == len(self.y) == len(self.fold):
            raise ValueError(
                "TargetMeans takes y (n, m) and fold (n,) of the rows that it is fitted to"
            )
        self.categories = different(x)
        y, at = np.asarray(self.y, float), positions(self.categories, x)
        means = shrunk_means(y, at, len(self.categories))
        scale = means[at].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        self.means = means / scale
        others = [np.not_equal(self.fold, k) for k in range(int(np.max(self.fold)) + 1)]
        of_folds = [shrunk_means(y[rows], at[rows], len(self.categories)) for rows in others]
        self.of_folds = np.array(of_folds) / scale
        self.y = None  # is not needed any more
        return self

    def transform(self, x: Any) -> np.ndarray:
        """(n, m), of new rows."""
        found: np.ndarray = self.means[positions(self.categories, column(x))]  # −1: the last
        return found

    def left_out(self, x: Any, fold: np.ndarray) -> np.ndarray:
        """(n, m), of training rows: the means over rows of other folds than theirs."""
        found: np.ndarray = self.of_folds[fold, positions(self.categories, column(x))]
        return found

    def features(self, name: str) -> list[str]:
        return [f"{name}: mean target {k + 1}" for k in range(self.means.shape[1])]

    def notes(self) -> list[str]:
        return [f"{len(self.categories):,} categories, each by the mean of the target in its rows"]

    def fields(self) -> dict[str, Any]:
        return {"categories": packed(self.categories), "means": self.means.tolist()}

    def restore(self, fields: dict[str, Any]) -> None:
        TargetMeans.__init__(self)
        self.categories = unpacked(fields["categories"])
        self.means = np.array(fields["means"], float)


def shrunk_means(y: np.ndarray, at: np.ndarray, k: int) -> np.ndarray:
    """Of the rows at each of k places, (k, m), and last of all rows: (k + 1, m)."""
    n = np.bincount(at, minlength=k)[:, None]
    sums, squares = (
        np.stack([np.bincount(at, column, k) for column in values.T], axis=1)
        for values in (y, y * y)
    )
    mean = y.mean(axis=0)
    degrees = max(len(y) - np.count_nonzero(n), 1)
    within = np.sum(squares - sums**2 / np.maximum(n, 1), axis=0) / degrees
    between = np.maximum(y.var(axis=0) - within, 1e-3 * y.var(axis=0))
    m = within / np.where(between > 0, between, 1.0)
    shrunk = (sums + m * mean) / np.where(n + m > 0, n + m, 1.0)
    shrunk = np.where(n + m > 0, shrunk, mean)
    return np.concatenate([shrunk, mean[None]])
