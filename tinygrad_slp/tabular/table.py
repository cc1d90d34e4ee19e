"""The columns of a table as inputs of the network: which encoder each gets, and its knots."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..data import (
    Dates,
    Encoder,
    HashedText,
    NumberTexts,
    OneHot,
    RobustScaler,
    TableEncoder,
    TargetMeans,
)
from ..data.column import column, missing
from ..data.texts import are_numbers, format_of

Table = dict[str, Any]
MANY = 100
"""More different texts than that get no column each."""
ROWS_EACH = 4
"""With so many rows for each, on average, the mean of the target tells more than letters do."""
MOST_MEANS = 10
"""Of a target with more columns, means tell too little."""
WITH_RAMPS = (RobustScaler, NumberTexts, Dates, TargetMeans)
"""Encoders of numbers, which get ramps between their quantiles."""


def as_table(X: Any) -> Table:
    """A table as a dict of columns: a dict, a DataFrame, or an array (n, d), which gets the names
    x0, x1, ...

    Raises:
        TypeError, ValueError: it is none of these, or a column that is neither numbers nor texts.
    """
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):  # polars, pyarrow
        X = X.to_pandas()
    if hasattr(X, "columns") and not isinstance(X, Mapping):
        return {str(name): plain(X[name]) for name in X.columns}
    if isinstance(X, Mapping):
        return {str(name): plain(values) for name, values in X.items()}
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            "a table is a DataFrame, a dict of columns, or an array (n, d); "
            f"got {type(X).__name__} of shape {array.shape}"
        )
    return {f"x{k}": plain(array[:, k]) for k in range(array.shape[1])}


def plain(values: Any) -> np.ndarray:
    """A column of numbers, float64 with NaN, or of strings with "" where a value is missing."""
    dtype = getattr(values, "dtype", None)
    if dtype is not None and str(dtype) == "category":
        values = values.astype(object)
    if str(getattr(values, "dtype", None)) == "object" and all(
        isinstance(v, bool | np.bool) or v is None or v != v for v in values
    ):
        values = np.array([np.nan if v is None or v != v else float(v) for v in values])
    elif hasattr(values, "to_numpy") and hasattr(values, "isna") and values.isna().any():
        numeric = values.dtype.kind in "biuf"
        values = values.to_numpy(float, na_value=np.nan) if numeric else values.astype(object)
    if str(getattr(values, "dtype", "")).startswith(("datetime64", "<M8")):
        values = np.datetime_as_string(np.asarray(values, "datetime64[s]"))
        values = np.where(values == "NaT", "", values)
    x = column(values)
    return x if x.dtype.kind == "U" else x.astype(float)


def rows_of(table: Mapping[str, Any]) -> int:
    return len(next(iter(table.values()))) if table else 0


def useless(values: Any) -> str:
    """Why there is nothing to learn from a column; empty if there may be."""
    absent = missing(values)
    if absent.all():
        return "no value in any row"
    different = np.unique(values[~absent])
    if len(different) == 1 and not absent.any():
        return f"{different[0]} in every row"
    if values.dtype.kind != "U" or len(different) < len(values):
        return ""
    if are_numbers(values) or format_of(values):
        return ""
    return "a different text in every row, like a name"


def encoder_for(values: np.ndarray, means: TargetMeans, category: bool = False) -> Encoder:
    """Numbers, numbers written as texts, dates, categories, or many different texts.

    Args:
        means: not fitted, for categories with many values.
        category: whatever it looks like, it is one.
    """
    if values.dtype.kind != "U":
        return RobustScaler()
    if not category and are_numbers(values):
        return NumberTexts()
    if not category and format_of(values):
        return Dates()
    different = len(np.unique(values))
    if different <= MANY:
        return OneHot(handle_unknown="ignore")
    repeated = len(values) >= ROWS_EACH * different and means.y.shape[1] <= MOST_MEANS
    return means if repeated else HashedText()


def fitted(
    table: Table, y: np.ndarray, fold: np.ndarray, categories: Collection[str] = ()
) -> tuple[TableEncoder, list[str]]:
    """The encoders of a table, those of numbers first; and a line for each column left out.

    Args:
        y: the target as numbers, (n, m).
        fold: of each row.
        categories: columns of texts that are categories, whatever they look like.

    Raises:
        ValueError: no column is left.
    """
    notes, encoders = [], {}
    for name, values in table.items():
        if reason := useless(values):
            notes.append(f"{name}: {reason}, so it is left out")
        else:
            encoders[name] = encoder_for(values, TargetMeans(y, fold), name in categories)
    if not encoders:
        raise ValueError("there is no column to learn from" + "".join(f"; {x}" for x in notes))
    encoders = dict(sorted(encoders.items(), key=lambda item: not isinstance(item[1], WITH_RAMPS)))
    encoder = TableEncoder(encoders).fit({name: table[name] for name in encoders})
    return encoder, [*notes, *encoder.notes()]


def knots(encoder: TableEncoder, X: np.ndarray, bins: int) -> list[np.ndarray]:
    """The quantiles of each feature that comes from numbers, which are the first: at least two, and
    no more than every twentieth value."""
    first = sum(
        len(part.features(name)) for name, part in encoder.parts() if isinstance(part, WITH_RAMPS)
    )
    at = np.linspace(0, 1, min(bins, max(2, len(X) // 20)) + 1)
    found = [np.unique(np.quantile(X[:, k], at).astype(np.float32)) for k in range(first)]
    return [q if len(q) > 2 else q[:0] for q in found]  # a ramp over all of it is the column itself
