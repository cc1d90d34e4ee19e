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
from .program import Program, computed, exact_text, join, kept_apart, operations, replaced
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


class HorizontalFusion:
    """What is done alike in a program, found and done once.

    Attributes:
        columns: the column of each node that is done alike with others, by order.
        group_of: the places that each place is to stand side by side with, as one `Place`.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ways = ways(program)
        self.place_of = {x.order: p for p, x in program.inputs.items() if p.kind == "value"}
        self.columns: dict[int, Column] = {}
        self.group_of: dict[Place, Place] = {}
        for places in self.alike():
            self.take(places)

    @property
    def groups(self) -> list[Place]:
        """The places that are to stand side by side, each group as one `Place`."""
        return list(dict.fromkeys(self.group_of.values()))

    # --- what is done alike ---

    def alike(self) -> Iterator[tuple[Place, ...]]:
        """The places of small arrays whose new values are computed in the same way."""
        found: dict[int, list[Place]] = {}
        for place, x in self.program.stores.items():
            if place.kind == "value" and isinstance(x, Node) and is_elementwise(x):
                found.setdefault(self.ways[x.order], []).append(place)
        return (tuple(places) for places in found.values() if len(places) > 1)

    def take(self, places: tuple[Place, ...]) -> None:
        """Puts these side by side, with all that leads there; nothing, if a part cannot be."""
        columns, group_of = dict(self.columns), dict(self.group_of)
        todo: list[tuple[Any, ...]] = [places]
        while todo:
            row = todo.pop()
            if isinstance(row[0], Place):
                group = Place("together", row)
                fits = hold(group_of, row, group)
                ends = (self.program.inputs, self.program.stores)
                rows = [tuple(where.get(place) for place in row) for where in ends]
                todo += [x for x in rows if any(part is not None for part in x)]
            elif columns.get(getattr(row[0], "order", -1)) == row:
                continue
            else:
                fits = self.is_column(row) and hold(columns, [x.order for x in row], row)
                todo += self.behind(row) if fits else []
            if not fits:
                return
        if self.can_wait(columns):
            self.columns, self.group_of = columns, group_of

    def is_column(self, row: tuple[Any, ...]) -> bool:
        """Whether these are different nodes, each computed in the same way."""
        if not all(isinstance(x, Node) for x in row):
            return False
        orders = {x.order for x in row}
        return len(orders) == len(row) and len({self.ways[order] for order in orders}) == 1

    def behind(self, column: Column) -> list[tuple[Any, ...]]:
        """What has to stand side by side for this column to do so."""
        if column[0].function is None:
            return [tuple(self.place_of[x.order] for x in column)]
        if not is_elementwise(column[0]):
            return []
        return [row for row in zip(*(x.inputs for x in column), strict=True) if are_arrays(row)]

    def can_wait(self, columns: dict[int, Column]) -> bool:
        """Whether nothing that is done alike is needed before the last of its column is there."""
        when = self.moments(columns)
        return all(when[x.order] < when[n.order] for n in self.program.nodes for x in n.parents)

    def moments(self, columns: dict[int, Column]) -> dict[int, int]:
        """When each node is computed: those of a column all at once, with the last of them."""
        when = {x.order: -1 for x in self.program.inputs.values()}
        when |= {node.order: k for k, node in enumerate(self.program.nodes)}
        last = {
            order: max(when[x.order] for x in column)
            for order, column in columns.items()
            if is_elementwise(column[0])
        }
        return when | last

    # --- and done once ---

    def fused(self) -> Program:
        """The program on vectors of all that stands side by side."""
        if not self.columns:
            return self.program
        program, vectors = self.program, Vectors(self.columns)
        inputs = {p: x for p, x in program.inputs.items() if p not in self.group_of}
        for group in self.groups:
            if group.holder[0] in program.inputs:
                column = tuple(program.inputs[p] for p in group.holder)
                inputs[group] = vectors.sliced(column, None)
        when = self.moments(self.columns)
        for node in sorted(program.nodes, key=lambda x: when[x.order]):
            vectors.add(node)
        alone = {p: x for p, x in program.stores.items() if p not in self.group_of}
        stores = {p: kept_apart(replaced(x, vectors.new)) for p, x in alone.items()}
        for group in self.groups:
            if group.holder[0] in program.stores:
                stores[group] = vectors.whole(tuple(program.stores[p] for p in group.holder))
        outputs = [kept_apart(x) for x in replaced(program.outputs, vectors.new)]
        checks = [(replaced(x, vectors.new), condition) for x, condition in program.checks]
        nodes = operations(outputs, stores, checks)
        note = f"{sum(is_elementwise(c[0]) for c in vectors.known)} done for many arrays at once"
        return Program(inputs, nodes, outputs, stores, checks, [*program.notes, note])


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
            self.sliced(column, node.function, *map(self.whole, rows))

    def whole(self, row: tuple[Any, ...]) -> Any:
        """What stands for these, of a column of inputs or results: their vector, or one number."""
        if not are_arrays(row):
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


def ways(program: Program) -> dict[int, int]:
    """How each node is computed, as a number: equal for what may be computed side by side."""
    numbers: dict[Any, int] = {}
    found: dict[int, int] = {}
    place_of = {x.order: place for place, x in program.inputs.items()}
    for x in (*program.inputs.values(), *program.nodes):
        key: Any = x.order
        if is_elementwise(x):
            parts = (found[p.order] if isinstance(p, Node) else exact_text(p) for p in x.inputs)
            key = x.function, dtype_of(x), *parts
        elif shape_of(x) and (x.function is not None or place_of[x.order].kind == "value"):
            key = x.function is None, dtype_of(x)
        found[x.order] = numbers.setdefault(key, len(numbers))
    return found


def are_arrays(row: tuple[Any, ...]) -> bool:
    """Whether these are arrays, one for each place; otherwise they are one number for all."""
    return shape_of(row[0]) != ()


def hold(known: dict[Any, Any], keys: Iterable[Any], value: Any) -> bool:
    """Keeps the value for all keys; whether none of them has another one."""
    return all(known.setdefault(key, value) == value for key in keys)


def size_of(column: Column) -> int:
    return sum(np.size(x.array) for x in column)


def vector(n: int, column: Column) -> np.ndarray:
    """n elements of the dtype of a column, of which no one is ever looked at."""
    return np.broadcast_to(np.zeros((), dtype_of(column[0])), (n,))
