"""One elementwise operation of a program: its dtypes by NumPy's rules, and its instructions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..memory import COPIES
from ..program import known_as
from .elementwise import ELEMENTWISE, PYTHON
from .lanes import Builder, Value, cast, constant, is_lowered

NUMBERS = {float: np.dtype(np.float64), int: np.dtype(np.int64)}


class NotLowered(NotImplementedError):
    """There is no native code for this; the message says for what."""


def dtype_of(x: Any) -> np.dtype:
    """The dtype of a node or constant as it is held; of Python numbers the widest."""
    value = x.array if isinstance(x, Node) else x
    return NUMBERS.get(type(value)) or np.asarray(value).dtype


def shape_of(x: Any) -> tuple[int, ...]:
    return np.shape(x.array if isinstance(x, Node) else x)


def is_scalar(x: Any) -> bool:
    """Whether x is a constant number, written into the instructions."""
    return not isinstance(x, Node) and np.ndim(x) == 0


def is_elementwise(node: Node) -> bool:
    function: Any = node.function
    function = PYTHON.get(function, function)
    known = function in ELEMENTWISE or function is np.where or function in COPIES
    return known and (function in COPIES or not node.settings)


def dtypes(node: Node) -> tuple[list[np.dtype], np.dtype]:
    """What the operands are cast to, and what is computed."""
    function: Any = PYTHON.get(node.function, node.function)  # type: ignore[arg-type]
    result = dtype_of(node)
    if function is np.where:
        return [np.dtype(bool), result, result], result
    if function in COPIES:
        return [dtype_of(node.inputs[0])], dtype_of(node.inputs[0])
    values = [x.array if isinstance(x, Node) else x for x in node.inputs]
    if type(node.array) in NUMBERS:  # numbers of Python, computed as widest
        given: list[Any] = [result] * len(values)
    else:
        given = [type(v) if type(v) in NUMBERS else np.asarray(v).dtype for v in values]
    *wanted, made = function.resolve_dtypes((*given, None))
    return wanted, made


def emit(b: Builder, node: Node, lanes: int, fetch: Callable[[Any], Value]) -> Value:
    """The instructions of an elementwise node.

    Args:
        fetch: the value of an input of the node, in its own dtype, in that many lanes.

    Raises:
        NotLowered: for these dtypes.
    """
    function: Any = PYTHON.get(node.function, node.function)  # type: ignore[arg-type]
    wanted, made = dtypes(node)
    if not all(is_lowered(dtype) for dtype in (*wanted, made, dtype_of(node))):
        raise NotLowered(f"{known_as(node)} of {wanted[0]}")
    operands = [
        constant(dtype, x, lanes) if is_scalar(x) else cast(b, fetch(x), dtype_of(x), dtype)
        for x, dtype in zip(node.inputs, wanted, strict=False)
    ]
    if function is np.where:
        y = b.select(*operands)
    elif function in COPIES:
        y = operands[0]
    else:
        kind = wanted[0].kind
        try:
            y = ELEMENTWISE[function](b, kind, *operands)
        except NotImplementedError:
            raise NotLowered(f"{known_as(node)} of {wanted[0]}") from None
    return cast(b, y, made, dtype_of(node))


def combine(b: Builder, ufunc: Any, dtype: np.dtype, x: Value, y: Value) -> Value:
    """One step of a reduction."""
    return ELEMENTWISE[ufunc](b, dtype.kind, x, y)


def identity(ufunc: Any, dtype: np.dtype) -> Any:
    """What a reduction begins with.

    Raises:
        NotLowered: there is none.
    """
    if ufunc in (np.maximum, np.minimum):
        if dtype.kind == "b":
            return ufunc is np.minimum
        if dtype.kind == "f":
            return -np.inf if ufunc is np.maximum else np.inf
        limits = np.iinfo(dtype)
        return limits.min if ufunc is np.maximum else limits.max
    value = {np.add: 0, np.multiply: 1, np.logical_or: False, np.logical_and: True}.get(ufunc)
    if value is None:
        raise NotLowered(f"{ufunc.__name__}.reduce")
    return value
