"""A CSV file, and the line in it where something is wrong, which Python's csv module counts."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from shutil import copyfileobj
from stat import S_ISFIFO, S_ISREG
from tempfile import mkstemp
from typing import IO
from weakref import finalize

from . import BadInput

SEPARATORS = ";\t|"
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null")
"""Cells that mean a missing value; "none" does not, as it is a class in many tables."""

UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins


class Source:
    """A CSV file of the user's, and what separates its cells; as a string, its name."""

    def __init__(self, path: str, separator: str = ",") -> None:
        self.path = path
        self.separator = separator

    def __str__(self) -> str:
        return self.path

    @cached_property
    def file(self) -> str:
        """What is read, more than once: the file, or a copy of what came out of a pipe.

        Raises:
            BadInput: it cannot be read, is a device, or a pipe that nothing is written into.
        """
        with opened(self.path):
            mode = os.stat(self.path).st_mode
            if S_ISREG(mode):
                return self.path
            opener = at_once if S_ISFIFO(mode) else None
            # Without a buffer, which would ask a terminal again after Ctrl-D.
            with open(self.path, "rb", buffering=0, opener=opener) as pipe:
                if not opener and not pipe.isatty():
                    raise BadInput(f"{self}: a device; expected a CSV file")
                copy = self.copied(pipe)
        if not os.path.getsize(copy):
            raise BadInput(
                f"{self}: a pipe that no program writes to; first start the program that writes "
                "the CSV file"
            )
        return copy

    def copied(self, pipe: IO[bytes]) -> str:
        """The name of a file with all that comes out of a pipe, there as long as this object."""
        handle, copy = mkstemp()
        finalize(self, os.unlink, copy)
        with open(handle, "wb") as file:
            copyfileobj(pipe, file)
        return copy

    def header(self) -> list[str]:
        """The names of the columns.

        Raises:
            BadInput: there is no such file, no header, or names that are empty or the same.
        """
        _, header = next(self.rows(), (0, []))
        if not header:
            raise BadInput(f"{self}: the file is empty; expected a header row and rows of data")
        other = [mark for mark in f",{SEPARATORS}" if mark != self.separator and mark in header[0]]
        if len(header) == 1 and other:
            shown = "tab" if other[0] == "\t" else other[0]
            raise BadInput(
                f"{self}: line 1: one column only, {header[0][:60]!r}; if {shown!r} separates the "
                f"columns, write --separator '{shown}'"
            )
        check_header(self.path, header)
        return header

    def most_rows(self) -> int:
        """At most so many rows it has: as many as there are lines."""
        with opened(self.path), open(self.file, "rb") as file:
            blocks = iter(lambda: file.read(2**20), b"")
            ends = []
            for block in blocks:
                if b"\0" in block:
                    raise BadInput(f"{self}: contains null bytes; expected a text file")
                ends.append(max(block.count(b"\n"), block.count(b"\r")))
        return sum(ends) + 1

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its (last) line; lines without anything are left out."""
        try:
            with (
                opened(self.path),
                open(self.file, encoding="utf-8-sig", newline="") as file,
            ):
                reader = csv.reader(file, delimiter=self.separator, skipinitialspace=True)
                for row in reader:
                    cells = [cell.strip() for cell in row]
                    if cells not in ([], [""]):
                        yield reader.line_num, cells
        except UnicodeDecodeError:
            raise self.not_utf8() from None
        except csv.Error as error:
            raise BadInput(f"{self}: not a CSV file: {error}") from None

    def check_lengths(self) -> None:
        """
        Raises:
            BadInput: a row has more or fewer cells than the header.
        """
        rows = self.rows()
        _, header = next(rows)
        for line, cells in rows:
            if len(cells) != len(header):
                raise BadInput(
                    f"{self}: line {line}: {len(cells)} cells, the header has {len(header)}; "
                    "a cell that holds the separator needs quotes around it"
                )

    def first(self, column: str, wrong: Callable[[str], bool]) -> tuple[int, str]:
        """The line and the text of the first cell of a column that is wrong."""
        rows = self.rows()
        _, header = next(rows)
        at = header.index(column)
        cells = ((line, tidy(row[at])) for line, row in rows)
        return next(((line, cell) for line, cell in cells if wrong(cell)), (0, ""))

    def not_utf8(self) -> BadInput:
        """The error that says where the file is not UTF-8."""
        with open(self.file, "rb") as file:
            start = file.read(2)
            file.seek(0)
            if start == b"PK":
                return BadInput(
                    f"{self}: a spreadsheet or an archive, not a CSV file; export it as CSV"
                )
            if b"\0" in file.read(1024) and start not in UTF16:
                return BadInput(f"{self}: not a text file; expected a CSV file")
            file.seek(0)
            line = next((k for k, text in enumerate(file, 1) if not is_utf8(text)), 0)
        encoding = "UTF-16" if start in UTF16 else "LATIN1"
        return BadInput(
            f"{self}: line {line}: not UTF-8 text; save it as UTF-8, or try "
            f"iconv -f {encoding} -t UTF-8 {self} > utf8.csv"
        )


def check_header(path: str, header: list[str]) -> None:
    """Refuses columns that cannot be told by name.

    Raises:
        BadInput: a name that is empty or there twice.
    """
    for name in header:
        if not name:
            raise BadInput(f"{path}: line 1: a column without a name; give it one")
        if header.count(name) > 1:
            raise BadInput(
                f"{path}: line 1: {header.count(name)} columns named {name!r}; rename one"
            )


@contextmanager
def opened(path: str) -> Iterator[None]:
    """Within it, errors of the system become one line."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; expected a CSV file") from None


def at_once(path: str, flags: int) -> int:
    """Opens a pipe without waiting for a writer; one that was there first is waited for later."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle


def tidy(text: str) -> str:
    """A cell as it is compared; pandas takes every spelling of True for the same, so do we."""
    text = text.strip()
    if text in MISSING:
        return ""
    return text.lower() if text.lower() in ("true", "false") else text


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_number(text: str) -> bool:
    """Whether a cell is written as a finite number."""
    try:
        value = float(text)
    except ValueError:
        return False
    return abs(value) < float("inf") and "_" not in text


def is_infinite(text: str) -> bool:
    try:
        return abs(float(text)) == float("inf")
    except ValueError:
        return False
