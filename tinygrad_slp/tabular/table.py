"""The columns of a table as inputs of the network: which encoder each gets, and its knots."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
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
from ..data.column import column, is_absent, missing
from ..data.dates import format_of
from ..data.tables import naming
from ..data.texts import are_numbers

Table = dict[str, Any]
MANY = 100
"""More different texts than that get no column each."""
ROWS_EACH = 4
"""With so many rows for each, on average, the mean of the target tells more than letters do."""
MOST_MEANS = 10
"""Of a target with more columns, means tell too little."""
WITH_RAMPS = (RobustScaler, NumberTexts, Dates, TargetMeans)
"""Encoders of numbers, which get ramps between their quantiles."""


NUMBERS = (int, float, np.number)


def as_table(X: Any) -> Table:
    """A table as a dict of columns: a dict, a DataFrame, or an array (n, d), which gets the names
    x0, x1, ...

    Raises:
        TypeError, ValueError: it is none of these, or a column that is neither numbers nor texts.
    """
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):  # polars, pyarrow
        X = X.to_pandas()
    if hasattr(X, "columns") and not isinstance(X, Mapping):
        names = [str(name) for name in X.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{names.count(twice[0])} columns named {twice[0]!r}; rename one")
        X = dict(zip(names, (X[name] for name in X.columns), strict=True))
    if isinstance(X, Mapping):
        columns = {}
        for name, values in X.items():
            with naming(str(name)):
                columns[str(name)] = plain(values)
        return columns
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            "a table is a DataFrame, a dict of columns, or an array (n, d); "
            f"got {type(X).__name__} of shape {array.shape}"
        )
    return {f"x{k}": plain(array[:, k]) for k in range(array.shape[1])}


def plain(values: Any) -> np.ndarray:
    """A column of numbers, float64 with NaN, or of strings with "" where a value is missing: dates
    as in ISO 8601, durations in days."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if kind == "M":
        if getattr(dtype, "tz", None) is not None:
            values = values.dt.tz_localize(None)
        values = np.datetime_as_string(np.asarray(values, "datetime64[s]"))
        values = np.where(values == "NaT", "", values)
    elif kind == "m":
        values = np.asarray(values, "timedelta64[us]") / np.timedelta64(1, "D")
    elif kind in ("b", "i", "u", "f") and hasattr(values, "isna"):
        values = values.to_numpy(float, na_value=np.nan)
    elif kind == "O" or isinstance(values, list | tuple):
        values = [simple(value) for value in values]
        if any(
            isinstance(value, str) for value in values
        ):  # numbers among them are texts, as in CSV
            values = [f"{v:.15g}" if isinstance(v, NUMBERS) else v for v in values]
        values = np.fromiter(values, object, len(values))
    x = column(values)
    return x if x.dtype.kind == "U" else x.astype(float)


def simple(value: Any) -> Any:
    """A Python object as a number, a string, or None."""
    if is_absent(value) or type(value).__name__ == "NaTType":
        return None
    if isinstance(value, bool | np.bool | Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds() / 86400
    return value.isoformat() if isinstance(value, date) else value


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
