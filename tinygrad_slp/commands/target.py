"""The column to predict: classes or numbers, which is said aloud; and the rows that have it."""

import argparse
from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np

from ..data import Labels, Standardizer, train_test_split
from ..data.column import listed
from ..data.dates import look_like_dates
from ..data.texts import decimal_mark, kept, parsed
from ..table import counted
from . import BadInput
from .cells import is_number
from .columns import is_text, option
from .csv_source import Source
from .reading import Column, Frame, Texts

FEW = 10
"""Up to so many different whole numbers are taken for classes."""

MOST_CLASSES = 200
LEAST_ROWS = 5
TASKS = ("classification", "regression")


class Target:
    """What is to be predicted.

    Attributes:
        task: one of TASKS.
        encoder: from labels to class indices, or from numbers to standardised ones, and back.
        y: class indices int64 (n,), or numbers float64 (n,), of the rows that have a value.
        rows: which rows those are.
        said: why it is this task.
    """

    def __init__(
        self, task: str, encoder: Labels | Standardizer, y: np.ndarray, rows: np.ndarray, said: str
    ) -> None:
        self.task = task
        self.encoder = encoder
        self.y = y
        self.rows = rows
        self.said = said


def read_target(frame: Frame, name: str, task: str | None) -> Target:
    """Takes the target from the table.

    Args:
        task: what the user said it is; None: its values decide.

    Raises:
        BadInput: no such column, no value, one class only, texts for numbers...
    """
    check_there(frame, name)
    check_mixed(frame, name, task)
    if task != "classification":
        frame.columns[name] = numbers_of(frame.columns[name], task)
    values, rows = present(frame, name)
    if len(rows) < LEAST_ROWS:
        raise BadInput(
            f"{frame.source}: {counted(len(rows), 'row')} with a target; expected 5 or more"
        )
    decided, said = decide(name, values, task)
    if decided == "classification":
        labels = Labels().fit(values)
        check_classes(frame.source, name, labels, len(values))
        y = labels.transform(values)
        counts = zip(labels.classes.tolist(), np.bincount(y).tolist(), strict=True)
        shown = [f"{label} {count:,}" for label, count in counts]
        return Target(decided, labels, y, rows, f"{said}: {listed(shown, shown_as=str)}")
    if values.dtype.kind == "U":
        line, cell = frame.source.first(name, is_text)
        raise BadInput(
            f"{frame.source}: line {line}, column {name!r}: {cell!r} is not a number, which "
            "regression predicts; correct it, or write --task classification"
        )
    if values.min() == values.max():
        raise BadInput(
            f"{frame.source}: column {name!r} is {values[0]:g} in every row; expected numbers that "
            "differ, or there is nothing to learn"
        )
    numbers = values.astype(float)
    return Target(decided, Standardizer(), numbers, rows, f"{said}: {spread(numbers)}")


def numbers_of(column: Column, task: str | None) -> Column:
    """Texts such as $7,440 as numbers, if more differ than classes would, or it is asked for."""
    if not isinstance(column, Texts) or (task is None and len(column.names) <= FEW):
        return column
    known = kept(column.names)
    read = parsed(column.names, decimal_mark(column.names))
    whole = len(known) and np.count_nonzero(~np.isnan(read)) == len(known)
    return read[column.codes] if whole else column


def check_there(frame: Frame, name: str) -> None:
    if name not in frame.columns:
        raise BadInput(
            f"{frame.source}: no column {name!r} to predict; {there_are(frame.columns, name)}"
        )


def there_are(columns: Iterable[str], wanted: str) -> str:
    """The names that there are; of many, those first that look most like what was wanted."""
    names = [*columns]
    near = get_close_matches(wanted, names)
    ordered = [*near, *(name for name in names if name not in near)] if len(names) > 10 else names
    return f"there are {listed(ordered, shown_as=str)}"


def check_mixed(frame: Frame, name: str, task: str | None) -> None:
    """
    Raises:
        BadInput: most of the target is numbers, but not all; or it is dates.
    """
    column = frame.columns[name]
    if task is None and isinstance(column, Texts) and look_like_dates(column.names):
        raise BadInput(
            f"{frame.source}: the target {name!r} is dates or times, which no model here predicts; "
            "predict a number, such as a year or days since a day, or write --task classification"
        )
    if task is not None or not isinstance(column, Texts):
        return
    known = kept(column.names)
    others = known[np.isnan(parsed(known, decimal_mark(known)))].tolist()
    count = dict(zip(column.names.tolist(), column.counts.tolist(), strict=True))
    rows, wrong = (sum(count[text] for text in texts) for texts in (known.tolist(), others))
    if 0 < wrong <= 0.5 * rows:
        line, cell = frame.source.first(name, {*others}.__contains__)
        raise BadInput(
            f"{frame.source}: line {line}, column {name!r}: {cell!r} is not a number, as most of "
            f"the column is; correct it, or write {option('--missing', cell)} if it means no "
            "value, or --task classification"
        )


