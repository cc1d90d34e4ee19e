"""Texts that are dates and times: what format they have, and what a network can learn from them."""

import re
from datetime import datetime
from typing import Any, Self

import numpy as np

from .column import column
from .encoder import Encoder
from .robust import RobustScaler
from .texts import ENOUGH, LOOKED_AT, kept, told, unread

DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
        "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
        "%d-%b-%Y", "%Y%m%d", "%Y-%m", "%b %Y")  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S.%f",
         " %I:%M %p", "T%H:%M:%SZ", "T%H:%M:%S%z")  # fmt: skip
FORMATS = [day + time for day in DAYS for time in TIMES]
FORMATS += [f"{weekday} {day}" for weekday in ("%a,", "%A,", "%a", "%A") for day in DAYS]
FORMATS += ["%H:%M", "%H:%M:%S", "%I:%M %p", "%m/%Y"]


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
        days = self.days(moments)
        self.scaler = RobustScaler().fit(days)
        self.others = unread(x, days)
        turns = self.turns(moments)
        self.circles = [name for name, at in turns.items() if len(np.unique(at[at == at])) > 1]
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
