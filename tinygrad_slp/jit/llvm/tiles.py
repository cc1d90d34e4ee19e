"""Products of matrices in tiles: a few rows by a few vectors, whose sums stay in registers.

For each k the tile takes a column of a, number by number, and a row of b, vector by vector: with r
rows and v vectors that is r + v loads for r·v multiply-adds, so it waits for arithmetic alone, if
the numbers come in time. So what several tiles read is first copied, in the order they read it in,
unless it is in the nearest cache anyway. Goto and van de Geijn, Anatomy of high-performance matrix
multiplication, 2008, have more, for matrices that are too large for the second cache.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from .ir import Builder, Value
from .kernels import counting, in_chunks
from .lanes import at, constant, count, index, load, splat, store
from .lowering import fma
from .matrices import LINE, Matrix, called_on, copied, in_c_order, parts

WAIT = 4
"""Multiply-adds, of two at a time, that begin before the result of the first is there."""
NEAR = 2**15
"""Bytes that the nearest cache holds."""
MOST_ROWS = 8
"""Rows of a tile of a large result: products of other sizes have tiles of the same shapes then."""


def best_tile(m: int, n: int, lanes: int, registers: int, large: bool) -> tuple[int, int]:
    """How many rows and vectors a tile should have: what takes few cycles, and little code.

    Arithmetic and loads are counted; the small terms, for loads that have to wait and for the code
    of each sum, only choose between shapes that are about as good.

    Args:
        large: the code is shared by all tiles of this shape, so it may be more.
    """
    much_code = 2000 if large else 500

    def cycles(rows: int, vectors: int) -> float:
        """For each k: two multiply-adds at once, or two loads, of which some have to wait."""
        return max(rows * vectors / 2, (rows + vectors) / 2, WAIT) + rows / 16 + vectors / 4

    def cost(tile: tuple[int, int]) -> float:
        down, across = how_many(m, tile[0]), how_many(-(-n // lanes), tile[1])
        total = sum(down[r] * across[v] * cycles(r, v) for r in down for v in across)
        return total * (1 + sum(down) * sum(across) / much_code)

    # Registers for the sums, a row of b, and a number of a.
    fitting = (
        (rows, vectors)
        for rows in range(1, MOST_ROWS + 1 if large else registers)
        for vectors in range(1, registers)
        if (rows + 1) * vectors + 1 < registers
    )
    return min(fitting, key=cost)


def how_many(n: int, most: int) -> dict[int, int]:
    """The sizes of the parts of n, and how many there are of each."""
    return {size: k for size, k in ((most, n // most), (n % most, 1)) if size and k}


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
            kept = b.fmul(beta, load(b, old, dtype, count(total)))
            store(b, fma(b, alpha, total, kept), place, dtype)


def emit_tiles(
    b: Builder,
    x: Matrix,
    y: Matrix,
    result: Result,
    lanes: int,
    registers: int,
    scratch: Callable[[int], Value],
) -> None:
    """Emits the product x·y, tile by tile.

    Args:
        lanes: numbers in a vector register.
        registers: how many of those there are.
        scratch: gives room for so many bytes.
    """
    (m, k), n = x.shape, y.shape[1]
    large = result.c.nbytes > NEAR
    rows, vectors = best_tile(m, n, lanes, registers, large)
    width = min(n, vectors * lanes)
    copies_x = not x.has_rows and x.nbytes > NEAR and n > width
    copies_y = not y.has_rows or (y.nbytes > NEAR and m > rows)
    column = k * x.dtype.itemsize
    room = -(-column * width // LINE) * LINE
    start = scratch(room + x.nbytes * copies_x) if copies_x or copies_y else y.start

    def panel(b: Builder, i: Value, height: int) -> Matrix:
        """Some rows of x; of its copy, if there is one, which has a panel behind the other."""
        if not copies_x:
            return x.rows(b, i, height)
        offset = b.add(index(room), b.mul(i, index(column)))
        return in_c_order(at(b, start, offset), (k, height), x.dtype).T

    def copy_panel(b: Builder, i: Value, height: int) -> None:
        copied(b, x.rows(b, i, height).T, panel(b, i, height).start, lanes, not large)

    def strip(b: Builder, j: Value, columns: int) -> None:
        right = y.columns(b, j, columns)
        right = copied(b, right, start, lanes, not large) if copies_y else right

        def tile(b: Builder, i: Value, height: int) -> None:
            part = result.part(b, i, j, (height, columns))
            call_tile(b, panel(b, i, height), right, part, lanes, large)

        in_chunks(b, m, rows, tile)

    if large:  # all that is in this function, which is never inlined, is calls
        b.function.marks.append("optnone")
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
        emit_tile(b, x, y, Result(c, d[0] if d else None, alpha, beta), lanes, large)

    places = [result.c] if result.d is None else [result.c, result.d]
    given = [replace(x, shape=(rows, "k")), replace(y, shape=("k", columns)), *places]
    called_on(b, "tile", given, [index(k), result.alpha, result.beta], emit, inline=not large)


def emit_tile(b: Builder, x: Matrix, y: Matrix, result: Result, lanes: int, large: bool) -> None:
    """Emits a product that is one tile."""
    widths = parts(y.shape[1], lanes)
    if large:
        result.c.prefetch(b)
    result.keep(b, emit_sums(b, x, y, widths), widths)


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
