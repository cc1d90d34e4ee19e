"""A table of mixed columns as one matrix of numbers, each column by an encoder of its own."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations, pairwise
from typing import Any, Self

import numpy as np

from .categories import OneHot
from .column import column, listed
from .dates import Dates
from .encoder import Encoder
from .robust import RobustScaler
from .standardizer import Standardizer

MOST_DATES = 5
"""Of more columns of dates, not all pairs have a difference, but neighbours."""


class TableEncoder(Encoder):
    """Columns, given as a dict of arrays (n,), as a float64 matrix (n, d): numbers standardised,
    strings one-hot, in the order of the columns in `fit`; before these, the days between each two
    columns of dates.

    A pandas DataFrame will do for the dict.

    Args:
        encoders: for columns where the kind of the values should not decide, such as
            `{"year": OneHot()}`.

    Attributes:
        columns: the fitted encoder of each column, by name.
        differences: of two columns of dates, how the days from one to the other are scaled.
    """

    columns: dict[str, Encoder]
    differences: dict[tuple[str, str], RobustScaler]

    def __init__(self, encoders: Mapping[str, Encoder] | None = None) -> None:
        self.given = dict(encoders or {})
        self.differences = {}

    def fit(self, x: Any) -> Self:
        """
        Raises:
            TypeError, ValueError: names the column, and says what its encoder has to say; or x is
                no table.
        """
        refuse_other(x)
        table = read(x, list(x))
        if absent := [name for name in self.given if name not in table]:
            raise ValueError(f"encoders for columns that are not in the table: {listed(absent)}")
        columns = {}
        for name, values in table.items():
            default = OneHot() if values.dtype.kind == "U" else Standardizer()
            with naming(name):
                columns[name] = copy.copy(self.given.get(name, default)).fit(values)
        self.columns = columns
        days = self.days(table) if len(self.dates()) > 1 else {}
        pairs = combinations(days, 2) if len(days) <= MOST_DATES else pairwise(days)
        between = {(a, b): days[b] - days[a] for a, b in pairs}
        scalers = {
            pair: RobustScaler().fit(x) for pair, x in between.items() if not np.isnan(x).all()
        }
        self.differences = {pair: scaler for pair, scaler in scalers.items() if scaler.scale}
        return self

    def days(self, table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The columns of dates, as days since 1970."""
        return {name: part.numbers(table[name]) for name, part in self.dates().items()}

    def dates(self) -> dict[str, Dates]:
        parts = self.columns.items()
        return {name: x for name, x in parts if isinstance(x, Dates) and x.has_days}

    def transform(self, x: Any) -> np.ndarray:
        """The matrix; further columns of the table are left aside, and their order is free.

        Raises:
            ValueError: names the column that is missing, or has an unknown category, ...
        """
        return self.matrix(x, None)

    def left_out(self, x: Any, fold: np.ndarray) -> np.ndarray:
        return self.matrix(x, fold)

    def matrix(self, x: Any, fold: np.ndarray | None) -> np.ndarray:
        columns = self.columns
        refuse_other(x)
        if absent := [name for name in columns if name not in x]:
            raise ValueError(f"columns missing: {listed(absent)}; there are {listed(x)}")
        table = read(x, list(columns))
        rows = len(next(iter(table.values())))
        parts = [len(encoder.features(name)) for name, encoder in columns.items()]
        matrix = np.empty((rows, sum(parts)))
        for (name, encoder), stop, width in zip(
            columns.items(), np.cumsum(parts), parts, strict=True
        ):
            with naming(name):
                x = table[name]
                block = encoder.transform(x) if fold is None else encoder.left_out(x, fold)
            matrix[:, stop - width : stop] = block.reshape(rows, width)
        if not self.differences:
            return matrix
        days = self.days(table)
        between = [x.transform(days[b] - days[a]) for (a, b), x in self.differences.items()]
        return np.column_stack([*between, matrix])

    def parts(self) -> list[tuple[str, Encoder]]:
        """The encoders, in the order of what they make, each with a name for it."""
        differences = [(f"{b} − {a}", scaler) for (a, b), scaler in self.differences.items()]
        return [*differences, *self.columns.items()]

    @property
    def feature_names(self) -> list[str]:
        """What to call the columns of the matrix: the number's name, or name=category."""
        return [feature for name, part in self.parts() for feature in part.features(name)]

    def notes(self) -> list[str]:
        between = [f"{b} − {a}: two dates, the days between them too" for a, b in self.differences]
        each = [f"{name}: {note}" for name, e in self.columns.items() for note in e.notes()]
        return [*each, *between]

    def fields(self) -> dict[str, Any]:
        # Lists of pairs: the order counts, and not every writer of JSON keeps that of a dict.
        return {
            "columns": [[name, encoder.state()] for name, encoder in self.columns.items()],
            "differences": [[*pair, scaler.state()] for pair, scaler in self.differences.items()],
        }

    def restore(self, fields: dict[str, Any]) -> None:
        self.columns = {name: Encoder.from_state(state) for name, state in fields["columns"]}
        self.differences = {}
        for a, b, state in fields.get("differences", []):
            scaler = Encoder.from_state(state)
            if not isinstance(scaler, RobustScaler) or not {a, b} <= {*self.dates()}:
                raise ValueError("expected RobustScalers of the days between two columns of dates")
            self.differences[a, b] = scaler
        self.given = dict(self.columns)


def refuse_other(x: Any) -> None:
    """Refuses what is no table.

    Raises:
        ValueError: it has no columns by name.
    """
    if not (hasattr(x, "keys") or hasattr(x, "columns")):
        shape = f" of shape {x.shape}" if hasattr(x, "shape") else ""
        raise ValueError(
            "a table is a dict of columns, {'name': values}, or a DataFrame, "
            f"got {type(x).__name__}{shape}; for an array of numbers use Standardizer"
        )


def read(table: Any, names: list[str]) -> dict[str, np.ndarray]:
    """These columns of the table, checked."""
    columns = {}
    for name in names:
        with naming(name):
            columns[name] = column(table[name])
    if not columns:
        raise ValueError("the table has no columns")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns differ in length: {lengths}")
    return columns


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Errors in here begin with the column's name."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"column {name!r}: {error}") from None
