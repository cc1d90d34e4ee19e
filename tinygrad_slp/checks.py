"""Checks of settings: each returns the setting, or raises one sentence that says what is wrong.

A number is what NumPy takes for a real one: of Python or NumPy, an array without axes, or a Tensor
of one that no gradient flows to. True is no number, and 2.0 no whole one; np.int64(2) is.

Each raises
    TypeError: where the kind is wrong, such as a text for a number, or 2.5 for a whole number,
    ValueError: where the number or the name is wrong.
"""

from collections.abc import Callable, Iterable
from math import inf
from numbers import Integral, Real
from operator import index
from typing import Any, NoReturn

import numpy as np

from .graph import Node, holds


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
        refuse(TypeError, name, value, expected)
    if least is not None and value < least:
        refuse(ValueError, name, value, expected)
    return index(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        refuse(TypeError, name, value, "True or False")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """One of some names, and perhaps None."""
    names = list(choices)
    if not isinstance(value, str | None) or value not in names:
        kind = ValueError if isinstance(value, str) else TypeError
        refuse(kind, name, value, " or ".join(map(repr, names)))
    return value


def checked(name: str, value: Any, fits: Callable[[Any], bool], expected: str) -> float:
    """A number that fits, as a float of Python: float32 times such a number stays float32."""
    if getattr(value, "requires_grad", False) or not holds(is_number, value):
        refuse(TypeError, name, value, expected)
    if not holds(fits, value):
        refuse(ValueError, name, value, expected)
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


def refuse(kind: type[Exception], name: str, value: Any, expected: str) -> NoReturn:
    article = "" if value is None or is_number(value) else f"the {type(value).__name__} "
    raise kind(f"{name} should be {expected}, got {article}{value!r:.60}")
