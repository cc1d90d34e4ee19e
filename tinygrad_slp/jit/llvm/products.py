"""Products of matrices: in tiles of our own, or by a BLAS."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of
from ..program import known_as
from . import blas
from .elementwise import fma
from .kernels import Pointer
from .lanes import (
    FLOATS,
    Builder,
    Value,
    at,
    cast,
    constant,
    count,
    index,
    load,
    memcpy,
    splat,
    store,
)
from .operation import NotLowered
from .rewriting import gemm
from .tiles import Factors, emit_copy, emit_tiles

GREEK = "alpha", "beta"
MANY = 2**18
"""Multiplications from which a BLAS uses several threads, if it may."""
MOST = 2**28
"""Multiplications from which it pays to think of the second cache, as a BLAS does."""
COPIED = 2**13
"""Numbers of a matrix that are brought into C order rather than call a BLAS."""


def as_matrix(x: np.ndarray, left: bool) -> np.ndarray:
    if x.ndim == 1:
        return x[np.newaxis, :] if left else x[:, np.newaxis]
    return x


def emit_product(
    b: Builder,
    node: Node,
    array_of: Callable[[Any], np.ndarray],
    pointer_of: Pointer,
    scratch: Callable[[tuple[int, int], np.dtype], np.ndarray],
    width: int,
) -> str:
    """Emits a product of matrices, or α·a·b + β·c; returns how.

    Args:
        scratch: gives room for a matrix.
        width: bytes in a vector register.

    Raises:
        NotLowered: for stacks of matrices, and for other numbers than floats of one dtype.
    """
    x, y = (array_of(z) for z in node.inputs[-2:])
    out, dtype = array_of(node), array_of(node).dtype
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2):
        raise NotLowered(f"{known_as(node)} of arrays of {x.ndim} and {y.ndim} axes")
    if dtype not in FLOATS or {x.dtype, y.dtype} != {dtype}:
        raise NotLowered(f"{known_as(node)} of {x.dtype} and {y.dtype}")
    pointers = [pointer_of(z) for z in (x, y, out)]
    before, scales = None, [constant(dtype, 1), constant(dtype, 0)]
    if node.function is gemm:
        scales = [scale(b, node.settings[k], dtype, array_of, pointer_of) for k in GREEK]
        before = pointer_of(array_of(node.inputs[0]))
    x, y = as_matrix(x, True), as_matrix(y, False)
    sizes = (x.shape[0], y.shape[1], x.shape[1])
    if by_blas(x, y):
        if before is not None and array_of(node.inputs[0]) is not out:
            memcpy(b, pointers[2], before, out.nbytes)
        orders = blas.ordered(x), blas.ordered(y)
        blas.emit_gemm(b, sizes, orders, pointers, scales, dtype)
        return "by BLAS"
    lanes = width // dtype.itemsize
    if not has_rows(y):
        copy = scratch(y.shape, dtype)
        emit_copy(b, y, pointers[1], pointer_of(copy), lanes)
        y, pointers[1] = copy, pointer_of(copy)
    strides = (x.strides[0], x.strides[1]), y.strides[0]
    factors = Factors(sizes, dtype, pointers[0], pointers[1], *strides)

    def keep(b: Builder, i: Value, j: Value, total: Value) -> None:
        place = b.mul(b.add(b.mul(i, index(sizes[1])), j), index(dtype.itemsize))
        if before is not None:
            alpha, beta = (splat(b, z, count(total)) for z in scales)
            old = load(b, at(b, before, place), dtype, count(total))
            total = fma(b, alpha, total, b.fmul(beta, old))
        store(b, total, at(b, pointers[2], place), dtype)

    emit_tiles(b, factors, lanes, 32 if width == 64 else 16, keep)
    return "in tiles"


def has_rows(x: np.ndarray) -> bool:
    """Whether the numbers of each row are side by side."""
    return x.strides[1] == x.itemsize or x.shape[1] == 1


def by_blas(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a product is left to the BLAS that there is."""
    if not blas.addresses() or None in (blas.ordered(x), blas.ordered(y)):
        return False
    n = x.size * y.shape[1]
    copied_at_length = not has_rows(y) and y.size > COPIED
    return copied_at_length or n > MOST or (n > MANY and blas.threads() > 1)


def scale(
    b: Builder, x: Any, dtype: np.dtype, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer
) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    return cast(b, load(b, pointer_of(array_of(x)), dtype_of(x), 1), dtype_of(x), dtype)
