"""Which columns of a table are learned from, and what was noticed about them."""

import shlex
from collections.abc import Collection

import numpy as np

from ..data.dates import format_of
from ..data.texts import are_numbers, decimal_mark, kept, parsed
from . import BadInput
from .cells import is_number
from .csv_source import UNNAMED
from .reading import Column, Frame, Texts

FAR = 1e6
"""So many deviations from the mean a number is no measurement."""


ROW_NAMES = (UNNAMED, "id", "row", "rownames", "row_id", "rowid", "unnamed: 0", "nr", "no")
"""Columns that name rows, if all their values differ."""


def features(
    frame: Frame, target: str, categories: Collection[str]
) -> tuple[dict[str, Column], list[str]]:
    """The columns to learn from, and a line for everything that their owner should know.

    Args:
        categories: columns that the user called categories.

    Raises:
        BadInput: dates, numbers among texts, or no column at all.
    """
    found: dict[str, Column] = {}
    notes = []
    for name, values in frame.columns.items():
        if name == target:
            continue
        if isinstance(values, Texts):
            check_texts(frame, name, values, categories)
        if reason := useless(values):
            notes.append(f"{name}: {reason}, so it is left out")
            continue
        if isinstance(values, np.ndarray) and counts_rows(values):
            if name.lower() in ROW_NAMES:
                notes.append(
                    f"{name}: a different whole number in every row, so it only tells the rows "
                    "apart and is left out; to keep it, give it another name"
                )
                continue
            notes.append(
                f"{name}: a different whole number in every row; if it only tells the rows apart, "
                f"write {option('--drop', name)}"
            )
        if isinstance(values, np.ndarray) and (far := outlier(values)) is not None:
            raise too_far(frame, name, far)
        found[name] = values
    if not found:
        raise BadInput(
            f"{frame.source}: there is no column to learn {target!r} from"
            + "".join(f"; {note}" for note in notes)
        )
    return found, notes


def useless(values: Column) -> str:
    """Why there is nothing to learn from a column; empty if there may be."""
    if isinstance(values, Texts):
        if len(values.names) == 1:
            return f"the same text in every row, {str(values.names[0])!r}"
        if len(values.names) == len(values) and not (
            are_numbers(values.names) or format_of(values.names)
        ):
            return "a different text in every row, like a name"
        return ""
    known = values[~np.isnan(values)]
    if not len(known):
        return "no value in any row"
    if len(known) == len(values) and known.min() == known.max():
        return f"the same number in every row, {known[0]:g}"
    return ""


def outlier(values: np.ndarray) -> float | None:
    """The number farthest from the median, if it is a million times as far as half of them are."""
    low, middle, high = np.nanpercentile(values, (25, 50, 75))
    distance = np.abs(values - middle)
    at = np.nanargmax(distance)
    return float(values[at]) if 0 < FAR * (high - low) < distance[at] else None


def counts_rows(values: np.ndarray) -> bool:
    """Whether numbers look like those of the rows: whole, and all different."""
    if np.any(values[:1000] != np.rint(values[:1000])):
        return False
    return bool(np.all(values == np.rint(values))) and len(np.unique(values)) == len(values)


def too_far(frame: Frame, name: str, far: float) -> BadInput:
    """The error that says where a number is beside which all others look the same."""
    line, cell = frame.source.first(name, lambda x: is_number(x) and float(x) == far)
    return BadInput(
        f"{frame.source}: line {line}, column {name!r}: {cell} is so far from the others that they "
        f"look equal beside it; correct it, leave it empty, or write {option('--drop', name)}"
    )


def check_texts(frame: Frame, name: str, values: Texts, categories: Collection[str]) -> None:
    """
    Raises:
        BadInput: these are numbers, among which are texts that do not stand for a missing value.
    """
    known = kept(values.names)
    if name in categories or not len(known):
        return
    read = parsed(known, decimal_mark(known))
    if not 0.5 <= np.mean(~np.isnan(read)) < 1:
        return
    wrong = set(known[np.isnan(read)].tolist())
    line, cell = frame.source.first(name, wrong.__contains__)
    raise BadInput(
        f"{frame.source}: line {line}, column {name!r}: {cell!r} is not a number, as most of the "
        f"column is; correct it, or write {option('--missing', cell)} if it means no value, or "
        f"{option('--categories', name)}"
    )


def option(option: str, name: str) -> str:
    """An option with a column's name, to be pasted: in the quotes of CSV and of the shell."""
    if "," in name or name.startswith('"'):
        name = '"' + name.replace('"', '""') + '"'
    return option + ("=" if name.startswith("-") else " ") + shlex.quote(name)


def is_text(text: str) -> bool:
    return bool(text) and not is_number(text)
