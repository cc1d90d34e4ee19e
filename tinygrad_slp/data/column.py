"""A column: a 1-D array of numbers or of strings, in which NaN or "" stands for a missing value."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .arrays import as_numpy


def column(values: Any) -> np.ndarray:
    """The values as an array of shape (n,): numbers (bool, int, float) or strings.

    In a column of Python objects None, NaN and pandas.NA are missing values, which become NaN
    among numbers and "" among strings.

    Raises:
        TypeError: an array of another library.
        ValueError: more axes than one, an infinite number, dates, strings among numbers, or others.
    """
    x = as_numpy("a column", values)
    if x.ndim != 1:
        raise ValueError(f"a column has shape (n,), got {x.shape}")
    if x.dtype.kind == "T" or (x.dtype.kind == "U" and not hasattr(values, "dtype")):
        x = np.array(values, dtype=object)  # of a list such as [1, "a"], NumPy makes strings
    if x.dtype.kind == "O":
        x = of_objects(x)
    if x.dtype.kind in "mM":
        raise ValueError(
            f"dates and times ({x.dtype}) have no natural zero or unit: "
            'turn them into numbers, as in (x - x.min()) / np.timedelta64(1, "D")'
        )
    if x.dtype.kind not in "biufU" or x.dtype.char == "g":
        raise ValueError(f"a column holds numbers or strings, got {x.dtype}")
    if x.dtype.kind == "f":
        refuse(np.isinf(x), x, "is not a finite number")
    return x


def of_objects(x: np.ndarray) -> np.ndarray:
    """A column out of an array of Python objects."""
    absent = np.array([is_absent(v) for v in x], bool)
    text = any(isinstance(v, str) for v in x)
    kind = str if text else (bool, int, float, np.number, np.bool)
    for row in np.flatnonzero(~absent):
        if not isinstance(x[row], kind):
            raise ValueError(
                f"{x[row]!r} in row {row} is not a {'string' if text else 'number'}: a column "
                "holds either numbers or strings"
            )
    whole: np.ndarray = np.where(absent, "" if text else np.nan, x) if absent.any() else x
    return whole.astype(str) if text else np.array(whole.tolist())


def is_absent(v: Any) -> bool:
    """Whether an object stands for a missing value; pandas, whose NA is one, need not be there."""
    return v is None or (isinstance(v, float) and math.isnan(v)) or type(v).__name__ == "NAType"


def missing(x: np.ndarray) -> np.ndarray:
    """Which values of a column are missing: NaN or "", as an array of bools."""
    absent: np.ndarray = x == "" if x.dtype.kind == "U" else np.isnan(x)
    return absent


def positions(known: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Where each value of x (n,) stands among the known ones, which are sorted; −1 if nowhere.

    If all values of x are missing, they may be missing numbers or missing strings.

    Raises:
        ValueError: x holds numbers and the known are strings, or the other way round.
    """
    if (x.dtype.kind == "U") != (known.dtype.kind == "U"):
        kinds = ["strings" if a.dtype.kind == "U" else "numbers" for a in (x, known)]
        if not missing(x).all():
            raise ValueError(f"got {kinds[0]} ({x.dtype}), but the known values are {kinds[1]}")
        x = np.full(x.shape, "" if kinds[1] == "strings" else np.nan)
    at = np.minimum(np.searchsorted(known, x), len(known) - 1)
    found = known[at]
    same = (found == x) | ((found != found) & (x != x))  # NaN too is found
    return np.where(same, at, -1)


def refuse(wrong: np.ndarray, x: np.ndarray, why: str) -> None:
    if np.any(wrong):
        row, *columns = (int(k[0]) for k in np.nonzero(wrong))
        where = f"row {row}" + "".join(f", column {k}" for k in columns)
        raise ValueError(f"{x[wrong][0]} in {where} {why}")


def listed(values: Iterable[Any], most: int = 10, shown_as: Callable[[Any], str] = repr) -> str:
    """The values, as a message can show them: the first ten, and how many more there are."""
    shown = [shown_as(v) for v in (values.tolist() if isinstance(values, np.ndarray) else values)]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
