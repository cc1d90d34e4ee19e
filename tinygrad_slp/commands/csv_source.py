"""A file with a table, read as CSV, and the line in it where something is wrong."""

import codecs
import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from shutil import copyfileobj
from stat import S_ISFIFO, S_ISREG
from tempfile import mkstemp
from typing import IO
from weakref import finalize
from zipfile import BadZipFile

from ..data.column import listed
from ..table import counted
from . import BadInput
from .cells import is_number, tidy
from .needs import need
from .other_files import DATE, KNOWN, READERS

SEPARATORS = ";\t|"
UNNAMED = "index"
"""What a first column without a name is called, as pandas and R write them."""

HEADERLESS = "the header is numbers; if the first row is data, write --no-header"
MOST_LETTERS = 2**31 - 1
"""In a cell; Python's csv module would refuse a long text otherwise."""

PAGES = ("<!", "<html", "<?xml", "[{", '{"')
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins


class Source:
    """A file of the user's, and what separates its cells; as a string, its name.

    Args:
        encoding: None: UTF-16 if it begins so, UTF-8 if it is that, else Windows-1252.
        missing: texts that mean a missing value, besides `MISSING`.
        named: whether the first row has the names of the columns; else they are 1, 2, ...
    """

    def __init__(
        self,
        path: str,
        separator: str = ",",
        encoding: str | None = None,
        missing: Iterable[str] = (),
        named: bool = True,
    ) -> None:
        self.path = path
        self.separator = separator
        self.suffix = Path(path).suffix.lower()
        self.given = None if self.suffix in READERS else encoding
        self.said: list[str] = []
        self.missing = list(missing)
        self.named = named

    def __str__(self) -> str:
        return self.path

    @cached_property
    def file(self) -> str:
        """What is read, more than once: the file, or a copy as CSV of another kind of file, or of
        what came out of a pipe.

        Raises:
            BadInput: it cannot be read, is a device, or a pipe that nothing is written into.
        """
        if self.suffix in READERS:
            return self.converted()
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
        copy = self.new_file()
        with open(copy, "wb") as file:
            copyfileobj(pipe, file)
        return copy

    def converted(self) -> str:
        """
        Raises:
            BadInput: a library is missing, or cannot read the file.
        """
        package, read = READERS[self.suffix]
        need("pandas", "reading tables", "cli")
        need(package, f"reading {self.suffix}", "data")
        try:
            with opened(self.path), open(self.path, "rb"):
                frame, self.said = read(self.path)
        except (ValueError, LookupError, BadZipFile) as error:
            raise BadInput(f"{self}: cannot be read as {self.suffix}: {str(error)[:200]}") from None
        copy = self.new_file()
        # A spreadsheet is read without a header: a title may be above it.
        header = self.suffix == ".parquet"
        frame.to_csv(copy, sep=self.separator, index=False, header=header, date_format=DATE)
        return copy

    def new_file(self) -> str:
        """The name of an empty file, there as long as this object."""
        handle, name = mkstemp()
        os.close(handle)
        finalize(self, os.unlink, name)
        return name

    @cached_property
    def encoding(self) -> str:
        """
        Raises:
            BadInput: it is no text, or Python knows no such encoding.
        """
        if self.given is not None:
            return known_encoding(self.given)
        with opened(self.path), open(self.file, "rb") as file:
            start = file.read(2)
            file.seek(0)
            if start in UTF16:
                return "utf-16"
            lines = all(is_utf8(line) for line in file)
            file.seek(0)
            if lines:
                return "utf-8-sig"
            if start in KNOWN or b"\0" in file.read(1024):
                raise self.not_text(start)
        return "cp1252"

    @cached_property
    def above(self) -> int:
        """How many lines above the header hold a title or comments: one cell, where a header of
        more cells comes within ten rows."""
        start: list[tuple[int, list[str]]] = [*islice(self.all_rows(), 10)]
        for (before, _), (_, cells) in zip([(0, []), *start], start, strict=False):
            marked = any(mark in cells[0] for mark in f",{SEPARATORS}")
            filled = [cell for cell in cells if cell]
            if len(filled) > 1 and not cells[0].startswith("#"):
                return before
            if marked:
                break
        return 0

    def notes(self) -> list[str]:
        """What was done to read it, line by line."""
        lines = f"the first {counted(self.above, 'line')} above the header"
        pairs = zip(self.header(), next(self.rows())[1], strict=True)
        nameless = [name for name, given in pairs if not given]
        return [
            *self.of_encoding(),
            *self.said,
            *([f"{lines}: left out"] if self.above else []),
            *([f"no header row: the columns are named 1 to {len(self.header())}"]
              if not self.named else []),
            *([f"no name in the header: {listed(nameless)}"] if nameless else []),
            *([HEADERLESS] if self.named and all(map(is_number, self.header())) else []),
        ]  # fmt: skip

    def of_encoding(self) -> list[str]:
        if self.given is not None or self.encoding == "utf-8-sig":
            return []
        shown = {"utf-16": "UTF-16", "cp1252": "Windows-1252, as it is not UTF-8"}[self.encoding]
        return [f"read as {shown}; for another encoding write --encoding NAME"]

    def header(self) -> list[str]:
        """The names of the columns.

        Raises:
            BadInput: there is no such file, no header, or names that are the same.
        """
        line, header = next(self.rows(), (0, []))
        if not header:
            raise BadInput(f"{self}: the file is empty; expected a header row and rows of data")
        if not self.named:
            return header
        other = [mark for mark in f",{SEPARATORS}" if mark != self.separator and mark in header[0]]
        if len(header) == 1 and other:
            shown = "tab" if other[0] == "\t" else other[0]
            raise BadInput(
                f"{self}: line {line}: one column only, {header[0][:60]!r}; if {shown!r} separates "
                f"the columns, write --separator '{shown}'"
            )
        header = [" ".join(name.splitlines()) for name in header]  # Excel breaks lines in names
        header = [name or (f"column {k + 1}" if k else UNNAMED) for k, name in enumerate(header)]
        check_header(f"{self}: line {line}", header)
        return header

    def most_rows(self) -> int:
        """At most so many rows it has: as many as there are lines."""
        with opened(self.path), open(self.file, "rb") as file:
            blocks = iter(lambda: file.read(2**20), b"")
            ends = []
            for block in blocks:
                if b"\0" in block and self.encoding != "utf-16":
                    raise BadInput(f"{self}: contains null bytes; expected a text file")
                ends.append(max(block.count(b"\n"), block.count(b"\r")))
        return sum(ends) + 1

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row from the header on, with the number of its (last) line."""
        found = ((line, cells) for line, cells in self.all_rows() if line > self.above)
        if self.named or not (first := [*islice(found, 1)]):
            return found
        ((_, cells),) = first
        return chain([(0, [str(k + 1) for k in range(len(cells))])], first, found)

    def all_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of its (last) line; lines without anything are left out."""
        csv.field_size_limit(MOST_LETTERS)
        try:
            with (
                opened(self.path),
                open(self.file, encoding=self.encoding, newline="") as file,
            ):
                reader = csv.reader(file, delimiter=self.separator, skipinitialspace=True)
                for row in reader:
                    cells = [cell.strip() for cell in row]
                    if cells not in ([], [""]):
                        yield reader.line_num, cells
        except UnicodeDecodeError:
            raise self.not_decoded() from None
        except csv.Error as error:
            raise BadInput(f"{self}: not a CSV file: {error}") from None

    def check_lengths(self) -> None:
        """
        Raises:
            BadInput: a row has more or fewer cells than the header.
        """
        rows = self.rows()
        before, header = next(rows)
        for line, cells in rows:
            if len(cells) != len(header):
                advice = (
                    f"a quote that opens in line {before + 1} should close there"
                    if any("\n" in cell for cell in cells)
                    else "a missing value needs its separators too, as in 1,,3"
                    if len(cells) < len(header)
                    else "a cell that holds the separator needs quotes around it"
                )
                raise BadInput(
                    f"{self}: line {line}: {len(cells)} cells, the header has {len(header)}; "
                    f"{advice}"
                )
            before = line

    def first(self, column: str, wrong: Callable[[str], bool]) -> tuple[int, str]:
        """The line and the text of the first cell of a column that is wrong."""
        rows = self.rows()
        next(rows)
        at = self.header().index(column)
        cells = ((line, tidy(row[at], self.missing)) for line, row in rows)
        return next(((line, cell) for line, cell in cells if wrong(cell)), (0, ""))

    def not_decoded(self) -> BadInput:
        return BadInput(
            f"{self}: not {self.encoding} text; write --encoding with the name of another, such as "
            "utf-8, latin-1 or cp1252"
        )

    def not_text(self, start: bytes) -> BadInput:
        known = KNOWN.get(start, "not a text file")
        return BadInput(
            f"{self}: {known}; expected a CSV file, or one that ends in .parquet, .xlsx"
        )


def known_encoding(name: str) -> str:
    """
    Raises:
        BadInput: there is none of that name.
    """
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise BadInput(
            f"--encoding {name}: no such encoding; expected utf-8, latin-1, cp1252 or utf-16"
        ) from None
    return "utf-8-sig" if found == "utf-8" else found


def check_header(where: str, header: list[str]) -> None:
    """Refuses what is no header.

    Raises:
        BadInput: a name that is there twice, HTML or JSON.
    """
    if header[0].lower().startswith(PAGES):
        raise BadInput(f"{where}: begins with {header[0][:20]!r}, like HTML or JSON, not like CSV")
    counts = Counter(header)
    name, count = counts.most_common(1)[0]
    if count > 1:
        hint = f"; {HEADERLESS}" if all(map(is_number, header)) else ""
        raise BadInput(f"{where}: {count} columns named {name!r}; rename one{hint}")


@contextmanager
def opened(path: str) -> Iterator[None]:
    """Within it, errors of the system become one line."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; expected a file with a table") from None


def at_once(path: str, flags: int) -> int:
    """Opens a pipe without waiting for a writer; one that was there first is waited for later."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
