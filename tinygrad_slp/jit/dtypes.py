"""The dtypes of an operation by NumPy's rules: what its operands are cast to, and what it gives."""

from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import cast
from .tracer import PYTHON, astype

NUMBERS = {float: np.dtype(np.float64), int: np.dtype(np.int64)}
"""What a Python number is held as; it takes the dtype of an array that it meets."""

COPIES = {astype, cast, np.copy, float}

UFUNCS: dict[Any, Any] = {operate: ufunc for ufunc, operate in PYTHON.items()}
"""NumPy's function for each of Python's operators, as the trace records them of two numbers."""

LOGICAL = {np.logical_and, np.logical_or, np.logical_xor}


def dtype_of(x: Any) -> np.dtype:
    """The dtype of a node or constant as it is held."""
    value = x.array if isinstance(x, Node) else x
    return NUMBERS.get(type(value)) or np.asarray(value).dtype


def shape_of(x: Any) -> tuple[int, ...]:
    return np.shape(x.array if isinstance(x, Node) else x)


def is_scalar(x: Any) -> bool:
    """Whether x is a constant number."""
    return not isinstance(x, Node) and np.ndim(x) == 0


def ufunc_of(node: Node) -> Any:
    """The function of a node; NumPy's, where it is Python's operator on two numbers."""
    return UFUNCS.get(node.function, node.function)


def has_number_beyond(node: Node) -> bool:
    """Whether a constant int does not fit in what it meets; NumPy compares and clips by it."""
    pairs = zip(node.inputs, loop_dtypes(node)[0], strict=False)
    limits = [(x, np.iinfo(d)) for x, d in pairs if type(x) is int and d.kind in "iu"]
    return any(not info.min <= x <= info.max for x, info in limits)


def loop_dtypes(node: Node) -> tuple[list[np.dtype], np.dtype]:
    """What the operands of an elementwise function are cast to, and what it computes."""
    function, result = ufunc_of(node), dtype_of(node)
    if function is np.where:
        return [np.dtype(bool), result, result], result
    if function is np.clip:
        return [result] * 3, result
    if function in COPIES:
        return [dtype_of(node.inputs[0])], dtype_of(node.inputs[0])
    values = [x.array if isinstance(x, Node) else x for x in node.inputs]
    if type(node.array) in NUMBERS:
        return [result] * len(values), result
    given = [type(v) if type(v) in NUMBERS else np.asarray(v).dtype for v in values]
    # NumPy resolves a logical function of two dtypes to one of booleans, which it casts to unasked.
    like = np.add if function in LOGICAL else function
    *wanted, made = like.resolve_dtypes((*given, None))
    return wanted, result if function in LOGICAL else made
