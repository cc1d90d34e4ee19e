"""Horizontal fusion: what is done alike to many small arrays is done once to all, side by side.

An optimizer treats every weight and bias in the same way. Where they are small, a call of NumPy
costs more than what it computes. So alike parameters become slices of one vector, and their updates
one operation on it; what leads there, such as the gradients, becomes slices of another vector: it
is computed right into them, and their `join` costs nothing.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..graph import Node
from .dtypes import dtype_of, is_scalar, shape_of
from .program import Program, ancestors, computed, kept_apart, replaced
from .trace import Place

MOST = 16384
"""Bytes of an array from which the call that computes it does not matter."""

EXACT = {
    np.add, np.subtract, np.multiply, np.divide, np.reciprocal, np.square, np.sqrt, np.negative,
    np.absolute, np.sign, np.maximum, np.minimum, np.copysign,
}  # fmt: skip
"""Functions of each element that give the same bits wherever in an array it stands."""

Column = tuple[Node, ...]
"""Nodes that are the same for one array after the other."""


def join(*parts: np.ndarray) -> np.ndarray:
    """All elements of some arrays, one after the other."""
    return np.concatenate([part.ravel() for part in parts])


class Horizontal:
    """What is done alike in a program, found and done once.

    Attributes:
        groups: the places that are to stand side by side, each group as one `Place`.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.place_of = {x.order: p for p, x in program.inputs.items() if p.kind == "value"}
        self.columns: dict[int, Column] = {}
        self.whole_of: dict[Place, Place] = {}
        for stores in self.alike():
            self.take(stores)
        if not (self.is_whole() and self.can_wait()):
            self.columns, self.whole_of = {}, {}
        self.groups = list(dict.fromkeys(self.whole_of.values()))

    # --- what is done alike ---

    def alike(self) -> Iterator[dict[Place, Node]]:
        """The stores of small arrays that are computed in the same way, two or more."""
        ways = self.ways()
        found: dict[Any, dict[Place, Node]] = {}
        for place, x in self.program.stores.items():
            if place.kind == "value" and isinstance(x, Node) and is_elementwise(x):
                found.setdefault(ways[x.order], {})[place] = x
        return (stores for stores in found.values() if len(stores) > 1)

    def ways(self) -> dict[int, int]:
        """How each node is computed, as a number: equal for what may be computed side by side."""
        numbers: dict[Any, int] = {}
        ways: dict[int, int] = {}
        for x in (*self.program.inputs.values(), *self.program.nodes):
            key: Any = x.order
            if is_elementwise(x):
                parts = (ways[p.order] if isinstance(p, Node) else repr(p) for p in x.inputs)
                key = x.function, dtype_of(x), *parts
            elif shape_of(x) and (x.function is not None or x.order in self.place_of):
                key = x.function is None, dtype_of(x)
            ways[x.order] = numbers.setdefault(key, len(numbers))
        return ways

    def take(self, stores: dict[Place, Node]) -> None:
        """Puts these side by side with all that leads there; nothing, if a part cannot be."""
        columns, whole_of = dict(self.columns), dict(self.whole_of)
        todo: list[Column] = [tuple(stores.values())]
        fits = side_by_side(whole_of, tuple(stores))
        while todo and fits:
            column = todo.pop()
            orders = [x.order for x in column]
            if columns.get(orders[0]) == column:
                continue
            fits = len(set(orders)) == len(orders) and hold(columns, orders, column)
            if column[0].function is None:
                fits = fits and side_by_side(whole_of, tuple(self.place_of[k] for k in orders))
            elif is_elementwise(column[0]):
                todo += filter(is_column, zip(*(x.inputs for x in column), strict=True))
        if fits:
            self.columns, self.whole_of = columns, whole_of

    def is_whole(self) -> bool:
        """Whether what stands side by side is written all at once, or not at all."""
        for whole in self.whole_of.values():
            ends = tuple(self.program.stores.get(p) for p in whole.holder)
            written = [isinstance(x, Node) and self.columns.get(x.order) == ends for x in ends]
            if not all(written) and any(x is not None for x in ends):
                return False
        return True

    def can_wait(self) -> bool:
        """Whether nothing that is done alike is needed before the last of its column is there."""
        when = self.moments()
        return all(when[x.order] < when[n.order] for n in self.program.nodes for x in n.parents)

    def moments(self) -> dict[int, int]:
        """When each node is computed: those of a column all at once, with the last of them."""
        when = {x.order: -1 for x in self.program.inputs.values()}
        when |= {node.order: k for k, node in enumerate(self.program.nodes)}
        last = {
            order: max(when[x.order] for x in column)
            for order, column in self.columns.items()
            if is_elementwise(column[0])
        }
        return when | last

    # --- and done once ---

    def fused(self) -> Program:
        """The program on vectors of all that stands side by side."""
        if not self.groups:
            return self.program
        inputs = {p: x for p, x in self.program.inputs.items() if p not in self.whole_of}
        vectors = Vectors(self.columns)
        for column in dict.fromkeys(self.columns.values()):
            if column[0].function is None:
                whole = self.whole_of[self.place_of[column[0].order]]
                inputs[whole] = vectors.sliced(column, None)
        when = self.moments()
        for node in sorted(self.program.nodes, key=lambda x: when[x.order]):
            vectors.add(node)
        stores = {p: x for p, x in self.program.stores.items() if p not in self.whole_of}
        stores = {p: kept_apart(replaced(x, vectors.new)) for p, x in stores.items()}
        for whole in self.groups:
            ends = tuple(self.program.stores.get(p) for p in whole.holder)
            if ends in vectors.known:
                stores[whole] = vectors.known[ends]
        outputs = [kept_apart(x) for x in replaced(self.program.outputs, vectors.new)]
        nodes = [x for x in ancestors([*outputs, *stores.values()]) if x.function is not None]
        note = f"{sum(is_elementwise(c[0]) for c in vectors.known)} done for many arrays at once"
        return Program(inputs, nodes, outputs, stores, [*self.program.notes, note])


