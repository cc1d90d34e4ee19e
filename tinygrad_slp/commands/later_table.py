"""A later table, for a model that was trained on another one: their columns have to agree."""

import argparse
from collections.abc import Mapping

import numpy as np

from ..data import Dates, Encoder, NumberTexts, OneHot, RobustScaler, TableEncoder
from ..data.column import listed
from ..data.texts import kept, unread
from ..tabular import TabularModel
from . import BadInput
from .columns import FAR, is_text
from .csv_source import Source
from .encoding import check_near
from .reading import Column, Frame, Texts, read
from .target import there_are


def table_of(
    source: Source, trained: TabularModel, options: argparse.Namespace
) -> tuple[Frame, dict[str, Column]]:
    """A table, and those of its columns that a model knows.

    Raises:
        BadInput: it does not fit.
    """
    reading = trained.facts.get("reading", {})
    if options.missing is None:
        source.missing = reading.get("missing", [])
    source.named &= reading.get("named", True)
    encoders = trained.columns.columns
    texts = {name for name, encoder in encoders.items() if not isinstance(encoder, RobustScaler)}
    if trained.classes is not None and trained.classes.dtype.kind == "U":
        texts.add(trained.name)
    frame = read(source, texts)
    known = known_columns(frame, trained.columns, options.unknown == "ignore")
    for name, part in encoders.items():
        values = known[name]
        if isinstance(part, RobustScaler) and part.scale and isinstance(values, np.ndarray):
            check_near(source, name, values, part.center, FAR / part.scale)
    return frame, known


def imputed(encoder: TableEncoder, known: Mapping[str, Column]) -> list[str]:
    """What was put in the place of missing numbers and dates."""
    notes = []
    for name, part in encoder.columns.items():
        values, middle, others = known[name], "", ""
        if isinstance(part, RobustScaler) and isinstance(values, np.ndarray):
            count, middle = int(np.isnan(values).sum()), f" {part.center:.6g}"
        elif isinstance(part, NumberTexts | Dates) and isinstance(values, Texts):
            read = part.numbers(values.names)
            count = int(values.counts[np.isnan(read)].sum())
            if isinstance(part, NumberTexts):
                middle = f" {part.scaler.center:.6g}"
            else:
                others = unread(values.names, read)
        else:
            continue
        if count:
            more = f"; no dates: {others}" if others else ""
            notes.append(
                f"{name}: {count:,} missing, replaced by the median{middle} in training{more}"
            )
    return notes


def known_columns(frame: Frame, encoder: TableEncoder, ignore: bool) -> dict[str, Column]:
    """The columns that an encoder knows, of the kinds that it knows them to be.

    Args:
        ignore: take unknown categories for none of those known.

    Raises:
        BadInput: a column that is missing or of another kind; an unknown category.
    """
    if absent := [name for name in encoder.columns if name not in frame.columns]:
        raise BadInput(
            f"{frame.source}: no column{'s' * (len(absent) > 1)} {listed(absent)}, which the model "
            f"was trained on; {there_are(frame.columns, absent[0])}"
        )
    for name, part in encoder.columns.items():
        values = frame.columns[name]
        if isinstance(part, OneHot) and isinstance(values, Texts):
            part.handle_unknown = "ignore" if ignore else "error"
            if not ignore:
                check_known(frame, name, values, part)
        elif isinstance(values, Texts) and (wrong := no_numbers(values, part)):
            line, cell = frame.source.first(name, wrong.__contains__)
            raise BadInput(
                f"{frame.source}: line {line}, column {name!r}: {cell!r} is not a number, as in "
                "the table the model was trained on; correct it, or leave it empty"
            )
    return {name: frame.columns[name] for name in encoder.columns}


def no_numbers(values: Texts, part: Encoder) -> set[str]:
    """The texts among numbers, but for those that stand for a missing one."""
    if isinstance(part, RobustScaler):
        return {text for text in values.names.tolist() if is_text(text)}
    if isinstance(part, NumberTexts):
        known = kept(values.names)
        return {*known[np.isnan(part.numbers(known))].tolist()}
    return set()


def check_known(frame: Frame, name: str, values: Texts, part: OneHot) -> None:
    known = set(part.categories.tolist())
    unknown = {text for text in values.names.tolist() if text not in known}
    if not unknown:
        return
    line, cell = frame.source.first(name, unknown.__contains__)
    what = f"{cell!r} is a category" if cell else "the cell is empty, which is a category"
    raise BadInput(
        f"{frame.source}: line {line}, column {name!r}: {what} that was not there in training; "
        f"known are {listed(part.categories)}; correct it, or write --unknown ignore"
    )
