"""Products of matrices: by a BLAS, or by loops of our own for tiny ones."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of
from ..program import known_as
from . import blas
from .elementwise import fma
from .kernels import Pointer, counting, in_chunks
from .lanes import (
    FLOATS,
    Builder,
    Value,
    at,
    cast,
    constant,
    index,
    joined,
    load,
    memcpy,
    splat,
    store,
)  # fmt: skip
from .operation import NotLowered
from .rewriting import gemm

GREEK = "alpha", "beta"
LEAST = 512
"""Multiplications from which a call of the library pays."""
MOST = 2**18
"""Multiplications up to which loops of our own are not much slower."""


def as_matrix(x: np.ndarray, left: bool) -> np.ndarray:
    if x.ndim == 1:
        return x[np.newaxis, :] if left else x[:, np.newaxis]
    return x


def emit_product(
    b: Builder, node: Node, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer, width: int
) -> str:
    """Emits a product of matrices, or α·a·b + β·c; returns how.

    Raises:
        NotLowered: for stacks of matrices, and for other numbers than floats of one dtype.
    """
    x, y = (array_of(z) for z in node.inputs[-2:])
    out = array_of(node)
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2):
        raise NotLowered(f"{known_as(node)} of arrays of {x.ndim} and {y.ndim} axes")
    if out.dtype not in FLOATS or {x.dtype, y.dtype} != {out.dtype}:
        raise NotLowered(f"{known_as(node)} of {x.dtype} and {y.dtype}")
    pointers = [pointer_of(z) for z in (x, y, out)]
    scales = [constant(out.dtype, 1), constant(out.dtype, 0)]
    if node.function is gemm:
        scales = [scale(b, node.settings[k], out.dtype, array_of, pointer_of) for k in GREEK]
        before = array_of(node.inputs[0])
        if before is not out:
            memcpy(b, pointers[2], pointer_of(np.ascontiguousarray(before)), out.nbytes)
    x, y = as_matrix(x, True), as_matrix(y, False)
    (m, k), n = x.shape, y.shape[1]
    orders = blas.ordered(x), blas.ordered(y)
    if m * n * k >= LEAST and blas.addresses() and None not in orders:
        blas.emit_gemm(b, (m, n, k), orders, pointers, scales, out.dtype)
        return "by BLAS"
    if m * n * k > MOST:
        raise NotLowered(f"{known_as(node)} of large matrices without a BLAS of NumPy or SciPy")
    by_loops(b, x, y, pointers, scales, node.function is gemm, width)
    return "by own loops"


def scale(
    b: Builder, x: Any, dtype: np.dtype, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer
) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    return cast(b, load(b, pointer_of(array_of(x)), dtype_of(x), 1), dtype_of(x), dtype)


def by_loops(
    b: Builder,
    x: np.ndarray,
    y: np.ndarray,
    pointers: list[Value],
    scales: list[Value],
    adds: bool,
    width: int,
) -> None:
    """Row by row; some columns at a time, each a running sum in a register."""
    (m, k), n, dtype = x.shape, y.shape[1], x.dtype
    px, py, out = pointers
    size = dtype.itemsize

    def factor(b: Builder, pointer: Value, lanes: int) -> Value:
        if y.strides[1] == size:
            return load(b, pointer, dtype, lanes)
        each = [load(b, at(b, pointer, c * y.strides[1]), dtype, 1) for c in range(lanes)]
        return joined(b, each)

    with counting(b, m) as i:
        row = at(b, px, b.mul(i, index(x.strides[0])))
        result = at(b, out, b.mul(i, index(n * size)))

        def columns(b: Builder, j: Value, lanes: int) -> None:
            first = at(b, py, b.mul(j, index(y.strides[1])))
            with counting(b, k, 1, [constant(dtype, 0, lanes)]) as (p, sums, ends):
                u = load(b, at(b, row, b.mul(p, index(x.strides[1]))), dtype, 1)
                v = factor(b, at(b, first, b.mul(p, index(y.strides[0]))), lanes)
                ends.append(fma(b, splat(b, u, lanes), v, sums[0]))
            place, total = at(b, result, b.mul(j, index(size))), ends[0]
            if adds:
                alpha, beta = (splat(b, z, lanes) for z in scales)
                total = fma(b, alpha, total, b.fmul(beta, load(b, place, dtype, lanes)))
            store(b, total, place, dtype)

        in_chunks(b, n, width // size, columns)
