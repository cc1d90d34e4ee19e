"""Products of matrices, α·a·b + β·c, in tiles."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of
from .ir import Builder, Value
from .kernels import Pointer
from .lanes import cast, constant, load
from .matrices import Matrix
from .rewriting import gemm
from .tiles import Result, emit_tiles


def emit_product(
    b: Builder,
    node: Node,
    array_of: Callable[[Any], np.ndarray],
    pointer_of: Pointer,
    scratch: Callable[[int], Value],
    width: int,
) -> None:
    """Emits a product of matrices and vectors.

    Args:
        scratch: gives room for so many bytes.
        width: bytes in a vector register.
    """
    x, y, out = (array_of(z) for z in (*node.inputs[-2:], node))
    x = x[np.newaxis, :] if x.ndim == 1 else x
    y = y[:, np.newaxis] if y.ndim == 1 else y
    left, right, new = (
        in_memory(z, pointer_of(z)) for z in (x, y, out.reshape(len(x), y.shape[1]))
    )
    old, numbers = None, (1, 0)
    if node.function is gemm:
        old = replace(new, start=pointer_of(array_of(node.inputs[0])))
        numbers = node.settings["alpha"], node.settings["beta"]
    alpha, beta = (scale(b, number, out.dtype, array_of, pointer_of) for number in numbers)
    registers = 32 if width == 64 else 16  # as many there are, if they hold so many bytes
    result = Result(new, old, alpha, beta)
    emit_tiles(b, left, right, result, width // out.itemsize, registers, scratch)


def in_memory(x: np.ndarray, start: Value) -> Matrix:
    """An array with two axes, as it will be there."""
    (m, n), (down, right) = x.shape, x.strides
    return Matrix(start, (m, n), (down, right), x.dtype)


def scale(
    b: Builder, x: Any, dtype: np.dtype, array_of: Callable[[Any], np.ndarray], pointer_of: Pointer
) -> Value:
    """A number, known now or when the program runs."""
    if not isinstance(x, Node):
        return constant(dtype, x)
    return cast(b, load(b, pointer_of(array_of(x)), dtype_of(x), 1), dtype_of(x), dtype)
