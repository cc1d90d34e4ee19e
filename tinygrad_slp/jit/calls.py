"""The calls of NumPy that compute a node into a buffer, given arrays in the form that costs least.

Numbers are arrays without axes, matrices vectors where the shape does not matter; what is computed
in place is one array object and not two of the same memory, for which NumPy takes a slower path.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..checks import Condition
from ..graph import Node
from ..rule import name
from ..rules.arguments import BITS
from . import TraceError
from .dtypes import COPIES, UFUNCS, dtype_of, has_number_beyond, is_scalar, loop_dtypes
from .horizontal_fusion import MOST
from .program import Unmet, is_move, is_number, join, reduced_by, replaced
from .tracer import SCATTER

EXTREMES = {np.maximum, np.minimum}

Function = Callable[..., Any]
Entry = tuple[Function, tuple[Any, ...]]


class Calls:
    """Finds the calls for one node after the other.

    Args:
        arrays: where each node stands, by its order.
        moving: when its value is another one in the next step, by its order: 0 never, 1 when it is
            given other arguments, 2 always.

    Attributes:
        tapes: the calls for the nodes of each of these.
    """

    def __init__(self, arrays: Mapping[int, Any], moving: Mapping[int, int]) -> None:
        self.arrays = arrays
        self.moving = moving
        self.tapes: tuple[list[Entry], list[Entry], list[Entry]] = [], [], []
        self.casts: dict[tuple[int, np.dtype], np.ndarray] = {}
        self.known: dict[Any, np.ndarray] = {}

    def add(self, node: Node) -> None:
        """Adds the calls that compute a node."""
        self.tapes[self.moving[node.order]].extend(self.calls(node))

    def add_check(self, node: Node, condition: Condition) -> None:
        self.tapes[self.moving[node.order]].append((check, (condition, self.array_of(node))))

    def calls(self, node: Node) -> list[Entry]:
        """The calls that compute a node; without any memory but its buffer, where possible."""
        function: Any = node.function
        inputs, settings, out = node.inputs, node.settings, self.array_of(node)
        if function in UFUNCS:
            return [(number, (out, function, *map(self.held, inputs)))]
        is_simple = isinstance(function, np.ufunc) and is_plain(function) and not settings
        if is_simple and not has_number_beyond(node):
            operands = without_copies(inputs, self.operands(node), out.shape)
            *operands, out = self.simplest([*operands, out])
            if function in EXTREMES:  # NumPy deprecates `np.maximum(a, b, out)`, the fastest way
                return [(partial(function, out=out), tuple(operands))]
            return [(function, (*operands, out))]
        arrays = [self.array_of(x) for x in inputs]
        if function is join:
            return copies_of_parts(arrays, out)
        if reduced_by(node) is not None:
            return [reduction(function, arrays[0], settings["axis"], out)]
        if function in (np.dot, np.matmul) and out.flags.c_contiguous:
            return [(function, (*arrays, out))]
        if function is np.where and dtype_of(inputs[0]).kind == "b":
            *arrays, out = self.simplest([*map(np.asarray, arrays), out])
            condition, a, b = arrays
            if is_scalar(inputs[2]) and not b.any() and a.dtype == out.dtype in BITS:
                bits = BITS[out.dtype]  # as in `only`, whose speed this has
                return [(np.multiply, (a.view(bits), condition, out.view(bits)))]
            # An int of Python wraps around in a dtype that is too small, as in np.where.
            return [(np.copyto, (out, b, "unsafe")), (np.copyto, (out, a, "unsafe", condition))]
        if function in COPIES:
            return [(np.copyto, (out, arrays[0], "unsafe"))]
        given = [self.held(x) if is_number_node(x) else self.array_of(x) for x in inputs]
        return [(into, (out, function, given, self.array_of(settings)))]

    def operands(self, node: Node) -> list[np.ndarray]:
        """The operands of a ufunc; Python numbers, and what seldom changes, in its dtype."""
        wanted, _ = loop_dtypes(node)
        return [self.cast(x, dtype, node) for x, dtype in zip(node.inputs, wanted, strict=False)]

    def cast(self, x: Any, dtype: np.dtype, node: Node) -> np.ndarray:
        """An operand of a node, in this dtype if it is small and NumPy would cast it more often."""
        array = as_array(self.array_of(x), dtype)
        if not isinstance(x, Node) or array.dtype == dtype:
            return array
        when = self.moving[x.order]
        pays = array.nbytes <= MOST and when < self.moving[node.order]
        if not (is_number(x) or pays):
            return array
        if (x.order, dtype) not in self.casts:
            cell = self.casts[x.order, dtype] = np.empty(array.shape, dtype)
            # An int that is too large for the dtype is an error, as it is for NumPy.
            by_number = number, (cell, operator.pos, self.held(x))
            self.tapes[when].append(by_number if is_number(x) else (np.copyto, (cell, array)))
        return self.casts[x.order, dtype]

    def held(self, x: Any) -> Any:
        """A number: a constant, or what will be one when the program runs."""
        return Number(self.array_of(x), is_number(x)) if isinstance(x, Node) else x

    def array_of(self, x: Any) -> Any:
        """x with arrays in the place of nodes."""
        return replaced(x, self.arrays)

    def simplest(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The same elements with the fewest axes, for a function to which the shape is all one.

        Args:
            arrays: operands and, last, the result.
        """
        out = arrays[-1]
        alike = [x.shape == out.shape and x.flags.c_contiguous for x in arrays]
        if all(a or x.size == 1 for a, x in zip(alike, arrays, strict=True)):
            arrays = [x.reshape(()) if x.size == 1 else x.reshape(-1) for x in arrays]
        return [self.known.setdefault(memory_of(x), x) for x in arrays]


