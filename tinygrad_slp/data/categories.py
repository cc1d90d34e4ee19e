"""Categories as numbers: one column for each, or an index."""

from typing import Any, Self

import numpy as np

from .arrays import as_numpy
from .column import column, listed, missing, positions
from .encoder import Encoder
from .standardizer import numbers


class OneHot(Encoder):
    """A column of k different strings or numbers as k columns, 1 in that of the category, else 0.

    A missing value ("", NaN) is a category like any other.

    Args:
        handle_unknown: a category that was not there in `fit` is an "error", or, with "ignore",
            a row of zeros.

    Attributes:
        categories: sorted, shape (k,).
    """

    categories: np.ndarray
    missing: int

    def __init__(self, handle_unknown: str = "error") -> None:
        if handle_unknown not in ("error", "ignore"):
            raise ValueError(
                f'handle_unknown should be "error" or "ignore", got {handle_unknown!r}'
            )
        self.handle_unknown = handle_unknown

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: no rows, or not a column of numbers or strings.
        """
        x = column(x)
        self.categories = different(x)
        self.missing = int(missing(x).sum())
        return self

    def transform(self, x: Any) -> np.ndarray:
        """Zeros and ones of shape (n, k), float64.

        Raises:
            ValueError: an unknown category; strings where numbers were, or the other way round.
        """
        x = column(x)
        at = positions(self.categories, x)
        if self.handle_unknown == "error":
            hint = '; OneHot(handle_unknown="ignore") encodes it as zeros'
            refuse_unknown("category", at, x, self.categories, hint)
        y: np.ndarray = (at[:, None] == np.arange(len(self.categories))).astype(float)
        return y

    def inverse_transform(self, y: Any) -> np.ndarray:
        """The category with the largest entry in each row of y (n, k); probabilities will do.

        Raises:
            ValueError: another number of columns, a row of zeros, or NaN.
        """
        y = numbers(y)
        if y.shape[1:] != self.categories.shape:
            raise ValueError(f"expected shape (n, {len(self.categories)}), got {y.shape}")
        if np.any(absent := np.isnan(y).any(axis=1)):
            raise ValueError(f"row {np.argmax(absent)} has NaN: it belongs to no category")
        if np.any(none := ~y.any(axis=1)):
            raise ValueError(f"row {np.argmax(none)} is all zeros: it belongs to no category")
        x: np.ndarray = self.categories[y.argmax(axis=1)]
        return x

    def features(self, name: str) -> list[str]:
        return [f"{name}={category}" for category in self.categories]

    def notes(self) -> list[str]:
        return [f"{self.missing} missing, a category of their own"] if self.missing else []

    def fields(self) -> dict[str, Any]:
        return {
            "categories": packed(self.categories),
            "handle_unknown": self.handle_unknown,
            "missing": self.missing,
        }

    def restore(self, fields: dict[str, Any]) -> None:
        OneHot.__init__(self, fields["handle_unknown"])
        self.categories = unpacked(fields["categories"])
        self.missing = int(fields["missing"])


class Labels(Encoder):
    """Class labels, strings or numbers, as class indices 0, 1, ..., and back.

    Attributes:
        classes: the labels, sorted, of the dtype they came in, shape (k,).
    """

    classes: np.ndarray

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: no rows, a missing label, or not a column of numbers or strings.
        """
        x = column(x)
        if np.any(absent := missing(x)):
            raise ValueError(f"the label in row {np.argmax(absent)} is missing: leave that row out")
        self.classes = different(x)
        return self

    def transform(self, x: Any) -> np.ndarray:
        """The index of each label among the classes: int64, shape (n,).

        Raises:
            ValueError: a label that was not there in `fit`.
        """
        x = column(x)
        at = positions(self.classes, x)
        refuse_unknown("label", at, x, self.classes)
        return at.astype(np.int64)

    def inverse_transform(self, y: Any) -> np.ndarray:
        """The label of each class index, of the shape of y.

        Raises:
            ValueError: not integers, or not from 0 to k − 1.
        """
        index = as_numpy("y", y)
        if index.dtype.kind not in "iu":
            raise ValueError(
                f"class indices are integers, got {index.dtype}; of scores (n, k), take "
                "scores.argmax(axis=1)"
            )
        if np.any(wrong := (index < 0) | (index >= len(self.classes))):
            raise ValueError(
                f"there is no class {index[wrong][0]}: the classes are 0 to {len(self.classes) - 1}"
            )
        labels: np.ndarray = self.classes[index]
        return labels

    def fields(self) -> dict[str, Any]:
        return {"classes": packed(self.classes)}

    def restore(self, fields: dict[str, Any]) -> None:
        self.classes = unpacked(fields["classes"])


def different(x: np.ndarray) -> np.ndarray:
    """The different values of a column, sorted; NaN is positive, as files do not keep its sign."""
    if not len(x):
        raise ValueError("there are no rows to learn from")
    values = np.unique(x)
    if values.dtype.kind == "f":
        values[np.isnan(values)] = np.nan
    return values


def refuse_unknown(
    what: str, at: np.ndarray, x: np.ndarray, known: np.ndarray, hint: str = ""
) -> None:
    if np.any(wrong := at < 0):
        row = int(np.argmax(wrong))
        raise ValueError(
            f"unknown {what} {x[row].item()!r} in row {row}; known are {listed(known)}{hint}"
        )


def packed(x: np.ndarray) -> dict[str, Any]:
    """A column as JSON can hold it; null for NaN, which JSON lacks."""
    values = [None if v != v else v for v in x.tolist()]
    return {"dtype": x.dtype.str, "values": values}


def unpacked(fields: dict[str, Any]) -> np.ndarray:
    """A column that was packed, which must be sorted and without repetitions."""
    dtype = np.dtype(fields["dtype"])
    values = [np.nan if v is None else v for v in fields["values"]]
    x = column(np.array(values, dtype=dtype))
    if not np.array_equal(different(x), x, equal_nan=dtype.kind == "f"):
        raise ValueError("categories and classes should be sorted, each one once")
    return x
