"""The BLAS that is there, NumPy's or else SciPy's, and calls of its gemm: α·a·b + β·c.

NumPy's build of OpenBLAS has the interface of C, integers of 64 bits and names of its own. SciPy
gives away the interface of Fortran, with integers of 32 bits: `scipy.linalg.cython_blas`.
"""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from math import inf
from typing import Any

import numpy as np

from .ir import BYTE, FLAG, INDEX, POINTER, Builder, Constant, Value
from .lanes import FLOATS, declared, index, room

LETTER = {np.dtype(np.float64): "d", np.dtype(np.float32): "s"}
OURS = "tinygrad_slp_"
"""How the names begin that machine code of ours calls these functions by."""
C, FORTRAN = f"{OURS}c_", f"{OURS}fortran_"
NAME_OF = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi)
)
POINTER_IN = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112


@cache
def addresses() -> dict[str, int]:
    """Where dgemm and sgemm are, by our names; empty if there is none."""
    return of_numpy() or of_scipy()


def of_numpy() -> dict[str, int]:
    library = ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
    with suppress(AttributeError):
        found = {x: library[f"scipy_cblas_{x}gemm64_"] for x in LETTER.values()}
        return {f"{C}{x}": ctypes.cast(f, ctypes.c_void_p).value or 0 for x, f in found.items()}
    return {}


def of_scipy() -> dict[str, int]:
    """From the capsules by which SciPy gives its BLAS to other compiled code."""
    with suppress(ImportError):
        capsules = import_module("scipy.linalg.cython_blas").__pyx_capi__
        return {f"{FORTRAN}{x}": content(capsules[f"{x}gemm"]) for x in LETTER.values()}
    return {}


def threads() -> float:
    """How many threads it uses for large products; many, if it does not say."""
    library = ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
    with suppress(AttributeError):
        return int(library.scipy_openblas_get_num_threads64_())
    return inf


def content(capsule: Any) -> int:
    """The pointer in a capsule."""
    return int(POINTER_IN(capsule, NAME_OF(capsule)))


# --- calls ---


def ordered(x: np.ndarray) -> tuple[int, int] | None:
    """How the library is told of a matrix: transposed or not, and its leading dimension."""
    rows, columns = (s if n > 1 else None for s, n in zip(x.strides, x.shape, strict=True))
    size = x.itemsize
    if columns in (None, size) and (rows is None or rows >= size * x.shape[1]):
        return AS_IT_IS, (rows or size * x.shape[1]) // size
    if rows in (None, size) and (columns is None or columns >= size * x.shape[0]):
        return TRANSPOSED, (columns or size * x.shape[0]) // size
    return None


def emit_gemm(
    b: Builder,
    sizes: tuple[int, int, int],
    orders: Any,
    pointers: Sequence[Value],
    scales: Sequence[Value],
    dtype: np.dtype,
) -> None:
    """Emits c = α·a·b + β·c.

    Args:
        sizes: rows and columns of c, and what is summed over.
        orders: of a and b, see `ordered`.
        pointers: to a, b and c, whose rows are contiguous.
        scales: α and β.
    """
    by_c = f"{C}{LETTER[dtype]}" in addresses()
    call: Callable[..., None] = called_as_in_c if by_c else called_as_in_fortran
    call(b, sizes, orders, pointers, scales, dtype)


def called_as_in_c(
    b: Builder, sizes: Any, orders: Any, pointers: Any, scales: Any, dtype: np.dtype
) -> None:
    m, n, k = map(index, sizes)
    (x_order, x_row), (y_order, y_row) = orders
    flags = [Constant(FLAG, v) for v in (ROW_MAJOR, x_order, y_order)]
    (x, y, out), (alpha, beta), number = pointers, scales, FLOATS[dtype]
    types = [FLAG] * 3 + [INDEX] * 3 + [number, *[POINTER, INDEX] * 2, number, POINTER, INDEX]
    gemm = declared(b, f"{C}{LETTER[dtype]}", types)
    b.call(gemm, [*flags, m, n, k, alpha, x, index(x_row), y, index(y_row), beta, out, n])


def called_as_in_fortran(
    b: Builder, sizes: Any, orders: Any, pointers: Any, scales: Any, dtype: np.dtype
) -> None:
    """Everything by a pointer; rows are columns there, so it is cᵀ = α·bᵀ·aᵀ + β·cᵀ."""
    (m, n, k), ((x_order, x_row), (y_order, y_row)), (x, y, out) = sizes, orders, pointers
    flag = {AS_IT_IS: ord("N"), TRANSPOSED: ord("T")}
    whole = [placed(b, Constant(FLAG, v)) for v in (n, m, k, y_row, x_row, n)]
    letters = [placed(b, Constant(BYTE, flag[v])) for v in (y_order, x_order)]
    alpha, beta = (placed(b, scale) for scale in scales)
    gemm = declared(b, f"{FORTRAN}{LETTER[dtype]}", [POINTER] * 13)
    b.call(gemm, [*letters, *whole[:3], alpha, y, whole[3], x, whole[4], beta, out, whole[5]])


def placed(b: Builder, x: Value) -> Value:
    """A pointer to a place on the stack that holds a value."""
    pointer = room(b, x.type)
    b.store(x, pointer)
    return pointer
