"""The instructions of one elementwise operation of a program, and of one step of a reduction."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import COPIES, dtype_of, is_scalar, loop_dtypes, ufunc_of
from ..program import known_as
from .elementwise import ELEMENTWISE
from .lanes import Builder, Value, cast, constant, is_lowered


class NotLowered(NotImplementedError):
    """There is no native code for this; the message says for what."""


def is_elementwise(node: Node) -> bool:
    function = ufunc_of(node)
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
