"""Programs rewritten for native code: the same in exact arithmetic, with fewer passes over memory.

Products of vectors become sums, which share a loop with what stands around them. A product of
matrices that is scaled and added to something takes both upon itself: α·a·b + β·c, as the BLAS has
it (Dongarra et al., A set of level 3 basic linear algebra subprograms, 1990).
"""

import os
from collections import Counter
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, is_scalar, shape_of
from ..program import Program, computed, is_number, replaced
from .vectors import FLOATS

LARGE = 2**22
"""Bytes of a matrix from which NumPy's BLAS multiplies it, which thinks of all caches."""
MANY = 2**21
"""Multiplications from which it does so if it may use several threads."""
THREADS = "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS"


def gemm(c: Any, a: Any, b: Any, alpha: Any = 1.0, beta: Any = 1.0) -> Any:
    """α·a·b + β·c"""
    return alpha * (a @ b) + beta * c


def rewritten(program: Program) -> Program:
    """The program with fewer passes over memory."""
    rewriter = Rewriter(program)
    new: dict[int, Any] = {}
    for node in program.nodes:
        inputs, settings = replaced((node.inputs, node.settings), new)
        new[node.order] = rewriter.rewrite(node, inputs, settings)
    taken = sum(getattr(x, "function", None) is gemm for x in new.values())
    return program.with_nodes(new, *[f"{taken} sums taken over by products"] * (taken > 0))


class Rewriter:
    """Rewrites one node after the other."""

    def __init__(self, program: Program) -> None:
        self.uses = Counter(x.order for node in program.nodes for x in node.parents)
        self.uses.update(x.order for x in program.ends())
        self.targets = {x.order: p for p, x in program.stores.items() if isinstance(x, Node)}
        self.inputs = program.inputs
        self.before: dict[int, int] = {}

    def rewrite(self, node: Node, inputs: Any, settings: Any) -> Node:
        made_new = self.summed(node, inputs) or self.taken_over(node, inputs)
        if made_new is None:
            made_new = computed(node.function, inputs, node.array, **settings)
        self.before[made_new.order] = node.order
        return made_new

    def single(self, x: Node) -> bool:
        """Whether a rewritten node has one reader only."""
        return self.uses[self.before.get(x.order, x.order)] == 1

    def summed(self, node: Node, inputs: Any) -> Node | None:
        """Σ x·y for a product of two vectors, or of a matrix and a vector."""
        if node.function not in (np.dot, np.matmul) or dtype_of(node).kind != "f":
            return None
        x, y = inputs
        if len(shape_of(y)) != 1 or len(shape_of(x)) not in (1, 2):
            return None
        array = np.multiply(value(x), value(y))
        products = computed(np.multiply, (x, y), array)
        axis = (array.ndim - 1,)
        return computed(np.add.reduce, (products,), np.asarray(node.array), axis=axis)

    def taken_over(self, node: Node, inputs: Any) -> Node | None:
        """α·a·b + β·c, where c is what a place holds and this node its new value."""
        if node.function not in (np.add, np.subtract) or dtype_of(node).kind != "f":
            return None
        sign = -1.0 if node.function is np.subtract else 1.0
        left, right = (self.term(x, node) for x in inputs)
        if self.is_product(right[1], node) and self.is_old(left[1], node):
            (beta, c), (alpha, product), factors = left, right, (sign, 1.0)
        elif self.is_product(left[1], node) and self.is_old(right[1], node):
            (alpha, product), (beta, c), factors = left, right, (1.0, sign)
        else:
            return None
        a, b = product.inputs
        scales = {"alpha": times(factors[0], alpha), "beta": times(factors[1], beta)}
        return computed(gemm, (c, a, b), node.array, **scales)

    def term(self, x: Any, node: Node) -> tuple[Any, Any]:
        """x as (a number, the rest), if it is that product and nobody else reads it."""
        if isinstance(x, Node) and x.function is np.multiply and self.single(x):
            for k in (0, 1):
                scale, rest = x.inputs[k], x.inputs[1 - k]
                if is_number_like(scale) and shape_of(rest) == shape_of(x):
                    return scale, rest
        return 1.0, x

    def is_product(self, x: Any, node: Node) -> bool:
        return (
            isinstance(x, Node)
            and x.function in (np.dot, np.matmul)
            and self.single(x)
            and is_in_tiles(x)
            and all(len(shape_of(y)) == 2 for y in x.inputs)
            and shape_of(x) == shape_of(node)
            and dtype_of(x) == dtype_of(node)
        )

    def is_old(self, x: Any, node: Node) -> bool:
        """Whether x is the value of the place that the node is the new value of."""
        place = self.targets.get(node.order)
        if place is None or self.inputs.get(place) is not x:
            return False
        return (shape_of(x), dtype_of(x)) == (shape_of(node), dtype_of(node))


def is_in_tiles(node: Node) -> bool:
    """Whether a product is of matrices and vectors of floats, none of them very large."""
    factors, dtype = node.inputs[-2:], dtype_of(node)
    return (
        {len(shape_of(x)) for x in factors} <= {1, 2}
        and dtype in FLOATS
        and {dtype_of(x) for x in factors} == {dtype}
        and not is_large(node)
    )


def is_large(node: Node) -> bool:
    """Whether a product is better left to a BLAS."""
    x, y = (shape_of(z) for z in node.inputs[-2:])
    size = max(int(np.prod(shape, dtype=int)) for shape in (x, y, shape_of(node)))
    many = int(np.prod(x, dtype=int)) * (y[1] if len(y) == 2 else 1) > MANY
    return size * dtype_of(node).itemsize >= LARGE or (many and threads() > 1)


def threads() -> int:
    """How many threads a BLAS uses, as far as its environment tells."""
    told = [os.environ.get(name, "") for name in THREADS]
    processors = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    return next((int(n) for n in told if n.isdigit()), processors)


def value(x: Any) -> Any:
    return x.array if isinstance(x, Node) else x


def is_number_like(x: Any) -> bool:
    return is_number(x) if isinstance(x, Node) else is_scalar(x)


def times(a: float, b: Any) -> Any:
    """a·b of a known number and one that may be known only when the program runs."""
    if a == 1.0:
        return b
    if isinstance(b, Node):
        return computed(np.multiply, (a, b), a * b.array)
    return a * b
