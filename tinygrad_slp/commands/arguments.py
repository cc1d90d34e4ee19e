"""What the commands share in reading their arguments, and in refusing them before any work."""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from textwrap import fill
from typing import NoReturn

from ..jit import BACKENDS
from ..saving import write_whole
from . import BadInput
from .csv_source import Source
from .needs import need


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def command(name: str, description: str, example: str) -> Parser:
    return Parser(
        prog=f"tinygrad-slp {name}",
        description=fill(description, 79),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_reading(p: Parser) -> None:
    """The options of how a table is read."""
    p.add_argument(
        "--separator", default=",", metavar="MARK", help="between the cells: ';' or tab; default ,"
    )
    p.add_argument(
        "--encoding", metavar="NAME", help="of the table; default: UTF-8, UTF-16 or Windows-1252"
    )
    p.add_argument("--missing", type=names, metavar="A,B", help="texts that mean a missing value")
    p.add_argument(
        "--no-header", dest="named", action="store_false", help="the columns are named 1, 2, ..."
    )


def names(text: str) -> list[str]:
    """Of columns; one with a comma in it needs quotes, as in a table."""
    try:
        found = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise ValueError from error
    return [name.strip() for name in found if name]


def add_unknown(p: Parser) -> None:
    p.add_argument(
        "--unknown", choices=("error", "ignore"), default="error",
        help="a category that was not there in training is an error, or none of those known",
    )  # fmt: skip


def add_training(p: Parser, epochs: int | None) -> None:
    """The options that all trainings have."""
    usual = "by the number of rows" if epochs is None else epochs
    p.add_argument("--epochs", type=int, default=epochs, metavar="N", help=f"default: {usual}")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers")
    p.add_argument(
        "--backend", choices=(*BACKENDS, "eager"), default="auto",
        help="native code, NumPy, or not compiled; default auto",
    )  # fmt: skip
    p.add_argument("--plot", metavar="FILE.png", help="a picture of the training")


def check_training(options: argparse.Namespace) -> None:
    """Refuses what no training can work with before any work is done.

    Raises:
        BadInput: in one line.
    """
    for name, least in (("epochs", 1), ("batch", 1), ("early_stopping", 1), ("seed", 0)):
        value = getattr(options, name, None)
        if value is not None and value < least:
            option = name.replace("_", "-")
            raise BadInput(f"--{option} should be {least} or more, got {value}")
    if options.lr is not None and not 0 < options.lr < float("inf"):
        raise BadInput(f"--lr should be a number above 0, got {options.lr}")
    if options.backend == "llvm":
        need("llvmlite", "--backend llvm", "jit")
    if options.plot:
        need("matplotlib", "--plot", "plot")
    check_output("--plot", options.plot, (".png", ".svg", ".pdf"))
    check_apart("--plot", options.plot, options.file)


def source(options: argparse.Namespace) -> Source:
    """The table that the arguments name.

    Raises:
        BadInput: the separator is not one character.
    """
    mark = {"tab": "\t", "\\t": "\t"}.get(options.separator, options.separator)
    if len(mark) != 1 or mark in '"\r\n':
        raise BadInput(f"--separator should be one character, or tab; got {options.separator!r}")
    return Source(options.file, mark, options.encoding, options.missing or (), options.named)


def check_output(option: str, path: str | None, endings: Sequence[str] = ()) -> None:
    """
    Raises:
        BadInput: no file can be written there, or its name should end otherwise.
    """
    if path is None:
        return
    if endings and Path(path).suffix.lower() not in endings:
        raise BadInput(f"{option} {path}: the name should end in {' or '.join(endings)}")
    folder = Path(path).resolve().parent
    if Path(path).is_dir():
        raise BadInput(f"{option} {path}: a directory; expected the name of a file")
    if Path(path).exists() and not Path(path).is_file():
        raise BadInput(f"{option} {path}: a device or a pipe; expected the name of a file")
    if not folder.is_dir():
        raise BadInput(f"{option} {path}: there is no directory {folder}; make it first")
    if Path(path).exists() and not os.access(path, os.W_OK):
        raise BadInput(f"{option} {path}: no permission to write to it; give another name")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(
            f"{option} {path}: no file can be made there: {error.strerror}; choose another folder"
        ) from None


def check_apart(option: str, path: str | None, *others: str | None) -> None:
    """
    Raises:
        BadInput: an output is the same file as another one, which it would replace.
    """
    for other in others:
        if path and other and Path(path).resolve() == Path(other).resolve():
            raise BadInput(f"{option} {path}: would replace {other}; give another name")


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Within it a file is written, whole or not at all, which is said.

    Raises:
        BadInput: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: cannot write it: {error.strerror}") from None
    print(f"wrote {path}")


def write(path: str, data: bytes) -> None:
    with writing(path):
        write_whole(path, data)