def copies_of_parts(parts: list[np.ndarray], whole: np.ndarray) -> list[Entry]:
    """What copies the parts of a join that were not computed where they are to stand."""
    entries: list[Entry] = []
    start = 0
    for part in parts:
        where = whole[start : start + part.size].reshape(part.shape)
        start += part.size
        if memory_of(where) != memory_of(part):
            entries.append((np.copyto, (where, part)))
    return entries


def memory_of(x: np.ndarray) -> Any:
    """What is the same for two arrays of the same elements in the same memory."""
    return x.__array_interface__["data"], x.shape, x.strides, x.dtype


def as_array(x: Any, dtype: np.dtype) -> np.ndarray:
    """An array, also of a constant number, which takes the dtype that it is computed with."""
    return x if isinstance(x, np.ndarray) else np.asarray(x, dtype=dtype)


def without_copies(
    inputs: Sequence[Any], operands: list[np.ndarray], shape: tuple[int, ...]
) -> list[np.ndarray]:
    """The operands, one number in the place of a constant of its copies, if no shape needs them."""
    for k, x in enumerate(operands):
        rest = np.broadcast_shapes(*(y.shape for y in operands[:k] + operands[k + 1 :]))
        if x.size > 1 and rest == shape and not isinstance(inputs[k], Node):
            first = x[(0,) * x.ndim]
            if x.tobytes() == first.tobytes() * x.size:
                operands = [*operands[:k], np.asarray(first), *operands[k + 1 :]]
    return operands


def is_plain(ufunc: np.ufunc) -> bool:
    """Whether a ufunc is elementwise and has one result."""
    return ufunc.signature is None and ufunc.nout == 1


INFALLIBLE = {np.dot, np.matmul, np.where, join, SCATTER, operator.getitem, *COPIES}


def may_fail(node: Node) -> bool:
    """Whether computing a node may raise an error; indices are checked before."""
    function: Any = node.function
    if isinstance(function, np.ufunc) and is_plain(function) and not node.settings:
        return any(type(x.array) is int for x in node.parents)  # too large for the dtype
    return not (function in INFALLIBLE or is_move(node) or reduced_by(node) is not None)


def is_number_node(x: Any) -> bool:
    return isinstance(x, Node) and is_number(x)


def reduction(function: Any, x: np.ndarray, axes: tuple[int, ...], out: np.ndarray) -> Entry:
    """The call of `reduce`: of all elements to one, x counts as a vector.

    The extremes along the last axis `reduceat` finds with less overhead for each of them.
    """
    vector = x.flags.c_contiguous and x.size
    if vector and out.size == 1:
        return function, (x.reshape(-1), 0, None, out.reshape(()))
    ufunc = function.__self__
    if vector and axes == (x.ndim - 1,) and ufunc in EXTREMES and out.flags.c_contiguous:
        starts = np.arange(0, x.size, x.shape[-1])
        return ufunc.reduceat, (x.reshape(-1), starts, 0, None, out.reshape(-1))
    return function, (x, axes, None, out)


class Number:
    """A number, of Python or NumPy, that is known only when the program runs."""

    def __init__(self, cell: np.ndarray, is_python: bool) -> None:
        self.cell = cell
        self.is_python = is_python

    def __call__(self) -> Any:
        return self.cell.item() if self.is_python else self.cell[()]


def into(out: np.ndarray, function: Function, inputs: Any, settings: Any) -> None:
    """Any other function: it makes its result, and we copy it.

    Raises:
        TraceError: the result has another shape than the one in the run that was traced.
    """
    result = function(*map(known, inputs), **settings)
    if np.shape(result) != out.shape:
        raise TraceError(
            f"the shape of what {name(function)} returns depends on values: it was {out.shape} in "
            f"the step that was traced, and is {np.shape(result)} now. Compute it outside, and "
            "give it as an argument"
        )
    np.copyto(out, result)


def check(condition: Condition, x: np.ndarray) -> None:
    """
    Raises:
        Unmet: the condition is not true of x.
    """
    if not condition(x):
        raise Unmet


def number(out: np.ndarray, function: Function, *inputs: Any) -> None:
    """A function of numbers, by Python's operator."""
    out[()] = function(*map(known, inputs))


def known(x: Any) -> Any:
    return x() if isinstance(x, Number) else x
