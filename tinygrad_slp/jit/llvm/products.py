"""Products of matrices: in tiles of our own, or by a BLAS."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, shape_of
from ..program import known_as
from . import blas
from .ir import Builder, Value
from .kernels import Pointer, in_chunks
from .lanes import FLOATS, at, cast, constant, load, memcpy, store, times
from .matrices import Matrix
from .operation import NotLowered
from .rewriting import gemm
from .tiles import Result, emit_tiles

GREEK = "alpha", "beta"
MANY = 2**18
"""Multiplications from which a BLAS uses several threads, if it may: OpenBLAS's bound."""
LARGE = 2**22
"""Bytes of a matrix from which a BLAS is called, which thinks of all caches."""


def emit_product(
    b: Builder,
    node: Node,
    array_of: Callable[[Any], np.ndarray],
    pointer_of: Pointer,
    scratch: Callable[[int], Value],
    width: int,
) -> str:
    """Emits a product of matrices, or α·a·b + β·c; returns how.

    Args:
        scratch: gives room for so many bytes.
        width: bytes in a vector register.

    Raises:
        NotLowered: for stacks of matrices, and for other numbers than floats of one dtype.
    """
    x, y, out = matrices(node, array_of)
    before = array_of(node.inputs[0]) if node.function is gemm else None
    greek = (1, 0) if before is None else [node.settings[name] for name in GREEK]
    scales = [scale(b, number, out.dtype, array_of, pointer_of) for number in greek]
    if by_blas(x, y):
        pointers = [pointer_of(z) for z in (x, y, out)]
        orders = blas.ordered(x), blas.ordered(y)
        if before is not None:
            if before is not array_of(node):
                memcpy(b, pointers[2], pointer_of(before), out.nbytes)
            scales[1] = not_zero(b, scales[1], pointers[2], out.dtype, out.size, width)
        blas.emit_gemm(b, (*out.shape, x.shape[1]), orders, pointers, scales, out.dtype)
        return "by BLAS"
    left, right, new = (in_memory(z, pointer_of(z)) for z in (x, y, out))
    old = None if before is None else replace(new, start=pointer_of(before))
    result = Result(new, old, *scales)
    emit_tiles(b, left, right, result, width // out.itemsize, registers(width), scratch)
    return "in tiles"


def not_zero(b: Builder, beta: Value, start: Value, dtype: np.dtype, n: int, width: int) -> Value:
    """β of β·c; where it is 0, c becomes 0·c, and 1 stands for β.

    A BLAS does not look at c where β is 0, and would lose NaN and ∞.
    """
    zero = constant(dtype, 0)
    is_zero = b.fcmp_ordered("==", beta, zero)

    def scale(b: Builder, i: Value, lanes: int) -> None:
        place = at(b, start, times(b, i, dtype.itemsize))
        store(b, b.fmul(load(b, place, dtype, lanes), constant(dtype, 0, lanes)), place, dtype)

    with b.if_then(is_zero, likely=False):
        in_chunks(b, n, width // dtype.itemsize, scale)
    return b.select(is_zero, constant(dtype, 1), beta)


def in_memory(x: np.ndarray, start: Value) -> Matrix:
    """An array with two axes, as it will stand there."""
    (m, n), (down, right) = x.shape, x.strides
    return Matrix(start, (m, n), (down, right), x.dtype)


def matrices(
    node: Node, array_of: Callable[[Any], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The factors and the result of a product, all with two axes.

    Raises:
        NotLowered: for stacks of matrices and for single numbers, and for other numbers than
            floats of one dtype.
    """
    axes = [len(shape_of(z)) for z in node.inputs[-2:]]
    if not set(axes) <= {1, 2}:
        raise NotLowered(f"{known_as(node)} of arrays of {axes[0]} and {axes[1]} axes")
    x, y, out = (array_of(z) for z in (*node.inputs[-2:], node))
    if out.dtype not in FLOATS or {x.dtype, y.dtype} != {out.dtype}:
        raise NotLowered(f"{known_as(node)} of {x.dtype} and {y.dtype}")
    x = x[np.newaxis, :] if x.ndim == 1 else x
    y = y[:, np.newaxis] if y.ndim == 1 else y
    return x, y, out.reshape(len(x), y.shape[1])


def registers(width: int) -> int:
    """How many vector registers there are at least, if they hold so many bytes."""
    return 32 if width == 64 else 16


def by_blas(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a product is left to the BLAS that there is."""
    if not blas.addresses() or None in (blas.ordered(x), blas.ordered(y)):
        return False
    if max(x.size, y.size, len(x) * y.shape[1]) * x.itemsize >= LARGE:
        return True
    return x.size * y.shape[1] > MANY and blas.threads() > 1


def scale(
    b: Builder, x: Any, dtype: np.dtype, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer
) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    return cast(b, load(b, pointer_of(array_of(x)), dtype_of(x), 1), dtype_of(x), dtype)