def present(frame: Frame, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The values that there are, and their rows; whole numbers as int64.

    Raises:
        BadInput: there is none.
    """
    column: Column = frame.columns[name]
    if isinstance(column, Texts):
        rows = np.flatnonzero(column.names[column.codes] != "")
    else:
        rows = np.flatnonzero(~np.isnan(column))
    if not len(rows):
        raise BadInput(f"{frame.source}: column {name!r} has no value in any row; expected some")
    values = column[rows]
    if (
        values.dtype.kind == "f"
        and np.all(values == np.rint(values))
        and np.all(np.abs(values) < 2**53)
    ):
        values = values.astype(np.int64)
    return values, rows


def decide(name: str, values: np.ndarray, task: str | None) -> tuple[str, str]:
    """The task, and the sentence that says why."""
    count, rows = len(np.unique(values)), len(values)
    kind = "texts" if values.dtype.kind == "U" else "numbers"
    classes = kind == "texts" or (values.dtype.kind == "i" and count <= FEW and 2 * count < rows)
    decided = task or TASKS[not classes]
    why = f"{name!r} has {count:,} different {kind}"
    if task:
        return decided, f"{decided}, as --task says; {why}"
    other = f" (write --task {TASKS[classes]} if it is that)" if kind == "numbers" else ""
    return decided, f"{decided}, as {why}{other}"


def check_classes(source: Source, name: str, labels: Labels, rows: int) -> None:
    k = len(labels.classes)
    if k == 1:
        raise BadInput(
            f"{source}: column {name!r} is {labels.classes[0].item()!r} in every row, so there is "
            "nothing to learn; expected two classes or more, or numbers that differ"
        )
    if k > MOST_CLASSES or 2 * k > rows:
        raise BadInput(
            f"{source}: column {name!r} has {k:,} classes in {rows:,} rows, too many to learn; "
            "expected a few, each in many rows; for numbers write --task regression"
        )


def known_labels(frame: Frame, name: str, labels: Labels, values: np.ndarray) -> np.ndarray:
    """Labels, if a model knows them.

    Raises:
        BadInput: it does not know one.
    """
    known = set(labels.classes.tolist())
    strings = labels.classes.dtype.kind == "U"

    def is_wrong(text: str) -> bool:
        value = text if strings or not is_number(text) else float(text)
        return bool(text) and value not in known

    if strings != (values.dtype.kind == "U") or not set(np.unique(values).tolist()) <= known:
        line, cell = frame.source.first(name, is_wrong)
        raise BadInput(
            f"{frame.source}: line {line}, column {name!r}: {cell!r} is not a class that the model "
            f"was trained on: {listed(labels.classes)}"
        )
    return values


def spread(y: np.ndarray) -> str:
    return f"from {y.min():.6g} to {y.max():.6g}, mean {y.mean():.6g}"


def split(target: Target, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Places among the target's rows to train on and to hold out, each in random order.

    Of classes both parts have their share, where that is possible; a single row is trained on.

    Raises:
        BadInput: a part would be empty.
    """
    n = len(target.y)
    rng = np.random.default_rng(options.seed)
    if not options.validation:
        return np.arange(n), np.arange(0)
    alone = rare(target)
    rest = np.flatnonzero(~alone)
    y = target.y[rest]
    classes = len(np.unique(y)) if target.task == "classification" else 1
    fits = 1 < classes <= len(y) * min(options.validation, 1 - options.validation)
    try:
        train, test = train_test_split(
            rest, test_size=options.validation, stratify=y if fits else None, rng=rng
        )
    except ValueError:
        raise BadInput(
            f"--validation {options.validation}: of {counted(n, 'row')} that leaves one part empty"
        ) from None
    if alone.any():
        train = rng.permutation(np.concatenate([train, np.flatnonzero(alone)]))
    return train, test


def rare(target: Target) -> np.ndarray:
    """Which rows are the only one of their class, as a mask (n,)."""
    if target.task != "classification":
        return np.zeros(len(target.y), dtype=bool)
    alone: np.ndarray = np.bincount(target.y)[target.y] == 1
    return alone
