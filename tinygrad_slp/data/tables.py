"""A table of mixed columns as one matrix of numbers, each column by an encoder of its own."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from .categories import OneHot
from .column import column, listed
from .encoder import Encoder
from .standardizer import Standardizer


class TableEncoder(Encoder):
    """Columns, given as a dict of arrays (n,), as a float64 matrix (n, d): numbers standardised,
    strings one-hot, in the order of the columns in `fit`.

    A pandas DataFrame will do for the dict.

    Args:
        encoders: for columns where the kind of the values should not decide, such as
            `{"year": OneHot()}`.

    Attributes:
        columns: the fitted encoder of each column, by name.
    """

    columns: dict[str, Encoder]

    def __init__(self, encoders: Mapping[str, Encoder] | None = None) -> None:
        self.given = dict(encoders or {})

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
        return self

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
        return matrix

    @property
    def feature_names(self) -> list[str]:
        """What to call the columns of the matrix: the number's name, or name=category."""
        parts = (encoder.features(name) for name, encoder in self.columns.items())
        return [feature for part in parts for feature in part]

    def notes(self) -> list[str]:
        return [f"{name}: {note}" for name, e in self.columns.items() for note in e.notes()]

    def fields(self) -> dict[str, Any]:
        # A list of pairs: the order counts, and not every writer of JSON keeps that of a dict.
        return {"columns": [[name, encoder.state()] for name, encoder in self.columns.items()]}

    def restore(self, fields: dict[str, Any]) -> None:
        self.columns = {name: Encoder.from_state(state) for name, state in fields["columns"]}
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
