"""Small programs, whole in registers: every value is one vector, and parameters stay there.

What only moves elements becomes a shuffle, found by moving their positions with NumPy itself.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, shape_of
from ..program import Program, is_move, known_as, reduced_by
from ..trace import Place
from ..traced import SCATTER
from .elementwise import fma
from .ir import BYTE, INDEX, Builder, Value
from .kernels import APART
from .lanes import (
    at,
    cast,
    constant,
    constants,
    count,
    index,
    joined,
    lanes,
    leave_if,
    load,
    number,
    parted,
    room,
    shuffled,
    splat,
    store,
    times,
)  # fmt: skip
from .operation import NotLowered, combine, emit, is_elementwise, is_index

MOST_ELEMENTS = 64
MOST_NODES = 400


def fits(program: Program) -> bool:
    """Whether a program is small enough to be kept in registers."""
    nodes = [*program.inputs.values(), *program.nodes]
    values = [*nodes, *program.outputs, *program.stores.values()]
    return len(nodes) <= MOST_NODES and all(
        np.size(x.array if isinstance(x, Node) else x) <= MOST_ELEMENTS for x in values
    )


class Registers:
    """The values of one step, as they are emitted.

    Args:
        values: of the inputs, by the order of their nodes.
    """

    def __init__(self, b: Builder, values: dict[int, Value]) -> None:
        self.b = b
        self.values = dict(values)
        self.terms: dict[int, list[Value]] = {}

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
        function: Any = node.function
        if is_elementwise(node):
            shape = shape_of(node)
            if function is np.add and (terms := self.terms_of(node)):
                return paired(terms, self.b.fadd)
            n = int(np.prod(shape, dtype=int))
            return emit(self.b, node, n, lambda x: self.broadcast(x, shape))
        if is_move(node):
            base, *others = node.inputs
            moved = function(positions(shape_of(base)), *others, **node.settings)
            return shuffled(self.b, self.value(base), np.ravel(moved))
        if (ufunc := reduced_by(node)) is not None:
            return self.reduced(ufunc, node)
        if function in (np.dot, np.matmul):
            return self.product(node)
        if function is operator.getitem:
            return self.gathered(node)
        if function is SCATTER:
            return self.scattered(node)
        raise NotLowered(known_as(node))

    def terms_of(self, node: Node) -> list[Value]:
        """What is added up in a sum of a product and something else, which need not wait for it."""
        for x, other in (node.inputs, node.inputs[::-1]):
            alike = shape_of(x) == shape_of(node) and dtype_of(x) == dtype_of(other)
            if isinstance(x, Node) and x.order in self.terms and alike:
                return [*self.terms[x.order], self.broadcast(other, shape_of(node))]
        return []

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Value:
        wide = np.broadcast_to(positions(shape_of(x)), shape)
        return shuffled(self.b, self.value(x), np.ravel(wide))

    def reduced(self, ufunc: np.ufunc, node: Node) -> Value:
        """Columns of what is reduced together, combined in pairs, then pairs of pairs."""
        (x,) = node.inputs
        dtype, axes = dtype_of(node), node.settings["axis"]
        where = np.moveaxis(positions(shape_of(x)), axes, range(-len(axes), 0))
        columns = where.reshape(max(np.size(node.array), 1), -1).T
        if not columns.size:
            raise NotLowered(f"{known_as(node)} of nothing")
        value = cast(self.b, self.value(x), dtype_of(x), dtype)
        parts = [shuffled(self.b, value, column) for column in columns]
        return paired(parts, lambda x, y: combine(self.b, ufunc, dtype, x, y))

    def product(self, node: Node) -> Value:
        """Σ a[:, k] ⊗ b[k, :], one fused multiply-add for each k, in sums that do not wait.

        The first is added to 0, as a BLAS does: so that −0 of all products makes 0.
        """
        left, right, k = matrices(node)
        b, dtype = self.b, dtype_of(node)
        if dtype.kind != "f" or {dtype_of(x) for x in node.inputs} != {dtype}:
            raise NotLowered(f"{known_as(node)} of {dtype}")
        x, y = (self.value(z) for z in node.inputs)
        sums: list[Value] = []
        for i in range(k):
            column = np.repeat(left[:, i], right.shape[1])
            row = np.tile(right[i], left.shape[0])
            u, v = shuffled(b, x, column), shuffled(b, y, row)
            if i == 0:
                sums.append(fma(b, u, v, constant(dtype, 0, count(u))))
            elif i < APART:
                sums.append(b.fmul(u, v))
            else:
                sums[i % APART] = fma(b, u, v, sums[i % APART])
        if not sums:
            return constant(dtype, 0, left.shape[0] * right.shape[1])
        self.terms[node.order] = sums
        return paired(sums, b.fadd)

    # --- by index ---

    def gathered(self, node: Node) -> Value:
        """x[indices], by way of memory."""
        x, indices = node.inputs
        dtype, b = dtype_of(node), self.b
        base = self.spilled(self.value(x), dtype)
        return joined(b, [load(b, p, dtype, 1) for p in self.elements(base, x, indices, node)])

    def scattered(self, node: Node) -> Value:
        """Zeros, with x added at the indices, by way of memory."""
        (x,) = node.inputs
        dtype, b = dtype_of(node), self.b
        n = int(np.prod(node.settings["shape"], dtype=int))
        base = self.spilled(constant(dtype, 0, n), dtype)
        indices = node.settings["index"]
        pointers = self.elements(base, np.empty(node.settings["shape"], dtype), indices, x)
        for pointer, part in zip(pointers, parted(b, self.value(x)), strict=True):
            old = load(b, pointer, dtype, 1)
            store(b, combine(b, np.add, dtype, old, part), pointer, dtype)
        return load(b, base, dtype, n)

    def spilled(self, x: Value, dtype: np.dtype) -> Value:
        """A place on the stack that holds a value."""
        pointer = room(self.b, lanes(BYTE if dtype.kind == "b" else number(dtype), count(x)))
        store(self.b, x, pointer, dtype)
        return pointer

    def elements(self, base: Value, x: Any, indices: Any, like: Any) -> list[Value]:
        """Pointers to the elements of x that the indices name, in the shape of `like`."""
        dtype, shape = dtype_of(x), shape_of(x)
        parts = indices if isinstance(indices, tuple) else (indices,)
        if not all(is_index(part) for part in parts) or len(parts) != len(shape):
            raise NotLowered("an index of slices and arrays")
        wide = shape_of(like)
        total: Any = constant(np.dtype(np.int64), 0, int(np.prod(wide, dtype=int)))
        for part, n, stride in zip(parts, shape, strides(shape), strict=True):
            at_axis = cast(self.b, self.broadcast(part, wide), dtype_of(part), np.dtype(np.int64))
            total = self.b.add(total, scaled(self.b, wrapped(self.b, at_axis, n), stride))
        size = dtype.itemsize
        return [at(self.b, base, times(self.b, i, size)) for i in parted(self.b, total)]


def paired(parts: list[Value], combine: Callable[[Value, Value], Value]) -> Value:
    """All parts combined: in pairs, then pairs of pairs."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [combine(x, y) for x, y in pairs] + parts[len(parts) // 2 * 2 :]
    return parts[0]


