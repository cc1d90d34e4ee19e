"""Texts that are numbers, dates, or long: what else a column of strings can be than categories."""

import re
import zlib
from collections.abc import Callable
from datetime import datetime
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
DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
        "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
        "%d-%b-%Y", "%Y%m%d", "%Y-%m", "%b %Y")  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S.%f",
         " %I:%M %p", "T%H:%M:%SZ", "T%H:%M:%S%z")  # fmt: skip
FORMATS = [day + time for day in DAYS for time in TIMES]
FORMATS += [f"{weekday} {day}" for weekday in ("%a,", "%A,", "%a", "%A") for day in DAYS]
FORMATS += ["%H:%M", "%H:%M:%S", "%I:%M %p", "%m/%Y"]
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
        self.scaler = RobustScaler().fit(self.numbers(x))
        self.others = listed(unread(x, self.numbers))
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


class Dates(Encoder):
    """Dates and times as numbers: time since the median, scaled; month, day of the week and hour
    on circles (sine and cosine), where they vary. What is no date is missing: 0, and marked.

    Attributes:
        format: as `datetime.strptime` reads it; dates as in ISO 8601 are read beside it.
        scaler: of the days since 1970.
        circles: which of "month", "weekday", "hour" vary.
        others: texts that were no dates, as a message can show them.
    """

    format: str
    scaler: RobustScaler
    circles: list[str]
    others: str

    def fit(self, x: Any) -> Self:
        """
        Raises:
            ValueError: the texts are not dates of one format.
        """
        x = column(x)
        found = format_of(x)
        if found is None:
            raise ValueError(f"expected dates of one format, got {x[:3].tolist()}")
        self.format = found
        moments = self.moments(x)
        self.scaler = RobustScaler().fit(self.days(moments))
        turns = self.turns(moments)
        self.circles = [name for name, at in turns.items() if len(np.unique(at[at == at])) > 1]
        self.others = listed(unread(x, self.numbers))
        return self

    def numbers(self, x: Any) -> np.ndarray:
        """Days since 1970, (n,)."""
        return self.days(self.moments(column(x)))

    @property
    def has_days(self) -> bool:
        """Whether they are days, and not just times of some day."""
        return "%y" in self.format.lower()

    def moments(self, x: np.ndarray) -> list[datetime | None]:
        texts, codes = np.unique(x, return_inverse=True)
        read = [moment(text, self.format) or of_iso(text) for text in texts.tolist()]
        return [read[k] for k in codes.tolist()]

    @staticmethod
    def days(moments: list[datetime | None]) -> np.ndarray:
        start = datetime(1970, 1, 1)
        return np.array([
            np.nan if m is None else (m.replace(tzinfo=None) - start).total_seconds() / 86400
            for m in moments
        ])  # fmt: skip

    @staticmethod
    def turns(moments: list[datetime | None]) -> dict[str, np.ndarray]:
        """How far round the circle each is, from 0 to 1."""

        def of(part: Any) -> np.ndarray:
            return np.array([np.nan if m is None else part(m) for m in moments], float)

        return {
            "month": of(lambda m: (m.timetuple().tm_yday - 1) / 366),
            "weekday": of(lambda m: m.weekday() / 7),
            "hour": of(lambda m: (m.hour + m.minute / 60) / 24),
        }

    def transform(self, x: Any) -> np.ndarray:
        moments = self.moments(column(x))
        turns = self.turns(moments)
        parts = [self.scaler.transform(self.days(moments))]
        for name in self.circles:
            angle = 2 * np.pi * turns[name]
            parts += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
        return np.column_stack(parts)

    def features(self, name: str) -> list[str]:
        circles = [
            f"{name}: {f} of the {part}" for part in self.circles for f in ("sine", "cosine")
        ]
        return [*self.scaler.features(name), *circles]

    def notes(self) -> list[str]:
        parts = "".join(f", {part}" for part in self.circles)
        said = f"dates such as {self.format}: time{parts}"
        return [said, *told(self.others, "dates"), *self.scaler.notes()]

    def fields(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "scaler": self.scaler.state(),
            "circles": self.circles,
            "others": self.others,
        }

    def restore(self, fields: dict[str, Any]) -> None:
        scaler = Encoder.from_state(fields["scaler"])
        if not isinstance(scaler, RobustScaler):
            raise ValueError("expected a RobustScaler")
        self.format, self.scaler = str(fields["format"]), scaler
        self.circles = [str(name) for name in fields["circles"]]
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


def unread(x: Any, numbers: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    """The different texts, but for the empty one, of which no number is made."""
    texts = np.unique(column(x))
    found: list[str] = texts[np.isnan(numbers(texts)) & (texts != "")].tolist()
    return found


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


def format_of(x: np.ndarray) -> str | None:
    """The format of dates and times that fits the most of the texts, if that is nearly all."""
    texts = kept(x)
    looked_at = texts[:: max(1, len(texts) // LOOKED_AT)].tolist()
    if not looked_at:
        return None
    fitting = [f for f in FORMATS if moment(looked_at[0], f) or moment(looked_at[-1], f)]
    shares = {f: np.mean([moment(t, f) is not None for t in looked_at]) for f in fitting}
    best = max(shares, key=lambda f: shares[f], default=None)
    return best if best is not None and shares[best] >= ENOUGH else None


def look_like_dates(x: np.ndarray) -> bool:
    """Whether the most of a few texts are dates of some format each."""
    texts = kept(x)[:20].tolist()
    return sum(any(moment(t, f) for f in FORMATS) for t in texts) > 0.5 * len(texts)


def moment(text: str, format: str) -> datetime | None:
    text = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text.strip())
    try:
        return datetime.strptime(text, format)
    except ValueError:
        return None


def of_iso(text: str) -> datetime | None:
    """As databases and spreadsheets write dates: the same table may come from another file."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
