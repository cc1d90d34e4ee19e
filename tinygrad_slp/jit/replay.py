"""The replay in NumPy: the operations of a program one after the other, into buffers made before.

It computes what the eager step computes, to the bit, with the same NumPy functions.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..graph import Node
from .memory import COPIES, Planner
from .program import Program, is_number
from .trace import Place

Function = Callable[..., Any]
Entry = tuple[Function, list[Any]]


class Replay:
    """A program, bound to the buffers of its places.

    Args:
        places: the buffer of every place; a Python number for an argument that is one.
    """

    def __init__(self, program: Program, places: Mapping[Place, Any]) -> None:
        self.program = program
        steps = [[node] for node in program.nodes]
        numbers = {node.order for node in program.nodes if is_number(node)}
        self.plan = Planner(program, places, steps, numbers, elementwise).plan()
        self.tape: list[Entry] = []
        self.readers: dict[int, list[tuple[list[Any], int]]] = {}
        for node in program.nodes:
            if node.order not in self.plan.views:
                self.add(node)
        self.tape += [(np.copyto, [place, value]) for place, value in self.plan.copies]
        self.numbers = [
            (places[place], self.readers.get(x.order, []), type(x.array))
            for place, x in program.inputs.items()
            if is_number(x)
        ]
        self.results = [
            self.plan.arrays[x.order] if isinstance(x, Node) and not is_number(x) else x
            for x in program.outputs
        ]

    def run(self) -> None:
        """Computes everything from what stands in the buffers of the places."""
        for cell, readers, kind in self.numbers:
            put(readers, kind(cell))
        for call, args in self.tape:
            call(*args)

    def repeat(
        self,
        n: int,
        scanned: list[tuple[np.ndarray, np.ndarray]],
        order: np.ndarray | None,
        results: list[np.ndarray],
    ) -> None:
        """n steps; before step i, what stands at order[i] in an array goes into a buffer.

        Args:
            scanned: pairs of such a buffer and such an array.
            results: arrays of n results each.
        """
        for i in range(n):
            for buffer, array in scanned:
                np.copyto(buffer, array[order[i]])  # type: ignore[index]
            self.run()
            for result, value in zip(results, self.results, strict=True):
                result[i] = value

    def summary(self) -> str:
        return f"replayed with NumPy, in {self.plan.bytes:,} bytes"

    def notes(self) -> list[str]:
        places = len(self.plan.places) and sum(
            any(self.plan.arrays.get(x.order) is b for b in self.plan.places.values())
            for x in self.program.nodes
        )
        return [f"{len(self.plan.views)} views, {places} computed in place"]

    def remark(self, node: Node) -> str:
        return "a view" if node.order in self.plan.views else ""

    def add(self, node: Node) -> None:
        """Puts what computes a node on the tape."""
        if is_number(node):
            readers = self.readers.setdefault(node.order, [])
            self.tape.append(self.bound(partial(number, readers, node.function), node.inputs))
        else:
            calls = entries(node, self.plan.arrays[node.order])
            self.tape += [self.bound(call, args) for call, args in calls]

    def bound(self, call: Function, args: Iterable[Any]) -> Entry:
        """A call with arrays in the place of nodes; numbers are put in when they are known."""
        bound: list[Any] = []
        for k, x in enumerate(args):
            if isinstance(x, Node) and is_number(x):
                self.readers.setdefault(x.order, []).append((bound, k))
                bound.append(None)
            else:
                bound.append(self.array_of(x))
        return call, bound

    def array_of(self, x: Any) -> Any:
        if isinstance(x, Node):
            return self.plan.arrays[x.order]
        if isinstance(x, tuple):
            return tuple([self.array_of(part) for part in x])
        if isinstance(x, list):
            return [self.array_of(part) for part in x]
        if isinstance(x, dict):
            return {k: self.array_of(part) for k, part in x.items()}
        return x


def elementwise(node: Node, x: Node) -> bool:
    """Whether an input is read only where the result is written."""
    function = node.function
    return isinstance(function, np.ufunc) and function.signature is None and x in node.parents


def entries(node: Node, out: np.ndarray) -> list[tuple[Function, list[Any]]]:
    """The calls that compute a node into a buffer; without any other memory, where possible."""
    function: Any = node.function
    inputs, settings = list(node.inputs), node.settings
    owner = getattr(function, "__self__", None)
    if isinstance(function, np.ufunc) and not settings:
        return [(function, [*inputs, out])]
    if isinstance(owner, np.ufunc) and function == owner.reduce:
        return [(function, [*inputs, settings["axis"], None, out, settings["keepdims"]])]
    if function is np.dot and out.flags.c_contiguous:
        return [(function, [*inputs, out])]
    if function is np.where:
        condition, a, b = inputs
        return [(np.copyto, [out, b]), (np.copyto, [out, a, "same_kind", condition])]
    if function in COPIES:
        return [(np.copyto, [out, inputs[0], "unsafe"])]
    return [(into, [out, function, inputs, settings])]


def into(out: np.ndarray, function: Function, inputs: Any, settings: Any) -> None:
    """Any other function: it makes its result, and we copy it."""
    np.copyto(out, function(*inputs, **settings))


def number(readers: list[tuple[list[Any], int]], function: Function, *inputs: Any) -> None:
    """A function of Python numbers, whose result goes to all who read it."""
    put(readers, function(*inputs))


def put(readers: list[tuple[list[Any], int]], value: Any) -> None:
    for args, k in readers:
        args[k] = value
