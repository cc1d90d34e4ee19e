"""Matrices in memory: parts of them, and copies in the order in which products read them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, repeat
from typing import Any

import numpy as np

from .kernels import counting, in_chunks
from .lanes import (
    Builder,
    Value,
    at,
    called,
    count,
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
    widths = parts(x.shape[1], lanes)
    for n, source, target in zip(widths, *(z.places(b, widths) for z in (x, copy)), strict=True):
        store(b, load(b, source, x.dtype, n), target, x.dtype)


def turn(b: Builder, given: Matrix, copy: Matrix, lanes: int) -> None:
    """Copies a square, or part of one, with its columns in registers."""
    (height, width), dtype = given.shape, given.dtype
    together = given.T.has_rows

    def emit(
        b: Builder, source: Value, down: Value, right: Value, target: Value, row: Value
    ) -> None:
        old = replace(given, start=source, strides=(down, right))
        new = replace(copy, start=target, strides=(row, dtype.itemsize))
        rows = turned(b, loaded(b, old, together), lanes)
        for x, place in zip(rows, new.lines(b), strict=True):
            store(b, x, place, dtype)

    name = f"turn_{height}_{width}_{dtype}_{together}"
    called(
        b, name, [given.start, *map(known, given.strides), copy.start, known(copy.strides[0])], emit
    )


def loaded(b: Builder, x: Matrix, together: bool) -> list[Value]:
    """The columns, of which the numbers are side by side or not."""
    if together:
        return [load(b, place, x.dtype, x.shape[0]) for place in x.T.lines(b)]
    rows = [replace(x, start=line).T.lines(b) for line in x.lines(b)]
    columns = zip(*rows, strict=True)
    return [joined(b, [load(b, place, x.dtype, 1) for place in column]) for column in columns]


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
