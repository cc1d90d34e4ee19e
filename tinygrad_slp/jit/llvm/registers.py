"""Small programs, whole in registers: every value is one vector, and parameters stay there.

What only moves elements becomes a shuffle, found by moving their positions with NumPy itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, shape_of
from ..program import Program, is_move, reduced_by
from ..trace import Place
from .fusion import is_elementwise, kind_of
from .ir import INDEX, Builder, Value
from .lanes import (
    at,
    cast,
    constant,
    constants,
    count,
    index,
    is_lowered,
    leave_if,
    load,
    shuffled,
    splat,
    store,
    times,
)  # fmt: skip
from .lowering import combine, emit, fma

MOST_ELEMENTS = 64
MOST_NODES = 400


def fits(program: Program) -> bool:
    """Whether a program is small enough to be kept in registers, and has nothing by index."""
    nodes = [*program.inputs.values(), *program.nodes]
    values = [*nodes, *program.outputs, *program.stores.values()]
    return (
        len(nodes) <= MOST_NODES
        and all(0 < size_of(x) <= MOST_ELEMENTS and is_lowered(dtype_of(x)) for x in values)
        and all(is_move(x) or kind_of(x)[0] in ("loop", "product") for x in program.nodes)
        and all(condition is None for _, condition in program.checks)
    )


def size_of(x: Any) -> int:
    return int(np.prod(shape_of(x), dtype=int))


class Registers:
    """The values of one step, as they are emitted.

    Args:
        values: of the inputs, by the order of their nodes.
    """

    def __init__(self, b: Builder, values: dict[int, Value]) -> None:
        self.b = b
        self.values = dict(values)

    def compute(self, program: Program, leave: Callable[[], object]) -> None:
        checked = {x.order for x, _ in program.checks}
        for node in program.nodes:
            self.values[node.order] = self.computed(node)
            if node.order in checked:
                leave_if(self.b, self.values[node.order], leave)

    def value(self, x: Any) -> Value:
        """The value of a node or constant, flat."""
        if isinstance(x, Node):
            return self.values[x.order]
        return constants(dtype_of(x), np.ravel(x).tolist())

    def computed(self, node: Node) -> Value:
        if is_elementwise(node):
            shape = shape_of(node)
            return emit(self.b, node, size_of(node), lambda x: self.broadcast(x, shape))
        if is_move(node):
            base, *others = node.inputs
            where: Any = node.function
            moved = where(positions(shape_of(base)), *others, **node.settings)
            return shuffled(self.b, self.value(base), np.ravel(moved))
        ufunc = reduced_by(node)
        return self.product(node) if ufunc is None else self.reduced(ufunc, node)

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Value:
        wide = np.broadcast_to(positions(shape_of(x)), shape)
        return shuffled(self.b, self.value(x), np.ravel(wide))

    def reduced(self, ufunc: np.ufunc, node: Node) -> Value:
        """Columns of what is reduced together, combined in pairs, then pairs of pairs."""
        (x,) = node.inputs
        dtype, axes = dtype_of(node), node.settings["axis"]
        where = np.moveaxis(positions(shape_of(x)), axes, range(-len(axes), 0))
        columns = where.reshape(size_of(node), -1).T
        value = cast(self.b, self.value(x), dtype_of(x), dtype)
        parts = [shuffled(self.b, value, column) for column in columns]
        return paired(parts, lambda x, y: combine(self.b, ufunc, dtype, x, y))

    def product(self, node: Node) -> Value:
        """Σ a[:, k] ⊗ b[k, :], one fused multiply-add for each k.

        The first is added to 0, as a BLAS does: so that −0 of all products makes 0.
        """
        x, y = (self.value(z) for z in node.inputs)
        left, right = (positions(shape_of(z)) for z in node.inputs)
        left, right = left.reshape(-1, left.shape[-1]), right.reshape(len(right), -1)
        total = constant(dtype_of(node), 0, size_of(node))
        for column, row in zip(left.T, right, strict=True):
            u = shuffled(self.b, x, np.repeat(column, len(row)))
            v = shuffled(self.b, y, np.tile(row, len(column)))
            total = fma(self.b, u, v, total)
        return total


def paired(parts: list[Value], combine: Callable[[Value, Value], Value]) -> Value:
    """All parts combined: in pairs, then pairs of pairs."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [combine(x, y) for x, y in pairs] + parts[len(parts) // 2 * 2 :]
    return parts[0]


def positions(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)


# --- the loop around a step ---


def emit_loop(
    program: Program,
    b: Builder,
    pointers: Callable[[Place], Value],
    results: Sequence[Value],
    n: Value,
    argument: Callable[[Place, Value], Value] | None,
) -> None:
    """Emits n steps, whose parameters are loaded before and stored after them.

    The function returns how many were done: the first one that fails a check leaves nothing.

    Args:
        pointers: where each place stands.
        results: where the results of the first step go; those of the next stand behind.
        argument: where an argument stands in step i; None if it is the same in all of them.
    """

    def keep(values: Mapping[Place, Value]) -> None:
        for place, value in values.items():
            like = program.inputs.get(place, program.stores[place])
            store(b, value, pointers(place), dtype_of(like))

    moving = [p for p in program.inputs if argument is not None and p.kind == "argument"]
    fixed = {
        x.order: read(b, pointers(p), x)
        for p, x in program.inputs.items()
        if p not in program.stores and p not in moving
    }
    carried = {p: read(b, pointers(p), program.inputs.get(p, x)) for p, x in program.stores.items()}
    before = b.block
    body, after = b.append_block(), b.append_block()
    b.branch(body)
    b.position_at_end(body)
    i = b.phi(INDEX)
    phis = {place: b.phi(value.type) for place, value in carried.items()}
    values = dict(fixed)
    for place, x in program.inputs.items():
        if place in phis:
            values[x.order] = phis[place]
        elif place in moving:
            assert argument is not None
            values[x.order] = read(b, argument(place, i), x)

    def leave() -> None:
        keep(phis)
        b.ret(i)

    step = Registers(b, values)
    step.compute(program, leave)
    for pointer, x in zip(results, program.outputs, strict=True):
        size = size_of(x) * dtype_of(x).itemsize
        store(b, step.value(x), at(b, pointer, times(b, i, size)), dtype_of(x))
    following = b.add(i, index(1))
    last = b.block
    i.add_incoming(index(0), before)
    i.add_incoming(following, last)
    ends = {}
    for place, x in program.stores.items():
        old = program.inputs.get(place, x)
        value = cast(b, step.value(x), dtype_of(x), dtype_of(old))
        ends[place] = (
            value if count(value) == count(phis[place]) else splat(b, value, count(phis[place]))
        )
        phis[place].add_incoming(carried[place], before)
        phis[place].add_incoming(ends[place], b.block)
    b.cbranch(b.icmp_signed("<", following, n), body, after)
    b.position_at_end(after)
    keep(ends)
    b.ret(following)


def read(b: Builder, pointer: Value, x: Any) -> Value:
    return load(b, pointer, dtype_of(x), size_of(x))
