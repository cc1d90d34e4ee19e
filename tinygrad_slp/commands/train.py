"""tinygrad-slp train: a network trained on a table, judged, and kept in a file."""

import argparse
import csv
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data import TableEncoder
from ..data.column import listed
from ..plot import plot_history
from ..table import as_text, counted
from ..train import History
from . import BadInput, arguments, columns, report
from .arguments import Parser
from .encoding import check_range, fitted, inputs
from .model_file import Trained
from .network import ACTIVATIONS, LOSSES, OPTIMIZERS, chosen_loss, judged, learn, make, outline
from .reading import Frame, read
from .report import Judged
from .scores import confusion, scores, table
from .target import TASKS, Target, check_there, rare, read_target, split


def parser() -> Parser:
    p = arguments.command(
        "train",
        "Train a network on a CSV table with a header row. The target's values decide whether it "
        "is classification or regression.",
        "tinygrad-slp train penguins.csv --target species --out model.safetensors",
    )
    p.add_argument("file", metavar="FILE.csv", help="numbers and categories, with a header row")
    p.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    p.add_argument("--task", choices=TASKS, help="what to do, if the values should not decide")
    p.add_argument("--drop", type=names, default=[], metavar="A,B", help="columns to leave out")
    p.add_argument(
        "--categories", type=names, default=[], metavar="A,B",
        help="columns of numbers that are categories, such as a postcode",
    )  # fmt: skip
    arguments.add_separator(p)
    p.add_argument(
        "--hidden", type=sizes, default=[32, 16], metavar="32,16",
        help="sizes of the hidden layers; 0: none; default 32,16",
    )  # fmt: skip
    p.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="default relu")
    p.add_argument("--loss", choices=LOSSES, help="default cross-entropy, or mse")
    p.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="default adam")
    p.add_argument("--lr", type=float, metavar="RATE", help="default: as suits the optimizer")
    arguments.add_training(p, epochs=100)
    p.add_argument("--batch", type=int, metavar="N", help="default 32; 256 from 10,000 rows on")
    p.add_argument(
        "--validation", type=float, default=0.2, metavar="SHARE",
        help="of the rows, which are held out and not trained on; default 0.2",
    )  # fmt: skip
    p.add_argument(
        "--early-stopping", type=int, nargs="?", const=10, metavar="N",
        help="end after N epochs (10) without a better held-out loss, with the best weights",
    )  # fmt: skip
    p.add_argument("--out", metavar="FILE.safetensors", help="keep the model")
    p.add_argument(
        "--report", metavar="FILE.html", help="everything about the training, in one file"
    )
    return p


