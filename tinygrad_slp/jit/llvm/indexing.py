"""Elements read and written by index: moves that are no views, x[indices], and its transpose."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import shape_of
from ..memory import view
from ..program import is_move
from .blocks import Frame
from .ir import Builder, Value
from .lowering import combine
from .vectors import at, cast, counting, fill, in_chunks, index, load, store, times

INT = np.dtype(np.int64)


def emit_gather(frame: Frame, node: Node) -> None:
    """Emits y = x[indices], or a move of x that is known beforehand."""
    x, out = frame.array_of(node.inputs[0]), frame.array_of(node)
    if is_move(node):
        emit_move(frame, x, out, np.ascontiguousarray(view(node, offsets(x))).reshape(-1))
        return

    def copy(b: Builder, source: Value, target: Value, n: int) -> None:
        store(b, load(b, source, x.dtype, n), target, x.dtype)

    each_row(frame, x, node.inputs[1], out, copy)


def emit_scatter(frame: Frame, node: Node) -> None:
    """Emits zeros, with x added at the indices."""
    x, out, dtype = frame.array_of(node.inputs[0]), frame.array_of(node), frame.array_of(node).dtype

    def add(b: Builder, target: Value, source: Value, n: int) -> None:
        old, new = (load(b, z, dtype, n) for z in (target, source))
        store(b, combine(b, np.add, dtype, old, new), target, dtype)

    fill(frame.b, frame.pointer_to(out), out.size, dtype, 0, frame.width // 8)
    each_row(frame, out, node.settings["index"], x, add)


def emit_move(frame: Frame, x: np.ndarray, out: np.ndarray, moved: np.ndarray) -> None:
    """Copies elements one by one, from where a table of offsets says."""
    b, (source, target, table) = frame.b, map(frame.pointer_to, (x, out, moved))
    with counting(b, moved.size) as (i, _, _):
        offset = load(b, at(b, table, times(b, i, 8)), INT, 1)
        value = load(b, at(b, source, offset), x.dtype, 1)
        store(b, value, at(b, target, times(b, i, x.itemsize)), x.dtype)


def offsets(x: np.ndarray) -> np.ndarray:
    """How many bytes after the first each element of an array is."""
    found = np.zeros(x.shape, dtype=np.int64)
    for places, stride in zip(np.indices(x.shape), x.strides, strict=True):
        found += places * stride
    return found


def each_row(
    frame: Frame,
    x: np.ndarray,
    given: Any,
    rows: np.ndarray,
    act: Callable[[Builder, Value, Value, int], None],
) -> None:
    """Acts on all that the indices name along the first axes of x, each with its part of the rows.

    Args:
        act: act(b, pointer into x, pointer into the rows, how many elements from there on).
    """
    b, size, lanes = frame.b, x.itemsize, frame.width // 8
    parts = given if isinstance(given, tuple) else (given,)
    rest = int(np.prod(x.shape[len(parts) :], dtype=int))
    start, first = frame.pointer_to(x), frame.pointer_to(rows)

    def row(element: Value, e: Value) -> None:
        def chunk(b: Builder, i: Value, n: int) -> None:
            other = at(b, first, times(b, b.add(b.mul(e, index(rest)), i), size))
            act(b, at(b, element, times(b, i, size)), other, n)

        in_chunks(b, rest, lanes, chunk)

    shape = np.broadcast_shapes(*map(shape_of, parts))
    tables = []
    for part in parts:
        array = frame.array_of(part) if np.ndim(part) or isinstance(part, Node) else np.int64(part)
        array = np.asarray(array)
        tables.append((frame.pointer_to(array), np.broadcast_to(array, shape).strides, array.dtype))

    def walk(axis: int, pointers: list[Value], e: Value) -> None:
        if axis < len(shape):
            with counting(b, shape[axis]) as (i, _, _):
                walks = (strides[axis] for _, strides, _ in tables)
                moved = [at(b, p, times(b, i, s)) for p, s in zip(pointers, walks, strict=True)]
                walk(axis + 1, moved, b.add(b.mul(e, index(shape[axis])), i))
            return
        offset = index(0)
        for p, (_, _, dtype), n, stride in zip(pointers, tables, x.shape, x.strides, strict=False):
            k = cast(b, load(b, p, dtype, 1), dtype, INT)
            k = b.select(b.icmp_signed("<", k, index(0)), b.add(k, index(n)), k)
            offset = b.add(offset, b.mul(k, index(stride)))
        row(at(b, start, offset), e)

    walk(0, [pointer for pointer, _, _ in tables], index(0))
