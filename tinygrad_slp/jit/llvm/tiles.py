"""Products of matrices, α·a·b + β·c, in tiles: a few rows by a few vectors, summed in registers.

For each k the tile takes a column of a, number by number, and a row of b, vector by vector: with r
rows and v vectors that is r + v loads for r·v multiply-adds, so it waits for arithmetic alone, if
the numbers come in time. So what several tiles read is first copied, in the order they read it in,
unless it is in the nearest cache anyway. Goto and van de Geijn, Anatomy of high-performance matrix
multiplication, 2008, have more, for matrices that are too large for the second cache.
"""

from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of
from .blocks import Frame
from .ir import Builder, Value
from .lowering import fma
from .matrices import LINE, Matrix, called_on, emit_copy, in_c_order, parts
from .rewriting import gemm
from .vectors import at, cast, constant, counting, in_chunks, index, load, splat, store

NEAR = 2**15
"""Bytes that the nearest cache holds."""
AT_ONCE = 8
"""Multiply-adds that begin before the result of the first is there; and the most rows of a tile."""


def emit_product(frame: Frame, node: Node) -> None:
    """Emits a product of matrices and vectors."""
    x, y, out = map(frame.array_of, (*node.inputs[-2:], node))
    x = x[np.newaxis, :] if x.ndim == 1 else x
    y = y[:, np.newaxis] if y.ndim == 1 else y
    left, right, new = (
        Matrix(frame.pointer_to(z), (len(z), z.shape[1]), (z.strides[0], z.strides[1]), z.dtype)
        for z in (x, y, out.reshape(len(x), y.shape[1]))
    )
    old, numbers = None, (1, 0)
    if node.function is gemm:
        old = replace(new, start=frame.pointer_to(frame.array_of(node.inputs[0])))
        numbers = node.settings["alpha"], node.settings["beta"]
    alpha, beta = (scale(frame, number, out.dtype) for number in numbers)
    emit_tiles(frame, left, right, Result(new, old, alpha, beta), frame.width // out.itemsize)


def scale(frame: Frame, x: Any, dtype: np.dtype) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    number = load(frame.b, frame.pointer_to(frame.array_of(x)), dtype_of(x), 1)
    return cast(frame.b, number, dtype_of(x), dtype)


def tile_of(n: int, lanes: int, width: int, large: bool) -> tuple[int, int]:
    """How many rows and vectors a tile has, for registers of so many bytes.

    As many as they hold, if the result is large; else no more than keep the processor busy, as the
    code of a tile that is small is not shared with others.
    """
    registers, most = (32, 3) if width == 64 else (16, 2)
    vectors = min(most, -(-n // lanes))
    if large:
        return min(AT_ONCE, (registers - 2) // vectors - 1), vectors
    return AT_ONCE // vectors, vectors


@dataclass(frozen=True)
class Result:
    """Where a product goes: c = α·a·b + β·d, or c = a·b if there is no d; both in C order."""

    c: Matrix
    d: Matrix | None
    alpha: Value
    beta: Value

    def part(self, b: Builder, i: Value, j: Value, shape: tuple[int, int]) -> "Result":
        def here(x: Matrix) -> Matrix:
            return x.rows(b, i, shape[0]).columns(b, j, shape[1])

        return replace(self, c=here(self.c), d=here(self.d) if self.d else None)

    def keep(self, b: Builder, sums: list[Value], widths: list[int]) -> None:
        """Stores the product of a and b, of which these are the vectors, row by row."""
        dtype = self.c.dtype
        places = self.c.places(b, widths)
        if self.d is None:
            for total, place in zip(sums, places, strict=True):
                store(b, total, place, dtype)
            return
        scales = zip(*(splats(b, x, widths) for x in (self.alpha, self.beta)), strict=True)
        before = self.d.places(b, widths)
        for total, place, old, (alpha, beta) in zip(sums, places, before, cycle(scales)):
            kept = b.fmul(beta, load(b, old, dtype, total.type.count))
            store(b, fma(b, alpha, total, kept), place, dtype)


def emit_tiles(frame: Frame, x: Matrix, y: Matrix, result: Result, lanes: int) -> None:
    """Emits the product x·y, tile by tile.

    Args:
        lanes: numbers in a vector register.
    """
    b, (m, k), n = frame.b, x.shape, y.shape[1]
    large = result.c.nbytes > NEAR
    rows, vectors = tile_of(n, lanes, frame.width, large)
    width = min(n, vectors * lanes)
    copies_x = not x.has_rows and x.nbytes > NEAR and n > width
    copies_y = not y.has_rows or (y.nbytes > NEAR and m > rows)
    column = k * x.dtype.itemsize
    room = -(-column * width // LINE) * LINE
    start = y.start
    if copies_x or copies_y:
        start = frame.block(frame.blocks.scratch(room + x.nbytes * copies_x))

    def panel(b: Builder, i: Value, height: int) -> Matrix:
        """Some rows of x; of its copy, if there is one, which has a panel behind the other."""
        if not copies_x:
            return x.rows(b, i, height)
        offset = b.add(index(room), b.mul(i, index(column)))
        return in_c_order(at(b, start, offset), (k, height), x.dtype).T

    def copy_panel(b: Builder, i: Value, height: int) -> None:
        emit_copy(b, x.rows(b, i, height).T, panel(b, i, height).start, lanes, not large)

    def strip(b: Builder, j: Value, columns: int) -> None:
        right = y.columns(b, j, columns)
        right = emit_copy(b, right, start, lanes, not large) if copies_y else right

        def tile(b: Builder, i: Value, height: int) -> None:
            part = result.part(b, i, j, (height, columns))
            call_tile(b, panel(b, i, height), right, part, lanes, large)

        in_chunks(b, m, rows, tile)

    if large:  # all that is in this function, which is never inlined, is calls
        b.function.marks += " optnone"
    if copies_x:
        in_chunks(b, m, rows, copy_panel)
    in_chunks(b, n, width, strip)


def call_tile(b: Builder, x: Matrix, y: Matrix, result: Result, lanes: int, large: bool) -> None:
    """Emits a call of a function that is for all tiles of this shape.

    Args:
        large: whether it is part of a result that is in no near cache.
    """
    (rows, k), columns = x.shape, y.shape[1]

    def emit(b: Builder, x: Matrix, y: Matrix, c: Matrix, *rest: Any) -> None:
        *d, k, alpha, beta = rest
        x, y = replace(x, shape=(rows, k)), replace(y, shape=(k, columns))
        widths = parts(columns, lanes)
        if large:
            c.prefetch(b)
        whole = Result(c, d[0] if d else None, alpha, beta)
        whole.keep(b, emit_sums(b, x, y, widths), widths)

    places = [result.c] if result.d is None else [result.c, result.d]
    given = [replace(x, shape=(rows, "k")), replace(y, shape=("k", columns)), *places]
    called_on(b, "tile", given, [index(k), result.alpha, result.beta], emit, inline=not large)


def emit_sums(b: Builder, x: Matrix, y: Matrix, widths: list[int]) -> list[Value]:
    """Emits x·y; returns its rows, vector by vector."""
    (rows, k), dtype = x.shape, y.dtype
    zeros = [constant(dtype, 0, n) for _ in range(rows) for n in widths]
    with counting(b, k, 1, zeros) as (i, sums, ends):
        column, row = x.columns(b, i, 1), y.rows(b, i, 1)
        line = [load(b, p, dtype, n) for p, n in zip(row.places(b, widths), widths, strict=True)]
        old = iter(sums)
        for place in column.lines(b):
            number = load(b, place, dtype, 1)
            factors = splats(b, number, widths)
            ends += [fma(b, u, v, next(old)) for u, v in zip(factors, line, strict=True)]
    return list(ends)


def splats(b: Builder, x: Value, widths: list[int]) -> list[Value]:
    """Vectors of these widths, which have one number in every lane."""
    made = {n: splat(b, x, n) for n in widths}
    return [made[n] for n in widths]