def names(text: str) -> list[str]:
    """Of columns; one with a comma in it needs quotes, as in a table."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name]


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
    if options.early_stopping and not options.validation:
        raise BadInput("--early-stopping needs held-out rows: write --validation 0.2")
    if options.target in options.drop:
        raise BadInput(f"--drop {options.target}: that is the target")
    if options.out:
        arguments.need("safetensors", "--out", "io")
    arguments.check_output("--out", options.out, (".safetensors",))
    arguments.check_output("--report", options.report, (".html", ".htm"))
    arguments.check_apart("--out", options.out, options.file)
    arguments.check_apart("--report", options.report, options.file)


def run(options: argparse.Namespace) -> None:
    check(options)
    data = prepared(options)
    trained = make(options, data.encoder, data.target, data.y[: data.n])
    print(outline(trained.model, data.X.shape[1], options))
    history = learn(trained, data.X, data.y, data.n, data.loss, options)
    rows = judged(trained, data.X, data.y, data.n)
    tell(trained, rows)
    if note := of_the_epochs(history, options):
        data.notes.append(note)
        print(f"\n  {note}")
    keep(trained, options)
    if options.plot:
        with arguments.writing(options.plot):
            plot_history(history, path=options.plot)
    if options.report:
        page = report.page(
            trained, options, data.target.said, data.notes, data.summary, history, rows
        )
        arguments.write(options.report, page.encode())


# --- the table ---


class Data(NamedTuple):
    """A table, ready to be learned from.

    Attributes:
        X, y: inputs (N, d) and targets (N,); the first n rows are to train on.
        notes: what its owner should know.
        summary: a line for each column, for the report.
    """

    X: np.ndarray
    y: np.ndarray
    n: int
    encoder: TableEncoder
    target: Target
    loss: Callable[..., Any]
    notes: list[str]
    summary: list[list[str]]


def prepared(options: argparse.Namespace) -> Data:
    """Reads the table, and says what it is taken for.

    Raises:
        BadInput: in one line.
    """
    source = arguments.source(options)
    frame = read(source, texts=options.categories, without=options.drop)
    check_names(frame, options)
    target = read_target(frame, options.target, options.task)
    loss = chosen_loss(options, target)
    features, found = columns.features(frame, options.target, options.categories)
    train, test = split(target, options)
    encoder = fitted(features, target.rows[train], target.rows)
    check_range(source, encoder, features)
    notes = [*left_out(frame, target, options), *found, *encoder.notes()]

    print(
        f"{source}: {counted(len(frame), 'row')}, {counted(len(features), 'column')} to learn from"
    )
    print(f"  {target.said}")
    for note in notes:
        print(f"  {note}")
    held_out = f"{len(test):,} held out" if len(test) else "none held out"
    print(f"  {len(train):,} rows to train on, {held_out}\n")
    order = np.concatenate([train, test])
    X = inputs(encoder, features, target.rows[order])
    summary = report.describe(encoder)
    return Data(X, target.y[order], len(train), encoder, target, loss, notes, summary)


def check_names(frame: Frame, options: argparse.Namespace) -> None:
    header = frame.source.header()
    for option, given in (("--drop", options.drop), ("--categories", options.categories)):
        for name in given:
            if name not in header:
                raise BadInput(
                    f"{option} {name}: {frame.source} has no such column; "
                    f"there are {', '.join(header)}"
                )
    check_there(frame, options.target)


def left_out(frame: Frame, target: Target, options: argparse.Namespace) -> list[str]:
    """What became of rows and columns that are not learned from."""
    notes = [f"{name}: left out, as --drop says" for name in options.drop]
    if missing := len(frame) - len(target.rows):
        notes.append(f"{counted(missing, 'row')} without a value of {options.target!r}: left out")
    if (alone := rare(target)).any() and options.validation:
        labels = listed(target.encoder.inverse_transform(target.y[alone]))
        notes.append(f"classes with one row, which is used for training: {labels}")
    return notes


# --- the result ---


def tell(trained: Trained, rows: Judged) -> None:
    """Prints how good it is."""
    print("\nHow good it is")
    print(as_text(table([(name, scores(y, p)) for name, y, p in rows]), before="  "))
    if trained.labels is not None:
        name, y, p = rows[-1]
        print(f"\nConfusion matrix, {name}")
        print(confusion(y, p, trained.labels))


CLEARLY = 1.1
"""So many times its least value a held-out loss is clearly above it."""


def of_the_epochs(history: History, options: argparse.Namespace) -> str:
    """What to know of the epoch whose weights are kept; empty if that is nothing."""
    if options.early_stopping:
        return "the held-out rows also chose the best epoch, so expect slightly worse on new rows"
    best, last = (row.get("val_loss", 0.0) for row in (history.best, history.epochs[-1]))
    if last <= CLEARLY * best:
        return ""
    return (
        f"the held-out loss was lowest after epoch {history.best['epoch']}, {best:.4g}, and is "
        f"{last:.4g} now; to end with the best weights, write --early-stopping"
    )


def keep(trained: Trained, options: argparse.Namespace) -> None:
    print()
    if options.out:
        trained.save(options.out)
        print(f"wrote {options.out}; now: tinygrad-slp predict {options.out} NEW.csv")
    else:
        print("the model was not saved; to save it, write --out model.safetensors")


def main(argv: Sequence[str]) -> None:
    run(parser().parse_args(argv))
