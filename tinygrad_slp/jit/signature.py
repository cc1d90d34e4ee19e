"""The signature of a call: which arguments are given anew each time, and what must stay the same.

Arrays, Tensors and Python numbers may change from call to call, but not their shapes and dtypes:
for others the step is traced again. Everything else (strings, booleans, functions, modules) is
static: a step is traced for each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import is_recording
from ..tensor import Tensor
from ..tree import branches, like
from .differences import SIMPLE
from .environment import is_unseen

KINDS = Tensor, np.ndarray, np.generic
"""What is given anew each time, beside Python numbers."""


@dataclass
class Signature:
    """What was found in the arguments of a call.

    Attributes:
        key: equal for two calls that one trace serves.
        leaves: the arrays, Tensors and numbers, in order.
        paths: what the user calls each of them, and each static argument: x, batch['y'], ...
        static: the static arguments, by path.
        is_flat: whether the leaves are the arguments, arrays and Tensors all.
    """

    key: Any = ()
    leaves: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    static: dict[str, Any] = field(default_factory=dict)
    is_flat: bool = False


def sign(arguments: dict[str, Any], static_names: frozenset[str]) -> Signature:
    """The signature of a call.

    Args:
        arguments: by name.
        static_names: those that are static though they could change.

    Raises:
        TypeError: a static argument may change, or an array is of a class of its own.
    """
    found = Signature()
    found.key = (
        ("recording", is_recording()),
        *(
            (name, static(name, x, found) if name in static_names else key_of(name, x, found))
            for name, x in arguments.items()
        ),
    )
    found.is_flat = len(found.leaves) == len(arguments) and all(
        type(x) in (np.ndarray, Tensor) for x in arguments.values()
    )
    return found


def key_of(path: str, x: Any, found: Signature) -> Any:
    """What is the same for all arguments that one trace serves; adds the leaves of this one."""
    if (parts := branches(x)) is not None:
        own_class = isinstance(x, tuple | list) and type(x) not in (tuple, list)
        if own_class and not hasattr(x, "_fields"):
            raise TypeError(
                f"{path} is a {type(x).__name__}, which jit cannot rebuild: give a tuple, a list, "
                "or a NamedTuple"
            )
        keys = [(k, key_of(f"{path}[{k!r}]", part, found)) for k, part in parts.items()]
        return type(x), tuple(keys)
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        raise TypeError(
            f"jit computes with plain arrays, and {path} is a {type(x).__name__}, which may "
            "compute otherwise: write np.asarray(x)"
        )
    if isinstance(x, KINDS):
        if x.dtype.hasobject:
            raise TypeError(f"{path} is an array of Python objects: give numbers, x.astype(float)")
        kind: Any = next(cls for cls in KINDS if isinstance(x, cls))
        key: Any = (kind, x.shape, x.dtype, getattr(x, "tracked", False))
    elif is_python_number(x):
        key = type(x)
    else:
        return static(path, x, found)
    found.leaves.append(x)
    found.paths.append(path)
    return key


def static(path: str, x: Any, found: Signature) -> Any:
    """An argument that a trace takes as it is: by value if it is simple, else by identity."""
    found.static[path] = x
    if isinstance(x, np.ndarray | Tensor | list | dict) or is_unseen(x):
        raise TypeError(
            f"the argument {path} is a {type(x).__name__}, which is static here and may change; "
            "static arguments are numbers, strings, tuples of them, functions or modules. Of an "
            "array or table give np.asarray(x), of an iterator the next item"
        )
    if isinstance(x, tuple):
        return type(x), tuple(static(f"{path}[{i}]", part, found) for i, part in enumerate(x))
    if isinstance(x, SIMPLE):
        return type(x), repr(x)
    return type(x), id(x)


def filled(x: Any, leaves: Iterator[Any], static: bool = False) -> Any:
    """The same argument with other leaves."""
    if static:
        return x
    if (parts := branches(x)) is not None:
        return like(x, [filled(part, leaves) for part in parts.values()])
    return next(leaves) if isinstance(x, KINDS) or is_python_number(x) else x


def is_python_number(x: Any) -> bool:
    """Whether x is a Python number that a replay can be given: whole ones have 64 bits."""
    return type(x) is float or (type(x) is int and -(2**63) <= x < 2**63)


def contents(x: Any) -> Any:
    """What the lists and dicts in an argument hold, by identity."""
    parts = branches(x)
    return id(x) if parts is None else [(k, contents(part)) for k, part in parts.items()]


def difference(old: Any, new: Any) -> str:
    """Which argument made a call need a trace of its own."""
    told = [
        f"{name}: {in_words(a)}, then {in_words(b)}"
        for (name, a), (_, b) in zip(old, new, strict=False)
        if a != b
    ]
    return "; ".join(told) or "the number of arguments"


def in_words(key: Any) -> str:
    if isinstance(key, tuple) and key[0] in KINDS and len(key) == 4:
        return f"{key[2]} {key[1]}"
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], str):
        return key[1]
    return getattr(key, "__name__", None) or str(key)
