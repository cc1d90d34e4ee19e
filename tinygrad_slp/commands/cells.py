"""What a cell of a table says: a missing value, a number, or a text."""

from collections.abc import Collection

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null")
"""Cells that mean a missing value; "none" does not, as it is a class in many tables."""


def tidy(text: str, missing: Collection[str] = ()) -> str:
    """A cell as it is compared; pandas takes every spelling of True for the same, so do we."""
    text = text.strip()
    if text in MISSING or text in missing:
        return ""
    return text.lower() if text.lower() in ("true", "false") else text


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
