"""Arrays of another library: they speak NumPy's protocols, and never become NumPy's by themselves.

They are as strict as CuPy's, which stand on a GPU: operations take no arrays of NumPy's beside
them, though indices and settings may be such, and what is made of them is theirs, numbers included.
"""

from typing import Any

import numpy as np


class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that another library holds."""

    __hash__ = None

    def __init__(self, array: Any) -> None:
        self.held = np.asarray(array)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array")

    def __array_ufunc__(self, ufunc: Any, how: str, *inputs: Any, **settings: Any) -> Any:
        if not all(isinstance(x, KNOWN) for x in inputs):
            return NotImplemented
        if how != "at":
            refuse_mixed(inputs)
        return theirs(getattr(ufunc, how)(*held(inputs), **held(settings)))

    def __array_function__(self, function: Any, types: Any, args: Any, settings: Any) -> Any:
        if not all(issubclass(t, KNOWN) for t in types):
            return NotImplemented
        if function is np.where:
            refuse_mixed(args)
        return theirs(function(*held(args), **held(settings)))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.held, name)
        if callable(found) and not isinstance(found, type):
            return lambda *args, **settings: theirs(found(*held(args), **held(settings)))
        return theirs(found)

    def __getitem__(self, key: Any) -> Any:
        return theirs(self.held[held(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.held[held(key)] = held(value)

    def __len__(self) -> int:
        return len(self.held)

    def __bool__(self) -> bool:
        return bool(self.held)

    def __float__(self) -> float:
        return float(self.held)

    def __int__(self) -> int:
        return int(self.held)


def held(x: Any) -> Any:
    """What another library holds, of its arrays."""
    if isinstance(x, Foreign):
        return x.held
    if isinstance(x, (list, tuple)):
        return type(x)(map(held, x))
    if isinstance(x, dict):
        return {key: held(value) for key, value in x.items()}
    return x


def theirs(x: Any) -> Any:
    """What NumPy gives, as another library gives it."""
    if isinstance(x, (np.ndarray, np.generic)):
        return Foreign(x)
    if isinstance(x, (list, tuple)):
        return type(x)(*map(theirs, x)) if hasattr(x, "_fields") else type(x)(map(theirs, x))
    return x


def refuse_mixed(operands: Any) -> None:
    if any(isinstance(x, np.ndarray) for x in operands):
        raise TypeError("unsupported type: numpy.ndarray")


KNOWN = Foreign, np.ndarray, np.generic, int, float, complex
