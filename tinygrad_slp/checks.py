"""Checks of settings: each returns the setting, or raises one sentence that says what is wrong.

A number is what NumPy takes for a real one: of Python or NumPy, an array without axes, or a Tensor
of one that no gradient flows to. True is no number, and 2.0 no whole one; np.int64(2) is.

Each raises
    TypeError: where the kind is wrong, such as a text for a number, or 2.5 for a whole number,
    ValueError: where the number or the name is wrong.

`require` is for the content of arrays, which a compiled step asks for again each time it runs.
"""

from collections.abc import Callable, Iterable
from math import inf
from numbers import Integral, Real
from operator import index
from typing import Any

import numpy as np

from .graph import Node
from .recorder import recorder

Condition = Callable[[Any], bool]


def require(condition: Condition, x: Any, error: Callable[[Any], Exception]) -> None:
    """Raises error(array), unless a condition is true of an array, or of the array of a Tensor."""
    array, active = x.array if isinstance(x, Node) else x, recorder.get()
    now = array if active is None else active.require(condition, array)
    if not condition(now):
        raise error(now)


class Between:
    """The condition that no number lies outside of [low, high], but one; NaN does not."""

    def __init__(self, low: float, high: float, but: int | None = None) -> None:
        self.low = low
        self.high = high
        self.but = but

    def fails(self, x: Any) -> Any:
        """Which numbers lie outside."""
        outside = (x < self.low) | (x > self.high)
        return outside if self.but is None else outside & (x != self.but)

    def __call__(self, x: Any) -> bool:
        if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.size and self.but is None:
            # In half the time: there is no NaN among them.
            return bool(x.min() >= self.low and x.max() <= self.high)
        return not np.any(self.fails(x))

    def __repr__(self) -> str:
        return f"between {self.low} and {self.high}, or {self.but}"


def number(name: str, value: Any) -> float:
    """A finite number."""
    return checked(name, value, lambda x: -inf < x < inf, "a finite number")


def at_least(name: str, value: Any, least: float, *, infinite: bool = False) -> float:
    """A number, least or more; infinity only where that is useful."""

    def fits(x: Any) -> bool:
        return bool(least <= x < inf or (infinite and x == inf))

    return checked(name, value, fits, f"a number, {least} or more")


def positive(name: str, value: Any, *, infinite: bool = False) -> float:
    """A number above 0; infinity only where that is useful."""

    def fits(x: Any) -> bool:
        return bool(0 < x < inf or (infinite and x == inf))

    return checked(name, value, fits, "a number above 0")


def probability(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    return checked(name, value, lambda x: 0 <= x <= 1, "a number from 0 to 1")


def below_1(name: str, value: Any) -> float:
    """A number from 0 to below 1."""
    return checked(name, value, lambda x: 0 <= x < 1, "a number from 0 to below 1")


def whole(name: str, value: Any, least: int | None = None) -> int:
    """A whole number, least or more."""
    expected = "a whole number" + ("" if least is None else f", {least} or more")
    if not is_whole(value):
        raise wrong(TypeError, name, value, expected)
    if least is not None and value < least:
        raise wrong(ValueError, name, value, expected)
    return index(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise wrong(TypeError, name, value, "True or False")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """One of some names, and perhaps None."""
    names = list(choices)
    if not isinstance(value, str | None) or value not in names:
        kind = ValueError if isinstance(value, str) else TypeError
        raise wrong(kind, name, value, " or ".join(map(repr, names)))
    return value


def checked(name: str, value: Any, fits: Condition, expected: str) -> float:
    """A number that fits, as a float of Python: float32 times such a number stays float32."""
    if getattr(value, "requires_grad", False):
        raise wrong(TypeError, name, value, expected)
    require(is_number, value, lambda x: wrong(TypeError, name, x, expected))
    require(fits, value, lambda x: wrong(ValueError, name, x, expected))
    is_foreign = not issubclass(type(value), Real | np.ndarray | Node)  # of a trace, and stays it
    found: float = value if is_foreign else float(value)
    return found


def is_number(x: Any) -> bool:
    """Whether it is one real number."""
    if isinstance(x, np.ndarray):
        return x.shape == () and x.dtype.kind in "iuf"
    return isinstance(x, Real) and not isinstance(x, bool)


def is_whole(x: Any) -> bool:
    """Whether it is one whole number, of a type for whole numbers."""
    if isinstance(x, np.ndarray):
        return x.shape == () and x.dtype.kind in "iu"
    return isinstance(x, Integral) and not isinstance(x, bool)


def wrong(kind: type[Exception], name: str, value: Any, expected: str) -> Exception:
    article = "" if value is None or is_number(value) else f"the {type(value).__name__} "
    return kind(f"{name} should be {expected}, got {article}{value!r:.60}")
