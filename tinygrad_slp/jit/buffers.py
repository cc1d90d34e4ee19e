"""Tensors whose value is in a buffer of a program, and who gets what of it.

A Tensor that a program writes has no array of its own between steps. Python asks `fetch` for an
attribute that is not there: whoever reads the array gets a copy, which is the Tensor's own from
then on, until the program takes the Tensor back. So a buffer is never in anybody's hands.
"""

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from ..graph import Node, clock
from ..tensor import Tensor

ARRAY: Any = vars(Node)["array"]
GRAD: Any = vars(Node)["grad"]

homes: dict[int, tuple[np.ndarray, Any]] = {}
"""By the id of a Tensor, the buffer that has its value while it has no array."""
fetches = [0]
"""How often an array was asked for that was not there."""


def fetch(tensor: Any, name: str) -> Any:
    """`Tensor.__getattr__`, in a process that compiles."""
    home = homes.get(id(tensor)) if name == "array" else None
    if home is None:
        return object.__getattribute__(tensor, name)  # which raises what it raised before
    fetches[0] += 1  # first, as Ctrl-C may come between
    array = home[0].copy()
    ARRAY.__set__(tensor, array)
    return array


if not hasattr(Tensor, "__getattr__"):  # only now: it makes all attributes a little slower
    Tensor.__getattr__ = fetch  # type: ignore[attr-defined]


def has_array(tensor: Tensor) -> bool:
    try:
        ARRAY.__get__(tensor)
    except AttributeError:
        return False
    return True


def array_of(tensor: Any) -> Any:
    """The array of a Tensor, past any watch over it."""
    try:
        return ARRAY.__get__(tensor)
    except AttributeError:
        return fetch(tensor, "array")


def value_of(tensor: Any) -> Any:
    """The same, or the buffer itself: to be looked at only."""
    try:
        return ARRAY.__get__(tensor)
    except AttributeError:
        return homes[id(tensor)][0]


def is_at_home(tensor: Tensor, buffer: np.ndarray) -> bool:
    home = homes.get(id(tensor))
    return home is not None and home[0] is buffer


def take(tensor: Tensor, buffer: np.ndarray) -> None:
    """Leaves the value of a Tensor, which is in this buffer already, there alone."""
    key = id(tensor)
    if not is_at_home(tensor, buffer):
        homes[key] = buffer, ref(tensor, forget(key))
    if has_array(tensor):
        ARRAY.__delete__(tensor)
        tensor.order = clock()


def forget(key: int) -> Callable[[Any], Any]:
    return lambda _: homes.pop(key, None)
