"""Which columns of a table are learned from, and what was noticed about them."""

import re
from collections.abc import Callable, Collection

import numpy as np

from . import BadInput
from .csv_source import is_number
from .reading import Column, Frame, Texts

MANY = 1000
"""So many different texts in a column are no categories."""

FAR = 1e6
"""So many deviations from the mean a number is no measurement."""

MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?"
DAY = "([a-z]{3,9}[.,]? )?"  # of the week
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ]\d{1,2}:\d\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
    r"|\d{1,2}[-/]\d{4}|\d{1,2}:\d\d(:\d\d)?(\.\d+)?( ?[ap]m)?"
    rf"|{DAY}\d{{1,2}}[-. ]{{1,2}}{MONTH}[-, ]{{1,2}}\d{{2,4}}( .*)?"
    rf"|{DAY}{MONTH}[- ]\d{{1,2}}(st|nd|rd|th)?[-, ]{{1,2}}\d{{2,4}}( .*)?|{MONTH}[- ]\d{{4}}",
    re.IGNORECASE,
)
COMMA = re.compile(r"[+-]?[\d.]*\d,\d+")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
UNIT = re.compile(r"(?=.*[$€£¥%])[+-]?[$€£¥]? ?[+-]?\d[\d.,]* ?[$€£¥%]?")


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
            notes.append(
                f"{name}: a different whole number in every row; if it only tells the rows apart, "
                f"write --drop {name}"
            )
        if isinstance(values, np.ndarray) and (far := outlier(values)) is not None:
            raise too_far(frame, name, far)
        if isinstance(values, Texts) and (values.counts == 1).mean() > 0.5:
            notes.append(f"{name}: most of its {len(values.names)} texts occur only once")
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
        if len(values.names) == len(values):
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
        f"look equal beside it; correct it, leave it empty, or write --drop {name}"
    )


def check_texts(frame: Frame, name: str, values: Texts, categories: Collection[str]) -> None:
    """
    Raises:
        BadInput: these are dates, numbers with a comma or a unit, numbers among which are texts, or
            too many.
    """
    if name in categories:
        return
    share = Shares(values)
    where = f"column {name!r}"
    if share.of(DATE.fullmatch) > 0.5:
        line, cell = frame.source.first(name, lambda text: bool(DATE.fullmatch(text)))
        raise BadInput(
            f"{frame.source}: line {line}, {where}: dates and times, such as {cell!r}, have no "
            f"natural zero or unit; make numbers of them (days since...), or write --drop {name}"
        )
    if share.of(THOUSANDS.fullmatch) > 0.5:
        line, cell = frame.source.first(name, lambda text: bool(THOUSANDS.fullmatch(text)))
        other = "" if cell.count(",") > 1 or "." in cell else f", or {cell.replace(',', '.')}"
        raise BadInput(
            f"{frame.source}: line {line}, {where}: {cell!r} looks like a number with a comma; "
            f"expected {cell.replace(',', '')}{other}"
        )
    if share.of(UNIT.fullmatch) > 0.5:
        line, cell = frame.source.first(name, lambda text: bool(UNIT.fullmatch(text)))
        raise BadInput(
            f"{frame.source}: line {line}, {where}: {cell!r} is a number with a unit; expected "
            f"{re.sub('[$€£¥% ,]', '', cell)}, and the unit in the column's name"
        )
    if share.of(COMMA.fullmatch) > 0.5:
        line, cell = frame.source.first(name, lambda text: bool(COMMA.fullmatch(text)))
        raise BadInput(
            f"{frame.source}: line {line}, {where}: {cell!r} looks like a number with a comma; "
            f"expected a point, as in {cell.replace('.', '').replace(',', '.')}"
        )
    if 0.5 <= share.of(is_number) < 1:
        line, cell = frame.source.first(name, is_text)
        raise BadInput(
            f"{frame.source}: line {line}, {where}: {cell!r} is not a number, as most of the "
            f"column is; correct it, leave it empty, or write --categories {name}"
        )
    if MANY < len(values.names) < len(values):
        raise BadInput(
            f"{frame.source}: {where} has {len(values.names):,} different texts, too many for "
            f"categories (at most {MANY:,}); write --drop {name}"
        )


class Shares:
    """In which share of the rows that have a text it is of some kind."""

    def __init__(self, values: Texts) -> None:
        self.names = values.names.tolist()
        self.counts = values.counts * (values.names != "")

    def of(self, kind: Callable[[str], object]) -> float:
        hits = np.array([bool(kind(name)) for name in self.names])
        return float(self.counts[hits].sum() / max(1, self.counts.sum()))


def is_text(text: str) -> bool:
    return bool(text) and not is_number(text)
