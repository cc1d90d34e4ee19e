"""A CSV file as columns, read by pandas (the extra `cli`) in parts of 65,536 rows.

Why pandas: of the two well-kept libraries it needs less memory, and no second pass over the file
to be sure of the kinds of the columns, which polars guesses from the first rows or looks up first.
`python benchmarks/reading.py`, of 1,000,000 rows x 20 columns, 153 MiB as float64, on 2 cores:

    pandas 3.1, whole                                       0.8 s    518 MiB more at the peak
    pandas 3.1, in parts, into arrays made beforehand       1.5 s    219 MiB    what is done here
    polars 2.1, whole, kinds guessed                        0.7 s    536 MiB
    polars 2.1, whole, low_memory, kinds from all rows      3.7 s    426 MiB
"""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import BadInput
from .cells import MISSING, is_infinite, tidy
from .csv_source import Source
from .needs import need

PART = 65536


class Texts:
    """A column of texts: those that there are, sorted, shape (k,); and of each row, which (n,).

    A missing one is "".
    """

    def __init__(self, names: np.ndarray, codes: np.ndarray) -> None:
        self.names = names
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> np.ndarray:
        found: np.ndarray = self.names[self.codes[rows]]
        return found

    @property
    def counts(self) -> np.ndarray:
        """In how many rows each of them is."""
        return np.bincount(self.codes, minlength=len(self.names))


Column = np.ndarray | Texts


class Frame:
    """The columns of a file, all of n rows: float64 with NaN where missing, or texts."""

    def __init__(self, source: Source, columns: dict[str, Column]) -> None:
        self.source = source
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read(source: Source, texts: Collection[str] = (), without: Collection[str] = ()) -> Frame:
    """Reads the file.

    Args:
        texts: columns that are texts even if they look like numbers.
        without: columns that are left out.

    Raises:
        BadInput: one line that says where, what was expected, and what to write.
    """
    need("pandas", "reading tables", "cli")
    names = source.header()
    size = source.most_rows()
    growing = {
        name: Growing(size, name in texts, source.missing) for name in names if name not in without
    }
    n = 0
    for part in parts(source, names, texts):
        for name, column in growing.items():
            column.take(part[name], n)
        n += len(part)
    if not n:
        raise BadInput(f"{source}: there is a header but no rows of data")
    if mixed := {name for name, column in growing.items() if column.mixed}:
        return read(source, {*texts, *mixed}, without)
    if names[-1] not in growing or growing[names[-1]].absent:  # so it looks if a row is too short
        source.check_lengths()
    frame = Frame(source, {name: column.finished(n) for name, column in growing.items()})
    for name, values in frame.columns.items():
        if isinstance(values, np.ndarray) and np.any(np.isinf(values)):
            line, cell = source.first(name, is_infinite)
            raise BadInput(
                f"{source}: line {line}, column {name!r}: {cell!r} is not a finite number; "
                "correct it, or leave the cell empty"
            )
    return frame


def parts(source: Source, names: Sequence[str], texts: Collection[str]) -> Iterator[Any]:
    """The file as DataFrames of so many rows."""
    from pandas import read_csv

    with errors_in_one_line(source):
        reader = read_csv(
            source.file,
            sep=source.separator,
            header=0 if source.named else None,
            skiprows=source.above,
            names=names,
            index_col=False,
            dtype={name: str for name in texts if name in names},
            chunksize=PART,
            low_memory=False,  # else a column may change its kind within a part
            encoding=source.encoding,
            keep_default_na=False,
            na_values=[*MISSING, *source.missing],
            skipinitialspace=True,
        )
    with reader:
        while True:
            with errors_in_one_line(source):
                part = next(reader, None)
            if part is None:
                return
            yield part


@contextmanager
def errors_in_one_line(source: Source) -> Iterator[None]:
    """Turns what pandas says into one line with the place in the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except UnicodeDecodeError:
        raise source.not_decoded() from None
    except OSError as error:
        raise BadInput(f"{source}: {error.strerror or error}") from None
    except (ValueError, Warning) as error:  # pandas' errors are among these
        source.check_lengths()
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"{source}: not a CSV file that can be read: {reason}") from None


class Growing:
    """A column while it is read: room for all rows; what is not yet written takes no memory.

    Attributes:
        mixed: numbers in some parts and texts in others.
        absent: whether a value is missing.
    """

    def __init__(self, size: int, text: bool, missing: Collection[str]) -> None:
        self.numbers = np.empty(size)
        self.codes = np.empty(size, np.int32)
        self.names = {"": 0}
        self.must_be_text = text
        self.missing = missing
        self.is_text: bool | None = True if text else None
        self.mixed = False
        self.absent = False

    def take(self, values: Any, start: int) -> None:
        """Enters the next part, a Series."""
        rows = slice(start, start + len(values))
        missing = values.isna().to_numpy()
        self.absent |= bool(missing.any())
        text = None if missing.all() else is_text(values)
        self.mixed |= text is not None and self.is_text is (not text)
        if self.is_text is None:
            self.is_text = text
        if self.mixed:
            return
        if self.is_text is not False:
            self.codes[rows] = 0 if text is None else self.coded(values)
        if not self.is_text:
            self.numbers[rows] = values.to_numpy(float, na_value=np.nan)

    def coded(self, values: Any) -> np.ndarray:
        codes, texts = values.factorize()
        at = [self.names.setdefault(tidy(str(x), self.missing), len(self.names)) for x in texts]
        found = np.array([*at, 0], np.int32)
        coded: np.ndarray = found[codes]  # −1, a missing one, is the last
        return coded

    def finished(self, n: int) -> Column:
        if not self.is_text:
            return self.numbers[:n]
        codes = self.codes[:n]
        used = np.bincount(codes, minlength=len(self.names)) > 0
        names = np.array(list(self.names))
        if not self.must_be_text and (numbers := as_numbers(names)) is not None:
            return numbers[codes]
        order = np.argsort(names)
        order = order[used[order]]
        place = np.zeros(len(names), np.int32)
        place[order] = np.arange(len(order))
        return Texts(names[order], place[codes])


def as_numbers(names: np.ndarray) -> np.ndarray | None:
    """Texts as numbers, if all are: older pandas leave integers of 20 digits as texts."""
    if any("_" in name for name in names):  # which Python takes for digits set apart
        return None
    try:
        return np.where(names == "", "nan", names).astype(float)
    except ValueError:
        return None


def is_text(values: Any) -> bool:
    """Whether a Series that is not all missing holds texts, to which true and false belong."""
    if values.dtype.kind == "b":
        return True
    if values.dtype.kind in "iuf":
        return False
    try:
        known = values.dropna()
        known.to_numpy(float)  # integers too large for 64 bits come as objects
    except ValueError:
        return True
    return isinstance(known.iloc[0], str | bool)
