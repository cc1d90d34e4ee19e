"""The perceptron's table: read from a CSV file, checked, split and standardised for training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import BadInput
from .finding import Source, check_header


@dataclass(frozen=True)
class Table:
    """Numeric features X (n, d) with their names, and a target y (n,) between 0 and 1.

    `classes` are the two labels that 0 and 1 stand for; None if the target is a number.
    """

    X: np.ndarray
    y: np.ndarray
    features: list[str]
    target: str
    classes: tuple[str, str] | None

    def split(self, part: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of a training part and a held-out part, each with a share of both classes."""
        held_out: list[int] = []
        groups = np.unique(self.y) if self.classes else [None]
        for label in groups:
            rows = np.arange(len(self.y)) if label is None else np.flatnonzero(self.y == label)
            held_out += list(rng.permutation(rows)[: round(part * len(rows))])
        test = np.sort(np.array(held_out, dtype=int))
        return np.setdiff1d(np.arange(len(self.y)), test), test


def standardise(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and deviation 1 over the training rows; a constant one becomes 0."""
    mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
    scaled: np.ndarray = (X - mean) / np.where(deviation > 1e-12 * np.abs(mean), deviation, np.inf)
    return scaled


def read_table(path: str, target: str) -> Table:
    """Reads a CSV file with a header row and numeric cells.

    Raises:
        BadInput: one line that names the row (its line in the file) and the column.
    """
    header, rows = read_rows(path)
    if target not in header:
        hint = ""
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            hint = "; are the columns separated by something else than a comma?"
        raise BadInput(f"{path}: no column {target!r}; there are {', '.join(header)}{hint}")
    if len(header) == 1:
        raise BadInput(f"{path}: {target!r} is the only column; there is nothing to learn from")
    if len(rows) < 5:
        raise BadInput(f"{path}: {len(rows)} rows of data, too few to train on and hold some out")
    at = header.index(target)
    features = [name for name in header if name != target]
    X = np.array(
        [
            [number(path, line, header[k], cell) for k, cell in enumerate(row) if k != at]
            for line, row in rows
        ]
    )
    y, classes = read_target(path, target, [(line, row[at]) for line, row in rows])
    return Table(X, y, features, target, classes)


def read_rows(path: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows with their line numbers, all of the header's length."""
    lines = list(Source(path).rows())
    if not lines:
        raise BadInput(f"{path}: the file is empty; expected a header row and rows of numbers")
    (_, header), *rows = lines
    if not rows:
        raise BadInput(f"{path}: there is a header but no rows of data")
    check_header(path, header)
    for line, row in rows:
        if len(row) != len(header):
            raise BadInput(f"{path}: line {line}: {len(row)} cells, the header has {len(header)}")
    return header, rows


def number(path: str, line: int, column: str, cell: str) -> float:
    where = f"{path}: line {line}, column {column!r}"
    if not cell:
        raise BadInput(f"{where}: the cell is empty; every cell must be a number")
    try:
        value = float(cell)
    except ValueError:
        raise BadInput(f"{where}: {cell!r} is not a number") from None
    if not math.isfinite(value):
        raise BadInput(f"{where}: {cell!r} is not a finite number")
    return value


def value(label: str) -> float | str:
    """A label as a number, if it is one."""
    try:
        return float(label)
    except ValueError:
        return label


def read_target(
    path: str, target: str, cells: Sequence[tuple[int, str]]
) -> tuple[np.ndarray, tuple[str, str] | None]:
    """The target as numbers between 0 and 1, and the two labels, if it has two."""
    for line, cell in cells:
        if cell.lower() in ("", "nan", "na", "null", "none"):
            raise BadInput(f"{path}: line {line}, column {target!r}: no value ({cell!r})")
    spelled: dict[float | str, str] = {}  # each value as it is first written: 1 and 1.0 are one
    for _, cell in cells:
        spelled.setdefault(value(cell), cell)
    try:
        labels = sorted(spelled.values(), key=float)
    except ValueError:
        labels = sorted(spelled.values())
    if len(labels) == 1:
        raise BadInput(f"{path}: column {target!r} has one class only, {labels[0]!r}; expected two")
    if len(labels) == 2:
        y = np.array([float(value(cell) == value(labels[1])) for _, cell in cells])
        return y, (labels[0], labels[1])
    for line, cell in cells:
        try:
            inside = 0 <= float(cell) <= 1
        except ValueError:
            raise BadInput(
                f"{path}: column {target!r} has {len(labels)} classes, such as "
                f"{', '.join(map(repr, labels[:3]))}; expected two, or numbers from 0 to 1"
            ) from None
        if not inside:
            raise BadInput(
                f"{path}: line {line}, column {target!r}: {cell} is not between 0 and 1; "
                "expected two classes, or numbers from 0 to 1"
            )
    return np.array([float(cell) for _, cell in cells]), None
