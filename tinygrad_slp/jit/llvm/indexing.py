"""Elements read and written by index: moves that are no views, x[indices], and its transpose."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import shape_of
from ..memory import view
from ..program import is_move
from .ir import Builder, Value
from .kernels import Pointer, counting, in_chunks
from .lanes import at, cast, constant, index, load, store, times
from .lowering import combine

INT = np.dtype(np.int64)
ArrayOf = Callable[[Any], np.ndarray]


def emit_gather(b: Builder, node: Node, array_of: ArrayOf, pointer_of: Pointer, lanes: int) -> None:
    """Emits y = x[indices], or a move of x that is known beforehand."""
    x, out = array_of(node.inputs[0]), array_of(node)
    if is_move(node):
        moved = np.ascontiguousarray(view(node, offsets(x))).reshape(-1)
        emit_move(b, x, out, pointer_of, pointer_of(moved), moved.size)
        return
    source, target = pointer_of(x), pointer_of(out)
    parts, size = indices_of(node.inputs[1]), x.itemsize
    rest = int(np.prod(x.shape[len(parts) :], dtype=int))

    def act(element: Value, e: Value) -> None:
        def row(b: Builder, i: Value, n: int) -> None:
            value = load(b, at(b, element, times(b, i, size)), x.dtype, n)
            store(
                b,
                value,
                at(b, target, times(b, b.add(b.mul(e, index(rest)), i), size)),
                x.dtype,
            )

        in_chunks(b, rest, lanes, row)

    each(b, parts, x, source, array_of, pointer_of, act)


def emit_scatter(
    b: Builder, node: Node, array_of: ArrayOf, pointer_of: Pointer, lanes: int
) -> None:
    """Emits zeros, with x added at the indices."""
    (given,) = node.inputs
    x, out = array_of(given), array_of(node)
    dtype = out.dtype
    target, source, size = pointer_of(out), pointer_of(x), dtype.itemsize

    def clear(b: Builder, i: Value, n: int) -> None:
        store(b, constant(dtype, 0, n), at(b, target, times(b, i, size)), dtype)

    in_chunks(b, out.size, lanes, clear)
    parts = indices_of(node.settings["index"])
    rest = int(np.prod(out.shape[len(parts) :], dtype=int))

    def act(element: Value, e: Value) -> None:
        def row(b: Builder, i: Value, n: int) -> None:
            pointer = at(b, element, times(b, i, size))
            added = load(
                b, at(b, source, times(b, b.add(b.mul(e, index(rest)), i), size)), dtype, n
            )
            store(b, combine(b, np.add, dtype, load(b, pointer, dtype, n), added), pointer, dtype)

        in_chunks(b, rest, lanes, row)

    each(b, parts, out, target, array_of, pointer_of, act)


def emit_move(
    b: Builder, x: np.ndarray, out: np.ndarray, pointer_of: Pointer, table: Value, n: int
) -> None:
    source, target, size = pointer_of(x), pointer_of(out), x.itemsize
    with counting(b, n) as i:
        offset = load(b, at(b, table, times(b, i, 8)), INT, 1)
        value = load(b, at(b, source, offset), x.dtype, 1)
        store(b, value, at(b, target, times(b, i, size)), x.dtype)


def offsets(x: np.ndarray) -> np.ndarray:
    """How many bytes behind the first each element of an array stands."""
    total = np.zeros(x.shape, dtype=np.int64)
    for axis, (n, stride) in enumerate(zip(x.shape, x.strides, strict=True)):
        shape = [n if k == axis else 1 for k in range(x.ndim)]
        total += np.arange(n).reshape(shape) * stride
    return total


def indices_of(given: Any) -> list[Any]:
    """The indices along the first axes."""
    return list(given) if isinstance(given, tuple) else [given]


def each(
    b: Builder, parts: Sequence[Any], x: np.ndarray, base: Value,
    array_of: ArrayOf, pointer_of: Pointer, act: Callable[[Value, Value], None],
) -> None:  # fmt: skip
    """Goes through all indices: act(a pointer to what they name, the number of the index)."""
    shape = np.broadcast_shapes(*[shape_of(part) for part in parts])
    tables = []
    for part in parts:
        array = array_of(part) if isinstance(part, Node) or np.ndim(part) else np.asarray(part)
        tables.append((pointer_of(array), np.broadcast_to(array, shape).strides, array.dtype))

    def walk(axis: int, pointers: list[Value], e: Value) -> None:
        if axis < len(shape):
            with counting(b, shape[axis]) as i:
                moved = [
                    at(b, p, times(b, i, strides[axis]))
                    for p, (_, strides, _) in zip(pointers, tables, strict=True)
                ]
                walk(axis + 1, moved, b.add(b.mul(e, index(shape[axis])), i))
            return
        offset = index(0)
        for p, (_, _, dtype), n, stride in zip(pointers, tables, x.shape, x.strides, strict=False):
            i = cast(b, load(b, p, dtype, 1), dtype, INT)
            i = b.select(b.icmp_signed("<", i, index(0)), b.add(i, index(n)), i)
            offset = b.add(offset, b.mul(i, index(stride)))
        act(at(b, base, offset), e)

    walk(0, [pointer for pointer, _, _ in tables], index(0))
