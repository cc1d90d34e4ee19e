"""The calls of NumPy that compute a node into a buffer, given arrays in the form that costs least.

Numbers are arrays without axes, matrices vectors where the shape does not matter; what is computed
in place is one array object and not two of the same memory, for which NumPy takes a slower path.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..graph import Node
from .dtypes import COPIES, UFUNCS, dtype_of, loop_dtypes
from .program import is_number, join, reduced_by

# NumPy deprecates `np.maximum(a, b, out)`, which for all others is the fastest way to say it.
BY_NAME = {np.maximum, np.minimum}

Function = Callable[..., Any]
Entry = tuple[Function, tuple[Any, ...]]


class Calls:
    """Finds the calls for one node after the other.

    Args:
        arrays: where each node stands, by its order.
        fixed: the orders of the Python numbers that stay the same from step to step.

    Attributes:
        before: calls to be made once before any number of steps.
    """

    def __init__(self, arrays: Mapping[int, Any], fixed: set[int]) -> None:
        self.arrays = arrays
        self.fixed = fixed
        self.before: list[Entry] = []
        self.casts: dict[tuple[int, np.dtype], np.ndarray] = {}
        self.known: dict[Any, np.ndarray] = {}

    def of(self, node: Node) -> list[Entry]:
        """The calls that compute a node; without any memory but its buffer, where possible."""
        function: Any = node.function
        inputs, settings, out = node.inputs, node.settings, self.array_of(node)
        if function in UFUNCS:
            return [(number, (out, function, *map(self.held, inputs)))]
        if isinstance(function, np.ufunc) and is_plain(function) and not settings:
            wanted, _ = loop_dtypes(node)
            casts, operands = self.operands(inputs, wanted)
            *operands, out = self.simplest([*without_copies(inputs, operands, out.shape), out])
            if function in BY_NAME:
                return [*casts, (partial(function, out=out), tuple(operands))]
            return [*casts, (function, (*operands, out))]
        arrays = [self.array_of(x) for x in inputs]
        if function is join:
            return copies_of_parts(arrays, out)
        if reduced_by(node) is not None:
            return [(function, reduction(arrays[0], settings["axis"], out))]
        if function in (np.dot, np.matmul) and out.flags.c_contiguous:
            return [(function, (*arrays, out))]
        if function is np.where and dtype_of(inputs[0]).kind == "b":
            *arrays, out = self.simplest([*(as_array(x, out.dtype) for x in arrays), out])
            condition, a, b = arrays
            return [(np.copyto, (out, b)), (np.copyto, (out, a, "same_kind", condition))]
        if function in COPIES:
            return [(np.copyto, (out, arrays[0], "unsafe"))]
        given = [self.held(x) if is_number_node(x) else self.array_of(x) for x in inputs]
        return [(into, (out, function, given, self.array_of(settings)))]

    def operands(
        self, inputs: Sequence[Any], wanted: Sequence[np.dtype]
    ) -> tuple[list[Entry], list[np.ndarray]]:
        """The operands of a ufunc, and what casts the Python numbers among them."""
        casts: list[Entry] = []
        operands = []
        for x, dtype in zip(inputs, wanted, strict=False):
            array = as_array(self.array_of(x), dtype)
            if is_number_node(x) and array.dtype != dtype:
                if (x.order, dtype) not in self.casts:
                    cell = self.casts[x.order, dtype] = np.empty((), dtype)
                    # An int that is too large for the dtype is an error, as it is for NumPy.
                    when = self.before if x.order in self.fixed else casts
                    when.append((number, (cell, operator.pos, self.held(x))))
                array = self.casts[x.order, dtype]
            operands.append(array)
        return casts, operands

    def held(self, x: Any) -> Any:
        """A number: a constant, or what will be one when the program runs."""
        return Number(self.array_of(x), is_number(x)) if isinstance(x, Node) else x

    def array_of(self, x: Any) -> Any:
        """x with arrays in the place of nodes."""
        if isinstance(x, Node):
            return self.arrays[x.order]
        if isinstance(x, tuple | list):
            return type(x)([self.array_of(part) for part in x])
        if isinstance(x, dict):
            return {k: self.array_of(part) for k, part in x.items()}
        return x

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


def is_number_node(x: Any) -> bool:
    return isinstance(x, Node) and is_number(x)


def reduction(x: np.ndarray, axes: tuple[int, ...], out: np.ndarray) -> tuple[Any, ...]:
    """The arguments of `reduce`: of all elements to one, x counts as a vector."""
    if out.size == 1 and x.flags.c_contiguous and x.size:
        return x.reshape(-1), 0, None, out.reshape(())
    return x, axes, None, out


class Number:
    """A number, of Python or NumPy, that is known only when the program runs."""

    def __init__(self, cell: np.ndarray, is_python: bool) -> None:
        self.cell = cell
        self.is_python = is_python

    def __call__(self) -> Any:
        return self.cell.item() if self.is_python else self.cell[()]


def into(out: np.ndarray, function: Function, inputs: Any, settings: Any) -> None:
    """Any other function: it makes its result, and we copy it."""
    np.copyto(out, function(*map(known, inputs), **settings))


def number(out: np.ndarray, function: Function, *inputs: Any) -> None:
    """A function of numbers, by Python's operator."""
    out[()] = function(*map(known, inputs))


def known(x: Any) -> Any:
    return x() if isinstance(x, Number) else x
