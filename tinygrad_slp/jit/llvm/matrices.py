"""Matrices in memory: parts of them, and copies in the order in which products read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, repeat
from typing import Any

import numpy as np

from .ir import Builder, Value, undefined
from .vectors import (
    at,
    call,
    counting,
    in_chunks,
    index,
    load,
    prefetch,
    shuffle,
    shuffled,
    splat,
    store,
    times,
)  # fmt: skip


@dataclass(frozen=True)
class Matrix:
    """Where a matrix begins, and how many bytes it is to the next row and to the next column.

    In a function for matrices of several sizes, some of these are values of the program.
    """

    start: Value
    shape: tuple[Any, Any]
    strides: tuple[Any, Any]
    dtype: np.dtype

    @property
    def T(self) -> "Matrix":
        return replace(self, shape=self.shape[::-1], strides=self.strides[::-1])

    @property
    def nbytes(self) -> int:
        return int(self.shape[0] * self.shape[1] * self.dtype.itemsize)

    @property
    def has_rows(self) -> bool:
        """Whether the numbers of each row are side by side."""
        return bool(self.strides[1] == self.dtype.itemsize or self.shape[1] == 1)

    def rows(self, b: Builder, first: Value, n: int) -> "Matrix":
        """n rows, from the first on."""
        start = at(b, self.start, times(b, first, self.strides[0]))
        return replace(self, start=start, shape=(n, self.shape[1]))

    def columns(self, b: Builder, first: Value, n: int) -> "Matrix":
        return self.T.rows(b, first, n).T

    def lines(self, b: Builder) -> list[Value]:
        """Where its rows begin."""
        down = self.strides[0]
        if isinstance(down, int):
            return [at(b, self.start, i * down) for i in range(self.shape[0])]
        further = repeat(down, self.shape[0] - 1)
        return list(accumulate(further, partial(at, b), initial=self.start))

    def places(self, b: Builder, widths: Sequence[int]) -> list[Value]:
        """Where vectors of these widths, of which each row has some side by side, begin."""
        bytes = (n * self.dtype.itemsize for n in widths[:-1])
        offsets = list(accumulate(bytes, initial=0))
        return [at(b, line, offset) for line in self.lines(b) for offset in offsets]

    def prefetch(self, b: Builder) -> None:
        """Has the caches bring all of it, to be written."""
        for place in self.places(b, parts(self.shape[1], LINE // self.dtype.itemsize)):
            prefetch(b, place)


LINE = 64
"""Bytes that a cache brings at once."""


def in_c_order(start: Value, shape: tuple[Any, int], dtype: np.dtype) -> Matrix:
    """The matrix that stands there row by row."""
    return Matrix(start, shape, (shape[1] * dtype.itemsize, dtype.itemsize), dtype)


def parts(n: int, most: int) -> list[int]:
    """n in parts of this size, and what is left over."""
    return [most] * (n // most) + [n % most] * (n % most > 0)


def emit_copy(b: Builder, x: Matrix, start: Value, lanes: int, inline: bool) -> Matrix:
    """Emits a copy in C order, which begins there, of a matrix of few columns.

    Args:
        inline: the code is for this matrix alone.
    """
    copy = in_c_order(start, x.shape, x.dtype)
    if x.has_rows:
        rows, columns = x.shape

        def copy_rows(b: Builder, x: Matrix, copy: Matrix, n: Value) -> None:
            with counting(b, n) as (i, _, _):
                copy_row(b, x.rows(b, i, 1), copy.rows(b, i, 1), lanes)

        given = [replace(z, shape=("rows", columns)) for z in (x, copy)]
        called_on(b, "copy", given, [index(rows)], copy_rows, inline)
        return copy

    def strip(b: Builder, j: Value, width: int) -> None:
        def square(b: Builder, i: Value, height: int) -> None:
            old, new = (z.rows(b, i, height).columns(b, j, width) for z in (x, copy))
            turn(b, old, new, lanes)

        in_chunks(b, x.shape[0], lanes, square)

    in_chunks(b, x.shape[1], lanes, strip)
    return copy


def copy_row(b: Builder, x: Matrix, copy: Matrix, lanes: int) -> None:
    widths = parts(x.shape[1], lanes)
    for n, source, target in zip(widths, *(z.places(b, widths) for z in (x, copy)), strict=True):
        store(b, load(b, source, x.dtype, n), target, x.dtype)


def turn(b: Builder, given: Matrix, copy: Matrix, lanes: int) -> None:
    """Copies a square, or part of one."""

    def emit(b: Builder, old: Matrix, new: Matrix) -> None:
        if old.T.has_rows:
            emit_turn(b, old, new, lanes)
        else:
            copy_numbers(b, old, new)

    called_on(b, "turn", [given, copy], (), emit)


def copy_numbers(b: Builder, x: Matrix, copy: Matrix) -> None:
    """Copies a matrix whose numbers are side by side neither in rows nor in columns."""
    (height, width), dtype = x.shape, x.dtype
    with counting(b, height) as (i, _, _):
        old, new = x.rows(b, i, 1), copy.rows(b, i, 1)
        with counting(b, width) as (j, _, _):
            places = (z.columns(b, j, 1).start for z in (old, new))
            store(b, load(b, next(places), dtype, 1), next(places), dtype)


def emit_turn(b: Builder, given: Matrix, copy: Matrix, lanes: int) -> None:
    """Copies a square, or part of one, whose columns are vectors: `lanes` of both, at the most.

    To turn it, each bit of the number of a vector changes places with that bit of the number of a
    lane: first the two lowest, in fours of vectors that follow each other, and then the others. In
    between all stand on the stack, as LLVM takes long to think over so many shuffles in a row.
    """
    (height, width), dtype = given.shape, given.dtype
    bits = [1 << k for k in range(lanes.bit_length() - 1)]
    between = in_c_order(b.room(lanes**2 * dtype.itemsize), (lanes, lanes), dtype)
    columns = [load(b, place, dtype, height) for place in given.T.lines(b)]
    x = [widened(b, column, lanes) for column in columns]
    x += [undefined(x[0].type)] * (lanes - width)
    for k, bit in enumerate(bits):
        if k == 2:
            x = by_memory(b, x, between)
        low = [i if not i & bit else lanes + i - bit for i in range(lanes)]
        high = [i + bit if not i & bit else lanes + i for i in range(lanes)]
        for i in range(lanes):
            if not i & bit:
                p, q = x[i], x[i + bit]
                x[i], x[i + bit] = shuffle(b, p, q, low), shuffle(b, p, q, high)
    for row, place in zip(x, copy.lines(b), strict=False):
        store(b, shuffled(b, row, range(width)), place, dtype)


def by_memory(b: Builder, x: list[Value], place: Matrix) -> list[Value]:
    """The same vectors, of which LLVM does not know any more how they were made."""
    lines = place.lines(b)
    for vector, line in zip(x, lines, strict=True):
        store(b, vector, line, place.dtype)
    return [b.load(line, x[0].type, place.dtype.itemsize, "load volatile") for line in lines]


def widened(b: Builder, x: Value, lanes: int) -> Value:
    """The lanes of x, and behind them more, of which the content does not matter."""
    n = x.type.count
    if n in (1, lanes):
        return splat(b, x, lanes) if n == 1 else x
    return shuffle(b, x, undefined(x.type), [*range(n), *[0] * (lanes - n)])


def called_on(
    b: Builder,
    name: str,
    matrices: Sequence[Matrix],
    values: Sequence[Value],
    emit: Callable[..., None],
    inline: bool = False,
) -> None:
    """Calls a function that is for all matrices of these shapes, and some values.

    Args:
        emit: emits its instructions: emit(b, *matrices, *values).
        inline: put them where it is called; then it is for matrices of the same strides alone.
    """
    steps = [(n, inline or n == z.dtype.itemsize) for z in matrices for n in z.strides]
    fixed = [n if is_fixed else "any" for n, is_fixed in steps]
    others = [index(n) for n, is_fixed in steps if not is_fixed]

    def emit_on(b: Builder, *given: Value) -> None:
        starts, rest = given[: len(matrices)], iter(given[len(matrices) :])
        strides = iter([n if is_fixed else next(rest) for n, is_fixed in steps])
        here = [
            replace(z, start=start, strides=(next(strides), next(strides)))
            for z, start in zip(matrices, starts, strict=True)
        ]
        emit(b, *here, *rest)

    kind = f"{matrices[0].dtype} inline" if inline else matrices[0].dtype
    full = f"{name}_{[z.shape for z in matrices]}_{fixed}_{kind}"
    given = [*(z.start for z in matrices), *others, *values]
    call(b, full, given, emit_on, "alwaysinline" if inline else "noinline")
