"""Files other than CSV: how pandas reads Parquet and Excel, and what other files begin with."""

from collections.abc import Callable
from typing import Any

DATE = "%Y-%m-%d %H:%M:%S"
"""With a time even where all are at midnight, as in a later table they may not be."""

KNOWN = {
    b"PK": "a spreadsheet or an archive", b"\xd0\xcf": "an old spreadsheet, to be saved as .xlsx",
    b"PA": "perhaps Parquet", b"\x1f\x8b": "a compressed file, to be unpacked first",
}  # fmt: skip
"""What a file that is no text begins with."""


def read_parquet(path: str) -> tuple[Any, list[str]]:
    from pandas import read_parquet

    frame = read_parquet(path)
    frame = frame if frame.index.names == [None] else frame.reset_index()
    for name in frame.select_dtypes("timedelta"):
        frame[name] = frame[name].dt.total_seconds() / 86400
    return frame.convert_dtypes(), []  # whole numbers among gaps are not written as 5.0


def read_sheet(path: str) -> tuple[Any, list[str]]:
    from pandas import ExcelFile, read_excel

    with ExcelFile(path, engine="openpyxl") as book:
        names = book.sheet_names
        frame = read_excel(book, header=None, dtype=object, na_values=[""], keep_default_na=False)
    others = f"the sheet {names[0]!r} is read, the first of {len(names)}; put another one first"
    return frame, [others] if len(names) > 1 else []


READERS: dict[str, tuple[str, Callable[[str], tuple[Any, list[str]]]]] = {
    ".parquet": ("pyarrow", read_parquet), ".xlsx": ("openpyxl", read_sheet),
}  # fmt: skip
"""By the ending of a name: the library for it, and what makes a DataFrame of the file, with what is
worth saying."""
