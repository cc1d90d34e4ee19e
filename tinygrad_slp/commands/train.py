"""tinygrad-slp train: a network trained on a table, judged, and kept in a file."""

import argparse
import re
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data import Labels, OneHot
from ..data.column import listed
from ..data.targets import Target as Kind
from ..data.texts import GAPS
from ..plot import plot_history
from ..table import as_text, counted
from ..tabular import TabularModel
from ..tabular.report import page
from ..tabular.scores import Judged, by_class, chosen, confusion, judged, left_out, scores, table
from ..tabular.settings import OPTIMIZERS
from . import BadInput, arguments, columns, model_file
from .arguments import Parser, names
from .needs import need
from .network import ACTIVATIONS, LOSSES, kind_of, learn, outline
from .reading import Column, Frame, read
from .target import TASKS, Target, check_there, rare, read_target, split, there_are


def parser() -> Parser:
    p = arguments.command(
        "train",
        "Train networks on a CSV table with a header row. The target's values decide whether it "
        "is classification or regression. Each network leaves out a part of the rows, on which "
        "it is judged; their mean is the model.",
        "tinygrad-slp train penguins.csv --target species --out model.safetensors",
    )
    p.add_argument("file", metavar="FILE.csv", help="numbers and texts; or .parquet, .xlsx")
    p.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    p.add_argument("--task", choices=TASKS, help="what to do, if the values should not decide")
    p.add_argument("--drop", type=names, default=[], metavar="A,B", help="columns to leave out")
    p.add_argument(
        "--categories", type=names, default=[], metavar="A,B",
        help="columns of numbers that are categories, such as a postcode",
    )  # fmt: skip
    arguments.add_reading(p)
    effort = p.add_mutually_exclusive_group()
    for preset, meaning in (("quick", "a fourth of the time"), ("thorough", "many times the time")):
        effort.add_argument(
            f"--{preset}", dest="preset", action="store_const", const=preset, default="default",
            help=f"{meaning}, {'less' if preset == 'quick' else 'a little more'} exact",
        )  # fmt: skip
    p.add_argument("--members", type=int, metavar="N", help="networks; default 8, or 4 if large")
    p.add_argument(
        "--hidden", type=sizes, metavar="128,128",
        help="sizes of the hidden layers; 0: none; default 128,128",
    )  # fmt: skip
    p.add_argument("--activation", choices=ACTIVATIONS, help="default relu")
    p.add_argument("--dropout", type=float, metavar="P", help="default 0.1")
    p.add_argument("--loss", choices=LOSSES, help="default cross-entropy, or mse")
    p.add_argument("--class-weight", choices=("balanced",), help="count rare classes for more")
    p.add_argument("--order", type=names, metavar="A,B,C", help="of classes, lowest first")
    p.add_argument("--quantiles", type=levels, metavar="0.1,0.5,0.9", help="predict these instead")
    p.add_argument("--interval", type=float, metavar="0.9", help="say how wide such intervals are")
    p.add_argument("--optimizer", choices=OPTIMIZERS, help="default adamw")
    p.add_argument("--lr", type=float, metavar="RATE", help="default: as suits the optimizer")
    arguments.add_training(p, epochs=None)
    p.add_argument("--batch", type=int, metavar="N", help="default: by the number of rows")
    p.add_argument(
        "--validation", type=float, default=0.0, metavar="SHARE",
        help="of the rows, which are held out and only judged on; default 0",
    )  # fmt: skip
    p.add_argument(
        "--early-stopping", type=int, metavar="N",
        help="end after N epochs without a better loss; default 20, or more",
    )  # fmt: skip
    p.add_argument("--out", metavar="FILE.safetensors", help="keep the model")
    p.add_argument(
        "--report", metavar="FILE.html", help="everything about the training, in one file"
    )
    return p