class Vectors:
    """The nodes of a new program, in which columns are vectors.

    Attributes:
        new: the new node of every old one, by order.
        known: the vectors of columns.
    """

    def __init__(self, columns: dict[int, Column]) -> None:
        self.columns = columns
        self.new: dict[int, Node] = {}
        self.known: dict[Any, Node] = {}

    def add(self, node: Node) -> None:
        """Adds what computes a node, or the whole column that it is of."""
        column = self.columns.get(node.order)
        if column is None or not is_elementwise(node):
            inputs, settings = replaced((node.inputs, dict(node.settings)), self.new)
            self.new[node.order] = computed(node.function, inputs, node.array, **settings)
        elif column not in self.known:
            rows = zip(*(x.inputs for x in column), strict=True)
            self.sliced(column, node.function, *map(self.operand, rows))

    def operand(self, row: tuple[Any, ...]) -> Any:
        """What an operation computes with, in the place of what those of a column did."""
        if not is_column(row):
            return replaced(row[0], self.new)
        if row not in self.known:
            parts = tuple(self.new[x.order] for x in row)
            self.known[row] = computed(join, parts, vector(size_of(row), row))
        return self.known[row]

    def sliced(self, column: Column, function: Any, *inputs: Any) -> Node:
        """The vector of a column, computed so; the nodes of the column become slices of it."""
        whole = self.known[column] = computed(function, inputs, vector(size_of(column), column))
        start = 0
        for x in column:
            where = slice(start, start := start + np.size(x.array))
            part = computed(operator.getitem, (whole, where), vector(np.size(x.array), column))
            if shape_of(x) != shape_of(part):
                part = computed(np.reshape, (part, shape_of(x)), x.array)
            self.new[x.order] = part
        return whole


def is_elementwise(x: Node) -> bool:
    """Whether it is small, and each element made of those that stand where it does, and numbers."""
    if x.function not in EXACT or x.settings:
        return False
    known = all(isinstance(part, Node) or is_scalar(part) for part in x.inputs)
    shapes = {shape_of(part) for part in x.inputs} - {()}
    return known and shapes == {shape_of(x)} and 0 < np.size(x.array) * dtype_of(x).itemsize <= MOST


def is_column(row: tuple[Any, ...]) -> bool:
    """Whether these are arrays; otherwise they are one number, for all arrays."""
    return shape_of(row[0]) != ()


def hold(known: dict[Any, Any], keys: Iterable[Any], value: Any) -> bool:
    """Keeps the value for all keys; whether none of them has another one."""
    return all(known.setdefault(key, value) == value for key in keys)


def side_by_side(whole_of: dict[Place, Place], places: tuple[Place, ...]) -> bool:
    """Makes one place of these; whether none of them is part of another one."""
    whole = whole_of.get(places[0], Place("side by side", places))
    return whole.holder == places and hold(whole_of, places, whole)


def size_of(column: Column) -> int:
    return sum(np.size(x.array) for x in column)


def vector(n: int, column: Column) -> np.ndarray:
    """n elements of the dtype of a column, of which no one is ever looked at."""
    return np.broadcast_to(np.zeros((), dtype_of(column[0])), (n,))
