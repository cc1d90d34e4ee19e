"""The perceptron's table: numbers without a gap, and a target of two classes or from 0 to 1.

Python's csv module reads it, so that the perceptron needs nothing but NumPy.
"""

from collections.abc import Sequence
from operator import not_

import numpy as np

from ..data import Labels, Standardizer
from ..table import counted
from . import BadInput
from .cells import is_number, tidy
from .columns import is_text
from .csv_source import Source
from .reading import Column, Frame, Texts
from .target import Target, check_classes, check_there, present


def read_numbers(source: Source, target: str) -> Frame:
    """Reads the file.

    Raises:
        BadInput: one line that names the row (its line in the file) and the column.
    """
    header = source.header()
    source.check_lengths()
    rows = [row for _, row in source.rows()][1:]
    if len(rows) < 5:
        raise BadInput(
            f"{source}: {counted(len(rows), 'row')} of data, too few to train on and hold some out"
        )
    cells = zip(*rows, strict=True)
    columns = {
        name: column([tidy(cell, source.missing) for cell in of])
        for name, of in zip(header, cells, strict=True)
    }
    frame = Frame(source, columns)
    check_there(frame, target)
    if len(header) == 1:
        raise BadInput(f"{source}: {target!r} is the only column; there is nothing to learn from")
    for name, values in frame.columns.items():
        if isinstance(values, Texts) and "" in values.names:
            line, _ = source.first(name, not_)
            raise BadInput(
                f"{source}: line {line}, column {name!r}: no value; expected one in every row"
            )
        if isinstance(values, Texts) and name != target:
            line, cell = source.first(name, is_text)
            raise BadInput(
                f"{source}: line {line}, column {name!r}: {cell!r} is not a finite number; "
                "expected one in every row (tinygrad-slp train takes texts too)"
            )
    return frame


def column(cells: Sequence[str]) -> Column:
    """Numbers, if all are."""
    if all(map(is_number, cells)):
        return np.array([float(cell) for cell in cells])
    return Texts(*np.unique(cells, return_inverse=True))


def read_target(frame: Frame, name: str) -> Target:
    """The target as numbers from 0 to 1.

    Raises:
        BadInput: one class only, or more than two.
    """
    source = frame.source
    values, rows = present(frame, name)
    labels = Labels().fit(values)
    k = len(labels.classes)
    if k <= 2:
        check_classes(source, name, labels, len(values))
        low, high = map(str, labels.classes.tolist())
        said = f"class 0 is {low!r}, class 1 is {high!r}"
        return Target("classification", labels, labels.transform(values), rows, said)
    if values.dtype.kind == "U" or values.min() < 0 or values.max() > 1:
        line, cell = source.first(name, lambda x: not (is_number(x) and 0 <= float(x) <= 1))
        raise BadInput(
            f"{source}: line {line}, column {name!r}: {cell!r} is not a number from 0 to 1, and "
            f"there are {k} different values; expected two classes, or numbers from 0 to 1"
        )
    said = "the target is a number from 0 to 1"
    return Target("regression", Standardizer(), values.astype(float), rows, said)
