"""Texts that are numbers, or long: what else a column of strings can be than categories."""

import re
import zlib
from typing import Any, Self

import numpy as np

from ..checks import whole
from .column import column, listed
from .encoder import Encoder
from .robust import RobustScaler

GAPS = ("", "?", "-", "--", ".", "none", "#n/a", "missing", "unknown", "na", "n/a", "nan", "null")
"""What stands for a missing value where the rest of a column is numbers or dates, in any case."""
NUMBER = re.compile(
    r"[+-]?[$€£¥]? ?([+-]?(\d[\d.,' ]*)?\d\.?|[+-]?(\d*[.,])?\d+(e[+-]?\d+)?) ?[$€£¥%]?",
    re.IGNORECASE,
)
ENOUGH = 0.9
"""Share of the texts that are not gaps which have to be numbers, or dates of one format."""
LOOKED_AT = 300


class NumberTexts(Encoder):
    """Numbers written as people write them: 1,234.5 or 1.234,5, $7,440, 23%; scaled as by
    RobustScaler. The sign or unit is left away. What is no number is missing.

    Attributes:
        decimal: "." or ",".
        scaler: of the numbers.
        others: texts that were no numbers, as a message can show them.
    """

    decimal: str
    scaler: RobustScaler
    others: str

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: none of the texts is a number.
        """
        self.decimal = decimal_mark(column(x))
        read = self.numbers(x)
        self.scaler = RobustScaler().fit(read)
        self.others = unread(x, read)
        return self

    def numbers(self, x: Any) -> np.ndarray:
        return parsed(column(x), self.decimal)

    def transform(self, x: Any) -> np.ndarray:
        return self.scaler.transform(self.numbers(x))

    def features(self, name: str) -> list[str]:
        return self.scaler.features(name)

    def notes(self) -> list[str]:
        return [
            f"texts read as numbers, {self.decimal!r} before the fraction",
            *told(self.others, "numbers"),
            *self.scaler.notes(),
        ]

    def fields(self) -> dict[str, Any]:
        return {
            "decimal": self.decimal,
            "scaler": self.scaler.state(),
            "others": self.others,
        }

    def restore(self, fields: dict[str, Any]) -> None:
        scaler = Encoder.from_state(fields["scaler"])
        if not isinstance(scaler, RobustScaler) or fields["decimal"] not in (".", ","):
            raise ValueError("expected a RobustScaler, and a point or a comma")
        self.decimal, self.scaler = fields["decimal"], scaler
        self.others = str(fields.get("others", ""))


class HashedText(Encoder):
    """Texts by their pieces of three letters, each counted in one of `size` columns that a hash
    chooses; of length 1 (Weinberger et al., Feature hashing for large scale multitask learning,
    2009).

    Args:
        size: columns.
    """

    def __init__(self, size: int = 32) -> None:
        self.size = whole("size", size, 1)

    def fit(self, x: Any) -> Self:
        column(x)
        return self

    def transform(self, x: Any) -> np.ndarray:
        texts, codes = np.unique(column(x), return_inverse=True)
        y = np.zeros((len(texts), self.size))
        for row, text in zip(y, texts.tolist(), strict=True):
            padded = f"  {text.lower()} "
            for k in range(len(text)):
                digest = zlib.crc32(padded[k : k + 3].encode())
                row[digest % self.size] += 1 if digest & 2**31 else -1
        y /= np.maximum(np.sqrt(np.sum(y * y, axis=1, keepdims=True)), 1e-12)
        found: np.ndarray = y[codes]
        return found

    def features(self, name: str) -> list[str]:
        return [f"{name}: pieces {k + 1}" for k in range(self.size)]

    def notes(self) -> list[str]:
        return [f"many different texts, by their pieces of three letters, in {self.size} columns"]

    def fields(self) -> dict[str, Any]:
        return {"size": self.size}

    def restore(self, fields: dict[str, Any]) -> None:
        HashedText.__init__(self, int(fields["size"]))


def unread(x: Any, read: np.ndarray) -> str:
    """The texts that NaN was read of, but for the empty one, as a message shows them."""
    texts = column(x)
    return listed(np.unique(texts[np.isnan(read) & (texts != "")]))


def told(others: str, what: str) -> list[str]:
    """A line that says which texts are missing values."""
    return [f"no {what}, so missing: {others}"] if others else []


def kept(x: np.ndarray) -> np.ndarray:
    """The different texts that are no gaps, sorted."""
    return np.array([t for t in np.unique(x).tolist() if t.strip().lower() not in GAPS], str)


def are_numbers(x: np.ndarray) -> bool:
    """Whether texts are numbers, but for a few; plain ones with few gaps among them too."""
    texts = kept(x)
    if not len(texts):
        return False
    found = parsed(texts, decimal_mark(texts))
    return bool(np.mean(~np.isnan(found)) >= ENOUGH)


def decimal_mark(x: np.ndarray) -> str:
    """The mark before the fraction: a comma, if one is followed by other than three digits, or
    comes after a point."""
    texts = kept(x)[:LOOKED_AT].tolist()
    comma = sum(bool(re.search(r"\d,(\d{1,2}|\d{4,})\D*$|\.\d{3},", t)) for t in texts)
    point = sum(bool(re.search(r",\d{3}\.|\d\.(\d{1,2}|\d{4,})\D*$", t)) for t in texts)
    return "," if comma > point else "."


def parsed(x: np.ndarray, decimal: str) -> np.ndarray:
    """Texts as numbers; NaN for what is none."""
    texts, codes = np.unique(x, return_inverse=True)
    found = np.array([as_number(text, decimal) for text in texts.tolist()], float)
    return found[codes]


def as_number(text: str, decimal: str) -> float:
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return np.nan
    digits = re.sub(r"[' ,]" if decimal == "." else r"[' .]", "", match[1]).replace(",", ".")
    try:
        value = float(digits)
    except ValueError:
        return np.nan
    return -value if text.strip().startswith("-") and value > 0 else value
