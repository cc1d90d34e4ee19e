"""Products of matrices in tiles: a few rows by a few vectors, whose sums stay in registers.

For each k the tile takes a column of a, number by number, and a row of b, vector by vector: with r
rows and v vectors that is r + v loads for r·v multiply-adds, so it waits for arithmetic alone.
Nothing is packed: in products of our sizes what is read again soon is still in a cache. What larger
ones need is in Goto and van de Geijn, Anatomy of high-performance matrix multiplication, 2008.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from llvmlite import ir

from .elementwise import fma
from .kernels import counting, in_chunks
from .lanes import (
    Builder,
    Value,
    at,
    constant,
    count,
    index,
    joined,
    load,
    parted,
    shuffled,
    splat,
    store,
)  # fmt: skip

Keep = Callable[[Builder, Value, int, Value], None]
"""Takes a vector of sums: keep(b, where its tile begins in the result, how many bytes from there on
it belongs, which is known beforehand, the sums)."""
WAIT = 4
"""Multiply-adds, of two at a time, that begin before the result of the first is there."""


@dataclass
class Factors:
    """Two matrices to be multiplied, of which the second has rows that are contiguous.

    Attributes:
        x, y: how they are laid out, of shapes (m, k) and (k, n).
        at_x, at_y: where they begin.
    """

    x: np.ndarray
    y: np.ndarray
    at_x: Value
    at_y: Value


def best_tile(m: int, n: int, lanes: int, registers: int) -> tuple[int, int]:
    """How many rows and vectors a tile should have: what takes few cycles, and little code."""

    def cycles(rows: int, vectors: int) -> float:
        """For each k: two multiply-adds or two loads at once; of b's loads some have to wait."""
        return max(rows * vectors / 2, (rows + vectors) / 2, WAIT) + rows / 16 + vectors / 4

    def cost(tile: tuple[int, int]) -> float:
        down, across = Counter(parts(m, tile[0])), Counter(parts(-(-n // lanes), tile[1]))
        kinds = len(down) * len(across)  # each of which is code of its own
        total = sum(down[r] * across[v] * cycles(r, v) for r in down for v in across)
        return total * (1 + kinds / 50)

    # Registers for the sums, a row of b, and a number of a.
    fitting = (
        (rows, vectors)
        for rows in range(1, registers)
        for vectors in range(1, registers)
        if (rows + 1) * vectors + 1 < registers
    )
    return min(fitting, key=cost)


def parts(n: int, most: int) -> list[int]:
    """n in parts of this size, and what is left over."""
    return [most] * (n // most) + [n % most] * (n % most > 0)


def emit_tiles(b: Builder, factors: Factors, lanes: int, registers: int, keep: Keep) -> None:
    """Emits the product, tile by tile."""
    m, n = len(factors.x), factors.y.shape[1]
    rows, vectors = best_tile(m, n, lanes, registers)

    def strip(b: Builder, j: Value, columns: int) -> None:
        widths = parts(columns, lanes)
        in_chunks(b, m, rows, lambda b, i, r: emit_tile(b, factors, i, j, r, widths, keep))

    in_chunks(b, n, vectors * lanes, strip)


def emit_tile(
    b: Builder,
    factors: Factors,
    i: Value,
    j: Value,
    rows: int,
    widths: list[int],
    keep: Keep,
) -> None:
    """Emits one tile, which begins at row i and column j and has vectors of these widths."""
    (down, right), (below, size) = factors.x.strides, (factors.y.strides[0], factors.y.itemsize)
    n, dtype = factors.y.shape[1], factors.y.dtype
    columns = [sum(widths[:c]) for c in range(len(widths))]
    x = at(b, factors.at_x, b.mul(i, index(down)))
    y = at(b, factors.at_y, b.mul(j, index(size)))
    zeros = [constant(dtype, 0, width) for _ in range(rows) for width in widths]
    with counting(b, len(factors.y), 1, zeros) as (k, sums, ends):
        column, row = at(b, x, b.mul(k, index(right))), at(b, y, b.mul(k, index(below)))
        line = [
            load(b, at(b, row, c * size), dtype, w) for c, w in zip(columns, widths, strict=True)
        ]
        old = iter(sums)
        for r in range(rows):
            number = load(b, at(b, column, r * down), dtype, 1)
            ends += [fma(b, splat(b, number, count(v)), v, next(old)) for v in line]
    start = b.mul(b.add(b.mul(i, index(n)), j), index(size))
    for (r, c), total in zip(product(range(rows), columns), ends, strict=True):
        keep(b, start, (r * n + c) * size, total)


# --- matrices of which the columns are contiguous, and not the rows ---


def emit_copy(b: Builder, x: np.ndarray, source: Value, target: Value, lanes: int) -> None:
    """Emits a copy of a matrix in C order, made of squares that are turned in registers."""
    (k, n), (down, right), dtype = x.shape, x.strides, x.dtype
    size = dtype.itemsize

    def line(b: Builder, start: Value, length: int) -> Value:
        if down == size:
            return load(b, start, dtype, length)
        return joined(b, [load(b, at(b, start, i * down), dtype, 1) for i in range(length)])

    def square(b: Builder, j: Value, p: Value, width: int, height: int) -> None:
        start = at(b, at(b, source, b.mul(j, index(right))), b.mul(p, index(down)))
        lines = [line(b, at(b, start, c * right), height) for c in range(width)]
        to = at(b, at(b, target, b.mul(p, index(n * size))), b.mul(j, index(size)))
        for i, row in enumerate(turned(b, lines, lanes)):
            store(b, row, at(b, to, i * n * size), dtype)

    def strip(b: Builder, j: Value, width: int) -> None:
        in_chunks(b, k, lanes, lambda b, p, height: square(b, j, p, width, height))

    in_chunks(b, n, lanes, strip)


def turned(b: Builder, lines: list[Value], lanes: int) -> list[Value]:
    """The rows of a matrix of which these are the columns; at most `lanes` of both.

    In a full square each bit of the number of a line changes places with that of a lane.
    """
    height, width = count(lines[0]), len(lines)
    if 1 in (height, width):
        return parted(b, lines[0]) if width == 1 else [joined(b, lines)]
    full = [widened(b, x, lanes) for x in lines]
    full += [ir.Constant(full[0].type, ir.Undefined)] * (lanes - width)
    bit = 1
    while bit < lanes:
        low = [k if not k & bit else lanes + k - bit for k in range(lanes)]
        high = [k + bit if not k & bit else lanes + k for k in range(lanes)]
        for i in range(lanes):
            if not i & bit:
                x, y = full[i], full[i + bit]
                full[i], full[i + bit] = shuffle(b, x, y, low), shuffle(b, x, y, high)
        bit *= 2
    return [shuffled(b, x, range(width)) for x in full[:height]]


def widened(b: Builder, x: Value, lanes: int) -> Value:
    """The lanes of x, and behind them more, of which the content does not matter."""
    n = count(x)
    if n == lanes:
        return x
    return shuffle(b, x, ir.Constant(x.type, ir.Undefined), [*range(n), *[0] * (lanes - n)])


def shuffle(b: Builder, x: Value, y: Value, positions: list[int]) -> Value:
    """The lanes at these positions, of x and then y."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(positions)), positions)
    return b.shuffle_vector(x, y, mask)