def positions(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)


def strides(shape: tuple[int, ...]) -> list[int]:
    """How many elements further the next one along each axis is."""
    return [int(np.prod(shape[k + 1 :], dtype=int)) for k in range(len(shape))]


def wrapped(b: Builder, i: Value, n: int) -> Value:
    """An index counted from the front."""
    zero = constant(np.dtype(np.int64), 0, count(i))
    size = constant(np.dtype(np.int64), n, count(i))
    return b.select(b.icmp_signed("<", i, zero), b.add(i, size), i)


def scaled(b: Builder, i: Value, stride: int) -> Value:
    return b.mul(i, constant(np.dtype(np.int64), stride, count(i)))


def matrices(node: Node) -> tuple[np.ndarray, np.ndarray, int]:
    """The positions of both factors of a product as matrices, and the length of what is summed.

    Raises:
        NotLowered: a factor has more than two axes, or none.
    """
    left, right = (positions(shape_of(x)) for x in node.inputs)
    if not (1 <= left.ndim <= 2 and 1 <= right.ndim <= 2):
        raise NotLowered(f"{known_as(node)} of arrays of {left.ndim} and {right.ndim} axes")
    left = left.reshape(1, -1) if left.ndim == 1 else left
    right = right.reshape(-1, 1) if right.ndim == 1 else right
    return left, right, left.shape[1]


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
        size = int(np.size(x.array if isinstance(x, Node) else x)) * dtype_of(x).itemsize
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
    return load(b, pointer, dtype_of(x), int(np.size(x.array if isinstance(x, Node) else x)))