def levels(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def sizes(text: str) -> list[int]:
    parts = [] if text.strip() in ("", "0", "none") else text.split(",")
    found = [int(part) for part in parts]
    if any(size < 1 for size in found):
        raise ValueError
    return found


def check(options: argparse.Namespace) -> None:
    """Refuses what cannot work before any work is done.

    Raises:
        BadInput: in one line.
    """
    arguments.check_training(options)
    if not 0 <= options.validation < 1:
        raise BadInput(f"--validation should be from 0 to below 1, got {options.validation}")
    for name in ("dropout", "interval"):
        value = getattr(options, name)
        if value is not None and not 0 <= value < 1:
            raise BadInput(f"--{name} should be from 0 to below 1, got {value}")
    if options.members is not None and options.members < 2:
        raise BadInput(f"--members should be 2 or more, got {options.members}")
    if options.target in options.drop:
        raise BadInput(f"--drop {options.target}: that is the target")
    if options.out:
        need("safetensors", "--out", "io")
    arguments.check_output("--out", options.out, (".safetensors",))
    arguments.check_output("--report", options.report, (".html", ".htm"))
    arguments.check_apart("--out", options.out, options.file)
    arguments.check_apart("--report", options.report, options.file)


def run(options: argparse.Namespace) -> None:
    check(options)
    data = prepared(options)
    model = learn(data.of(data.train), data.y[data.train], data.kind, options)
    model.facts["reading"] = {"missing": options.missing or [], "named": options.named}
    print(outline(model))
    rows = judged_rows(model, data)
    notes = [*data.notes, *worth_knowing(model, options)]
    tell(model, rows, notes[len(data.notes) :])
    keep(model, options)
    if options.plot:
        with arguments.writing(options.plot):
            plot_history(model.history, path=options.plot)
    if options.report:
        text = page(model, options.file, data.said, notes, rows)
        arguments.write(options.report, text.encode())


# --- the table ---


class Data(NamedTuple):
    """A table, ready to be learned from.

    Attributes:
        columns: what is learned from, by name.
        y: labels or numbers of the rows that have any, (n,).
        rows: which rows of the table those are.
        train, test: places in these.
        said: what the target was taken for.
        notes: what its owner should know.
    """

    columns: dict[str, Column]
    y: np.ndarray
    rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    kind: Kind
    said: str
    notes: list[str]

    def of(self, places: np.ndarray) -> dict[str, Any]:
        rows = self.rows[places]
        if np.array_equal(rows, np.arange(len(next(iter(self.columns.values()))))):
            return {name: x[:] for name, x in self.columns.items()}  # not copied
        return {name: x[rows] for name, x in self.columns.items()}


def prepared(options: argparse.Namespace) -> Data:
    """Reads the table, and says what it is taken for.

    Raises:
        BadInput: in one line.
    """
    source = arguments.source(options)
    frame = read(source, texts=options.categories, without=options.drop)
    check_names(frame, options)
    target = read_target(frame, options.target, options.task)
    kind = kind_of(options, target)
    features, found = columns.features(frame, options.target, options.categories)
    train, test = split(target, options)
    notes = [*source.notes(), *not_learned_from(frame, target, options), *found]
    print(
        f"{source}: {counted(len(frame), 'row')}, {counted(len(features), 'column')} to learn from"
    )
    print(f"  {target.said}")
    for note in notes:
        print(f"  {note}")
    held_out = f"{len(test):,} held out" if len(test) else "each left out once"
    print(f"  {len(train):,} rows to train on, {held_out}\n")
    y = target.y
    if isinstance(target.encoder, Labels):
        y = target.encoder.inverse_transform(y)
    return Data(features, y, target.rows, train, test, kind, target.said, notes)


def check_names(frame: Frame, options: argparse.Namespace) -> None:
    header = frame.source.header()
    for option, given in (("--drop", options.drop), ("--categories", options.categories)):
        for name in given:
            if name not in header:
                comma = [column for column in header if name in re.split(r", ?", column)]
                raise BadInput(
                    f"{option} {name}: {frame.source} has no such column; "
                    + (f"for {comma[0]!r} write {columns.option(option, comma[0])}" if comma
                       else there_are(header, name))
                )  # fmt: skip
    check_there(frame, options.target)


def not_learned_from(frame: Frame, target: Target, options: argparse.Namespace) -> list[str]:
    """What became of rows and columns that are not learned from."""
    notes = [f"{name}: left out, as --drop says" for name in options.drop]
    if missing := len(frame) - len(target.rows):
        notes.append(f"{counted(missing, 'row')} without a value of {options.target!r}: left out")
    classes = target.encoder.classes.tolist() if isinstance(target.encoder, Labels) else []
    notes += [
        f"{text!r} is taken for a class; if it means no value, write "
        + columns.option("--missing", text)
        for text in classes
        if str(text).lower() in GAPS
    ]
    if (alone := rare(target)).any() and options.validation:
        labels = listed(target.encoder.inverse_transform(target.y[alone]))
        notes.append(f"classes with one row, which is used for training: {labels}")
    return notes


# --- the result ---


def judged_rows(model: TabularModel, data: Data) -> Judged:
    """(name, truth, prediction): of rows left out, by the model and by less; and of those held out.

    Raises:
        BadInput: a prediction is not a number: the training diverged.
    """

    rows = [*left_out(model)]
    if len(data.test):
        found = model.scores(data.of(data.test))
        rows += judged(model, "model, held out", data.y[data.test], found)
    if not all(np.isfinite(p).all() for *_, p in rows):
        raise BadInput("the training diverged: it predicts NaN or infinity; try a smaller --lr")
    return rows


CLEARLY = 2.0
"""So many standard errors are no chance."""


def worth_knowing(model: TabularModel, options: argparse.Namespace) -> list[str]:
    """What to know of the result."""
    notes = list(model.facts["notes"])
    if model.share == 1:
        notes.append("networks were no better than straight lines, which are what is saved")
    if model.facts["gain"] < CLEARLY:
        notes.append(
            "nothing was learned for sure: the model is not clearly better than the baseline, "
            "which is the same for all rows"
        )
    if options.interval:
        ends = model.interval(pick(model), options.interval)
        notes.append(
            f"{options.interval:.0%} of new rows are within ±{(ends[0, 1] - ends[0, 0]) / 2:.5g} "
            "of the prediction"
        )
    return notes


def pick(model: TabularModel) -> dict[str, Any]:
    """One row of nothing but missing values, as a table."""
    return {
        name: np.array([""]) if isinstance(part, OneHot) else np.array([np.nan])
        for name, part in model.columns.columns.items()
    }


def tell(model: TabularModel, rows: Judged, notes: list[str]) -> None:
    """Prints how good it is."""
    assert model.history is not None
    if model.history.stopped:
        print(f"stopped: {model.history.stopped}")
    for note in notes:
        print(f"  {note}")
    print("\nHow good it is, on rows left out")
    print(as_text(table([(name, scores(y, p)) for name, y, p in rows]), before="  "))
    if model.classes is not None:
        _, y, p = chosen(rows)[0]
        print("\nClass by class")
        print(as_text(by_class(y, p, model.classes), before="  "))
        print("\nConfusion matrix")
        print(confusion(y, p, model.classes))


def keep(model: TabularModel, options: argparse.Namespace) -> None:
    print()
    if options.out:
        model_file.save(model, options.out)
        out = shlex.quote(options.out)
        print(f"wrote {options.out}; now: tinygrad-slp predict {out} NEW.csv")
    else:
        print("the model was not saved; to save it, write --out model.safetensors")


def main(argv: Sequence[str]) -> None:
    run(parser().parse_args(argv))
