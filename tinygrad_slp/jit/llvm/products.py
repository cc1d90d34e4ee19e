"""Products of matrices: by the BLAS that NumPy ships, or by loops of our own for tiny ones."""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from llvmlite import ir

from ...graph import Node
from ..dtypes import dtype_of
from ..program import known_as
from .elementwise import fma
from .kernels import Pointer, counting, in_chunks
from .lanes import (
    FLOATS,
    INDEX,
    POINTER,
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
ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
LETTER = {np.dtype(np.float64): "d", np.dtype(np.float32): "s"}
LEAST = 512
"""Multiplications from which a call of the library pays."""
MOST = 2**18
"""Multiplications up to which loops of our own are not much slower."""


@cache
def addresses() -> dict[str, int]:
    """Where dgemm and sgemm are, in the library that NumPy has loaded; empty if not to be found.

    NumPy's own build of OpenBLAS has 64-bit integers, and a prefix and a suffix that say so.
    """
    core = import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(core.__file__)
    found = {}
    for letter in LETTER.values():
        function = getattr(library, f"scipy_cblas_{letter}gemm64_", None)
        if function is None:
            return {}
        found[f"tinygrad_slp_{letter}gemm"] = ctypes.cast(function, ctypes.c_void_p).value or 0
    return found


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
    orders = ordered(x), ordered(y)
    if m * n * k >= LEAST and addresses() and None not in orders:
        by_library(b, (m, n, k), orders, pointers, scales, out.dtype)
        return "by BLAS"
    if m * n * k > MOST:
        raise NotLowered(f"{known_as(node)} of large matrices where NumPy's BLAS is not found")
    by_loops(b, x, y, pointers, scales, node.function is gemm, width)
    return "by own loops"


def scale(
    b: Builder, x: Any, dtype: np.dtype, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer
) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    return cast(b, load(b, pointer_of(array_of(x)), dtype_of(x), 1), dtype_of(x), dtype)


def ordered(x: np.ndarray) -> tuple[int, int] | None:
    """How the library is told of a matrix: transposed or not, and its leading dimension."""
    rows, columns = (s if n > 1 else None for s, n in zip(x.strides, x.shape, strict=True))
    size = x.itemsize
    if columns in (None, size) and (rows is None or rows >= size * x.shape[1]):
        return AS_IT_IS, (rows or size * x.shape[1]) // size
    if rows in (None, size) and (columns is None or columns >= size * x.shape[0]):
        return TRANSPOSED, (columns or size * x.shape[0]) // size
    return None


def by_library(
    b: Builder,
    sizes: tuple[int, int, int],
    orders: Any,
    pointers: list[Value],
    scales: list[Value],
    dtype: np.dtype,
) -> None:
    m, n, k = map(index, sizes)
    number, flag = FLOATS[dtype], ir.IntType(32)
    types = [flag] * 3 + [INDEX] * 3 + [number, *[POINTER, INDEX] * 2, number, POINTER, INDEX]
    name = f"tinygrad_slp_{LETTER[dtype]}gemm"
    function = b.module.globals.get(name)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(ir.VoidType(), types), name)
    (tx, ldx), (ty, ldy) = orders
    flags = [ir.Constant(flag, v) for v in (ROW_MAJOR, tx, ty)]
    x, y, out = pointers
    alpha, beta = scales
    b.call(function, [*flags, m, n, k, alpha, x, index(ldx), y, index(ldy), beta, out, n])


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
