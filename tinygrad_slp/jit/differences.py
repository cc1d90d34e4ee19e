"""What differs between two views of a step's environment, in words."""

from types import MethodType
from typing import Any

import numpy as np

SIMPLE = int, float, complex, str, bytes, bool, type(None), np.dtype, np.generic, slice, range


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is another value, at which path."""
    return [
        f"{path} ({change(shown(before.get(path)), shown(after.get(path)))})"
        for path in dict.fromkeys([*before, *after])
        if path not in before or path not in after or not same(before[path], after[path])
    ]


def change(a: str, b: str) -> str:
    return f"{a}, then {'another' if a == b else b}"


def same(a: Any, b: Any) -> bool:
    """Whether a value is still what it was: an equal number or text, otherwise the same object."""
    if a is b:
        return True
    if type(a) is not type(b) or not isinstance(a, SIMPLE):
        parts = isinstance(a, MethodType | tuple)  # which are compared for themselves
        return parts and type(a) is type(b)
    return repr(a) == repr(b) if isinstance(a, float | complex) else bool(a == b)


def shown(x: Any) -> str:
    text = repr(x) if isinstance(x, SIMPLE) else f"a {type(x).__name__}"
    return text if len(text) < 40 else f"{text[:37]}..."
