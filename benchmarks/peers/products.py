"""The matrix products of a training step alone: what no step through the same BLAS can beat."""

import ctypes
import math

import numpy as np

from .compiling import library
from .workloads import LeftOut, only


def products(workload):
    """(a, b, out) of every product of a step: forward, and back but for the gradient of x."""
    only(not workload.mse, "so small that a BLAS is no bound for it")
    x, _ = workload.data()
    layers = workload.parameters()[::2]
    outputs = [np.zeros((len(x), W.shape[1]), x.dtype) for W in layers]
    inputs = [x, *outputs[:-1]]
    forward = list(zip(inputs, layers, outputs, strict=True))
    back = []
    for k, (a, W, d) in reversed(list(enumerate(forward))):
        back.append((a.T, d, np.zeros_like(W)))
        if k:
            back.append((d, W.T, np.zeros_like(a)))
    return forward + back


def from_numpy(workload):
    calls = products(workload)

    def run(n):
        for _ in range(n):
            for a, b, out in calls:
                np.dot(a, b, out=out)
        return math.nan

    return "its matrix products alone, np.dot", run


class Product(ctypes.Structure):
    """As products.c has it."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in ("a_transposed", "b_transposed", "M", "N", "K")]
        + [(name, ctypes.c_void_p) for name in "abc"]
    )  # fmt: skip


def as_in_c(a, b, out):
    sizes = (*out.shape, a.shape[1])
    transposed = [not m.flags.c_contiguous for m in (a, b)]
    return Product(*transposed, *sizes, *(m.ctypes.data for m in (a, b, out)))


def sgemm():
    """The address of the matrix product in the BLAS that NumPy ships with and has loaded."""
    from numpy._core import _multiarray_umath

    try:
        return ctypes.CDLL(_multiarray_umath.__file__).scipy_cblas_sgemm64_
    except (AttributeError, OSError):
        raise LeftOut("this NumPy does not export scipy_cblas_sgemm64_") from None


def from_c(workload):
    calls = products(workload)
    table = (Product * len(calls))(*(as_in_c(*call) for call in calls))
    multiply = library("products.c").multiply
    gemm = ctypes.cast(sgemm(), ctypes.c_void_p)
    check(multiply, table, gemm, calls)

    def run(n, calls=calls):  # which are kept here, as their addresses do not keep them
        multiply(ctypes.c_int64(n), ctypes.c_int64(len(table)), table, gemm)
        return math.nan

    return "its matrix products alone, from C", run


def check(multiply, table, gemm, calls):
    """One run beside NumPy's own products, as no loss would tell if they were others."""
    multiply(ctypes.c_int64(1), ctypes.c_int64(len(table)), table, gemm)
    for a, b, out in calls:
        np.testing.assert_allclose(out, a @ b, rtol=1e-4, atol=1e-4)
