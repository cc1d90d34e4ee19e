"""Small programs, whole in registers: every value is one vector, and parameters stay there.

What only moves elements becomes a shuffle, found by moving their positions with NumPy itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, shape_of
from ..program import Program, is_move, reduced_by
from ..trace import Place
from .fusion import is_elementwise, kind_of
from .ir import Builder, Value
from .lowering import combine, emit, fma
from .vectors import (
    at,
    cast,
    constant,
    constants,
    counting,
    is_lowered,
    leave_if,
    load,
    shuffled,
    splat,
    store,
    times,
)  # fmt: skip

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
            return emit(self.b, node, size_of(node), lambda x, d: self.broadcast(x, d, shape))
        if is_move(node):
            base, *others = node.inputs
            where: Any = node.function
            moved = where(positions(shape_of(base)), *others, **node.settings)
            return shuffled(self.b, self.value(base), np.ravel(moved))
        ufunc = reduced_by(node)
        return self.product(node) if ufunc is None else self.reduced(ufunc, node)

    def broadcast(self, x: Any, dtype: np.dtype, shape: tuple[int, ...]) -> Value:
        wide = np.broadcast_to(positions(shape_of(x)), shape)
        return shuffled(self.b, cast(self.b, self.value(x), dtype_of(x), dtype), np.ravel(wide))

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

    places, moving = list(program.stores), argument is not None
    likes = [program.inputs.get(place, x) for place, x in program.stores.items()]
    values: dict[int, Value] = {
        x.order: read(b, pointers(p), x)
        for p, x in program.inputs.items()
        if p not in program.stores and not (moving and p.kind == "argument")
    }

    def keep(stored: Sequence[Value]) -> None:
        for place, like, value in zip(places, likes, stored, strict=True):
            store(b, value, pointers(place), dtype_of(like))

    def leave() -> None:
        keep(before)
        b.ret(i)

    starts = [read(b, pointers(p), like) for p, like in zip(places, likes, strict=True)]
    with counting(b, n, 1, starts) as (i, before, after):
        now = dict(zip(places, before, strict=True))
        for place, x in program.inputs.items():
            if place in now:
                values[x.order] = now[place]
            elif argument is not None and place.kind == "argument":
                values[x.order] = read(b, argument(place, i), x)
        step = Registers(b, values)
        step.compute(program, leave)
        for pointer, x in zip(results, program.outputs, strict=True):
            size = size_of(x) * dtype_of(x).itemsize
            store(b, step.value(x), at(b, pointer, times(b, i, size)), dtype_of(x))
        for x, old, like in zip(program.stores.values(), before, likes, strict=True):
            value = cast(b, step.value(x), dtype_of(x), dtype_of(like))
            wide = value.type.count == old.type.count
            after.append(value if wide else splat(b, value, old.type.count))
    keep(after)
    b.ret(n)


def read(b: Builder, pointer: Value, x: Any) -> Value:
    return load(b, pointer, dtype_of(x), size_of(x))
