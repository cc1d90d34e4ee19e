"""The columns of a table as the inputs of the perceptron: standardised."""

from collections.abc import Mapping

import numpy as np

from ..data import OneHot, Standardizer, TableEncoder
from . import BadInput
from .cells import is_number
from .columns import FAR
from .csv_source import Source
from .reading import Column, Texts


def fitted(columns: Mapping[str, Column], rows: np.ndarray, used: np.ndarray) -> TableEncoder:
    """The encoder of the columns: means and deviations of the training rows, and all categories.

    A category that is in other rows only has a column, which is 0 in these, and so does no harm.

    Args:
        rows: to train on.
        used: these, and the rows held out: in which missing values are counted.
    """
    encoder = TableEncoder()
    encoder.columns = {
        name: one_hot(values, used)
        if isinstance(values, Texts)
        else standardizer(values, rows, used)
        for name, values in columns.items()
    }
    return encoder


def standardizer(values: np.ndarray, rows: np.ndarray, used: np.ndarray) -> Standardizer:
    known = values[rows]
    known = known[~np.isnan(known)]
    differ = len(known) > 0 and known.min() < known.max()
    encoder = Standardizer().fit(known if differ else values)
    encoder.missing = np.asarray(np.isnan(values[used]).sum())
    return encoder


def one_hot(values: Texts, used: np.ndarray) -> OneHot:
    encoder = OneHot().fit(values.names)
    encoder.missing = int(np.sum(values.names[values.codes[used]] == ""))
    return encoder


def check_range(source: Source, encoder: TableEncoder, columns: Mapping[str, Column]) -> None:
    """
    Raises:
        BadInput: a number is so far from the others that it is a mistake, and too far to compute.
    """
    for name, part in encoder.columns.items():
        values = columns[name]
        if isinstance(part, Standardizer) and isinstance(values, np.ndarray):
            check_near(source, name, values, float(part.mean), FAR * float(part.std))


def check_near(source: Source, name: str, values: np.ndarray, mean: float, reach: float) -> None:
    if np.any(np.abs(values - mean) > reach):
        line, cell = source.first(
            name, lambda text: is_number(text) and abs(float(text) - mean) > reach
        )
        raise BadInput(
            f"{source}: line {line}, column {name!r}: {cell} is more than a million times as far "
            f"from {mean:.4g}, the middle of the training rows, as these are; correct it, or "
            "leave it empty"
        )
