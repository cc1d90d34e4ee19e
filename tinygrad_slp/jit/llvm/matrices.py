"""Matrices in memory: parts of them, and copies in the order in which products read them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .kernels import counting, in_chunks
from .lanes import (
    Builder,
    Value,
    at,
    called,
    count,
    index,
    joined,
    known,
    load,
    parted,
    prefetch,
    shuffle,
    shuffled,
    store,
    times,
    undefined,
)  # fmt: skip

LINE = 64
"""Bytes that a cache brings at once."""


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

    def at(self, b: Builder, i: int, j: int) -> Value:
        """A pointer to a number."""
        start, offset = self.start, 0
        for n, stride in zip((i, j), self.strides, strict=True):
            if isinstance(stride, int):
                offset += n * stride
            elif n:
                start = at(b, start, b.mul(index(n), stride))
        return at(b, start, offset)

    def prefetch(self, b: Builder) -> None:
        """Has the caches bring all of it, to be written."""
        for i in range(self.shape[0]):
            for j in range(0, self.shape[1], LINE // self.dtype.itemsize):
                prefetch(b, self.at(b, i, j))


def in_c_order(start: Value, shape: tuple[Any, int], dtype: np.dtype) -> Matrix:
    """The matrix that stands there row by row."""
    return Matrix(start, shape, (shape[1] * dtype.itemsize, dtype.itemsize), dtype)


def parts(n: int, most: int) -> list[int]:
    """n in parts of this size, and what is left over."""
    return [most] * (n // most) + [n % most] * (n % most > 0)


def copied(b: Builder, x: Matrix, start: Value, lanes: int) -> Matrix:
    """Emits a copy in C order, which begins there, of a matrix of few columns."""
    copy = in_c_order(start, x.shape, x.dtype)
    if x.has_rows:
        with counting(b, x.shape[0]) as i:
            copy_row(b, x.rows(b, i, 1), copy.rows(b, i, 1), lanes)
        return copy

    def strip(b: Builder, j: Value, width: int) -> None:
        def square(b: Builder, i: Value, height: int) -> None:
            old, new = (z.rows(b, i, height).columns(b, j, width) for z in (x, copy))
            turn(b, old, new, lanes)

        in_chunks(b, x.shape[0], lanes, square)

    in_chunks(b, x.shape[1], lanes, strip)
    return copy


def copy_row(b: Builder, x: Matrix, copy: Matrix, lanes: int) -> None:
    for k, width in enumerate(parts(x.shape[1], lanes)):
        row = load(b, x.at(b, 0, k * lanes), x.dtype, width)
        store(b, row, copy.at(b, 0, k * lanes), x.dtype)


def turn(b: Builder, x: Matrix, copy: Matrix, lanes: int) -> None:
    """Copies a square, or part of one, with its columns in registers."""
    (height, width), dtype = x.shape, x.dtype
    together = x.T.has_rows

    def emit(
        b: Builder, source: Value, down: Value, right: Value, target: Value, row: Value
    ) -> None:
        old = replace(x, start=source, strides=(down, right))
        new = replace(copy, start=target, strides=(row, dtype.itemsize))
        columns = [loaded(b, old, j, together) for j in range(width)]
        for i, line in enumerate(turned(b, columns, lanes)):
            store(b, line, new.at(b, i, 0), dtype)

    name = f"turn_{height}_{width}_{dtype}_{together}"
    called(b, name, [x.start, *map(known, x.strides), copy.start, known(copy.strides[0])], emit)


def loaded(b: Builder, x: Matrix, j: int, together: bool) -> Value:
    """A column, of which the numbers are side by side or not."""
    if together:
        return load(b, x.at(b, 0, j), x.dtype, x.shape[0])
    return joined(b, [load(b, x.at(b, i, j), x.dtype, 1) for i in range(x.shape[0])])


def turned(b: Builder, lines: list[Value], lanes: int) -> list[Value]:
    """The rows of a matrix of which these are the columns; at most `lanes` of both.

    In a full square each bit of the number of a line changes places with that of a lane.
    """
    height, width = count(lines[0]), len(lines)
    if 1 in (height, width):
        return parted(b, lines[0]) if width == 1 else [joined(b, lines)]
    full = [widened(b, x, lanes) for x in lines]
    full += [undefined(full[0].type)] * (lanes - width)
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
    return shuffle(b, x, undefined(x.type), [*range(n), *[0] * (lanes - n)])
