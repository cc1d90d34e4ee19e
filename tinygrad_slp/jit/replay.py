"""The replay in NumPy: the operations of a program one after the other, into buffers made before.

It computes what the eager step computes, to the bit, with the same NumPy functions, given arrays in
the form that costs them least: numbers as arrays without axes, matrices as vectors where the shape
does not matter.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any

import numpy as np

from ..graph import Node
from .dtypes import COPIES, UFUNCS, dtype_of, loop_dtypes
from .memory import Planner
from .program import Program, is_number, reduced_by
from .trace import Place

# NumPy deprecates `np.maximum(a, b, out)`, which for all others is the fastest way to say it.
BY_NAME = {np.maximum, np.minimum}

Function = Callable[..., Any]
Entry = tuple[Function, tuple[Any, ...]]


class Replay:
    """A program, bound to the buffers of its places.

    Args:
        places: the buffer of every place.
        arguments: the places of the arguments that are read, in order.
    """

    def __init__(
        self, program: Program, places: Mapping[Place, Any], arguments: Sequence[Place]
    ) -> None:
        self.program = program
        self.order = arguments
        steps = [[node] for node in program.nodes]
        self.plan = Planner(program, places, steps, (), elementwise).plan()
        self.casts: dict[tuple[int, np.dtype], np.ndarray] = {}
        self.tape: list[Entry] = []
        for node in program.nodes:
            if node.order not in self.plan.views:
                self.tape += self.entries(node, self.array_of(node))
        self.tape += [(np.copyto, (a, self.array_of(b), "unsafe")) for a, b in self.plan.copies]
        self.arguments = [places[place] for place in arguments]
        self.results = [self.array_of(x) for x in program.outputs]
        self.quiet = copy_context()
        self.quiet.run(np.seterr, all="ignore")

    def moved(self, places: Mapping[Place, Any]) -> "Replay":
        """The same program, bound to other buffers."""
        return Replay(self.program, places, self.order)

    # --- run ---

    def give(self, arguments: list[Any]) -> None:
        """Takes what the arguments are in the next steps."""
        for buffer, x in zip(self.arguments, arguments, strict=True):
            np.copyto(buffer, x)

    def run(self) -> None:
        """One step, of the arguments given and what stands in the buffers of other places."""
        self.quiet.run(self.play)

    def play(self) -> None:
        for call, args in self.tape:
            call(*args)

    def repeat(
        self,
        n: int,
        scanned: list[np.ndarray] | None,
        order: np.ndarray,
        results: list[np.ndarray],
    ) -> None:
        """n steps.

        Args:
            scanned: for each argument an array; step i takes what stands at order[i] in it. None:
                the arguments stay as they were given.
            results: arrays of n results each.
        """
        self.quiet.run(self.play_again, n, scanned, order, results)

    def play_again(self, n: int, scanned: Any, order: np.ndarray, results: Any) -> None:
        tape, pairs = self.tape, list(zip(results, self.results, strict=True))
        for i in range(n):
            if scanned is not None:
                self.give([x[order[i]] for x in scanned])
            for call, args in tape:
                call(*args)
            for result, value in pairs:
                result[i] = value

    # --- what computes a node ---

    def entries(self, node: Node, out: np.ndarray) -> list[Entry]:
        """The calls that compute a node into a buffer; without any other memory, where possible."""
        function: Any = node.function
        inputs, settings = node.inputs, node.settings
        if function in UFUNCS:
            return [(number, (out, function, *map(self.held, inputs)))]
        if isinstance(function, np.ufunc) and is_plain(function) and not settings:
            wanted, _ = loop_dtypes(node)
            casts, operands = self.operands(inputs, wanted)
            *operands, out = simplest([*operands, out])
            if function in BY_NAME:
                return [*casts, (partial(function, out=out), tuple(operands))]
            return [*casts, (function, (*operands, out))]
        arrays = [self.array_of(x) for x in inputs]
        if reduced_by(node) is not None:
            return [(function, reduction(arrays[0], settings["axis"], out))]
        if function in (np.dot, np.matmul) and out.flags.c_contiguous:
            return [(function, (*arrays, out))]
        if function is np.where:
            condition, a, b = arrays
            if dtype_of(node.inputs[0]).kind == "b":
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
            array = self.array_of(x)
            if not isinstance(array, np.ndarray):
                array = np.asarray(array, dtype=dtype)
            elif is_number_node(x) and array.dtype != dtype:
                if (x.order, dtype) not in self.casts:
                    cell = self.casts[x.order, dtype] = np.empty((), dtype)
                    # An int that is too large for the dtype is an error, as it is for NumPy.
                    casts.append((number, (cell, operator.pos, self.held(x))))
                array = self.casts[x.order, dtype]
            operands.append(array)
        return casts, operands

    def held(self, x: Any) -> Any:
        """A number: a constant, or what will be one when the program runs."""
        return Number(self.array_of(x), is_number(x)) if isinstance(x, Node) else x

    def array_of(self, x: Any) -> Any:
        """x with arrays in the place of nodes."""
        if isinstance(x, Node):
            return self.plan.arrays[x.order]
        if isinstance(x, tuple | list):
            return type(x)([self.array_of(part) for part in x])
        if isinstance(x, dict):
            return {k: self.array_of(part) for k, part in x.items()}
        return x

    # --- what it is ---

    def summary(self) -> str:
        return f"replayed with NumPy, {len(self.plan.views)} views, in {self.plan.bytes:,} bytes"

    def remark(self, node: Node) -> str:
        return "a view" if node.order in self.plan.views else ""


def elementwise(node: Node, x: Node) -> bool:
    """Whether an input is read only where the result is written."""
    function = node.function
    return isinstance(function, np.ufunc) and is_plain(function) and x in node.parents


def is_plain(ufunc: np.ufunc) -> bool:
    """Whether a ufunc is elementwise and has one result."""
    return ufunc.signature is None and ufunc.nout == 1


def simplest(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The same elements with the fewest axes, for a function to which the shape is all one.

    Args:
        arrays: operands and, last, the result.
    """
    out = arrays[-1]
    alike = [x.shape == out.shape and x.flags.c_contiguous for x in arrays]
    if all(a or x.size == 1 for a, x in zip(alike, arrays, strict=True)):
        return [x.reshape(()) if x.size == 1 else x.reshape(-1) for x in arrays]
    return arrays


def reduction(x: np.ndarray, axes: tuple[int, ...], out: np.ndarray) -> tuple[Any, ...]:
    """The arguments of `reduce`: of all elements to one, x counts as a vector."""
    if out.size == 1 and x.flags.c_contiguous and x.size:
        return x.reshape(-1), 0, None, out.reshape(())
    return x, axes, None, out


def is_number_node(x: Any) -> bool:
    return isinstance(x, Node) and is_number(x)


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
