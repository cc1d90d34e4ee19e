"""The instructions of one elementwise operation of a program, and of one step of a reduction."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import COPIES, dtype_of, is_scalar, loop_dtypes, ufunc_of
from ..program import is_number, known_as
from .elementwise import ELEMENTWISE
from .ir import Builder, Value
from .lanes import cast, constant, is_lowered


class NotLowered(NotImplementedError):
    """There is no native code for this; the message says for what."""


def is_elementwise(node: Node) -> bool:
    function = ufunc_of(node)
    if function is np.clip:
        return len(node.inputs) == 3 and not any(x is None for x in node.inputs)
    known = function in ELEMENTWISE or function is np.where or function in COPIES
    return known and (function in COPIES or not node.settings)


def emit(b: Builder, node: Node, lanes: int, fetch: Callable[[Any], Value]) -> Value:
    """The instructions of an elementwise node.

    Args:
        fetch: the value of an input of the node, in its own dtype, in that many lanes.

    Raises:
        NotLowered: for these dtypes.
    """
    function = ufunc_of(node)
    wanted, made = loop_dtypes(node)
    mixed = len(set(wanted)) > 1 and function is not np.where
    if mixed or not all(is_lowered(dtype) for dtype in (*wanted, made, dtype_of(node))):
        raise NotLowered(f"{known_as(node)} of {', '.join(map(str, wanted))}")
    if wanted[0].kind in "iu" and any(is_number(x) for x in node.parents):
        raise NotLowered(f"{known_as(node)} of a Python int, which has no limits")
    if node.function is operator.truediv and is_given(node.inputs[1]):
        raise NotLowered("division by a number that is given, which may be 0 and an error")
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


def is_given(x: Any) -> bool:
    """Whether a value is an input of the program."""
    return isinstance(x, Node) and x.function is None


def is_index(part: Any) -> bool:
    """Whether an index is integers, which are checked; no slice, None, ... or mask."""
    if isinstance(part, Node):
        return dtype_of(part).kind in "iu"
    return (
        not isinstance(part, bool)
        and isinstance(part, int | np.integer | np.ndarray)
        and np.asarray(part).dtype.kind in "iu"
    )
