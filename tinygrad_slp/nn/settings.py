"""Settings of layers and losses, checked when these are made."""

import operator
from typing import Any


def whole_number(name: str, value: Any) -> int:
    """A number of features, rows, ... as an int.

    Raises:
        TypeError: it is no whole number.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} should be a whole number, got {value!r}") from None


def positive(name: str, value: float) -> float:
    """A setting that is above 0.

    Raises:
        ValueError: it is not.
    """
    if not value > 0:
        raise ValueError(f"{name} should be above 0, got {value}")
    return value


def at_least_0(name: str, value: float) -> float:
    """A setting that is 0 or more.

    Raises:
        ValueError: it is not.
    """
    if not value >= 0:
        raise ValueError(f"{name} should be 0 or more, got {value}")
    return value
