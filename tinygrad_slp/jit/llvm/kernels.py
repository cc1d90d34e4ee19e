"""The loops of a program: each goes once over its elements, a register full at a time.

Adjacent axes become one where all arrays allow it; along the last, vectors are loaded, computed
with and stored, and what is left over is one shorter vector. A reduction over the last axis is
kept in registers; any other is added up in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import dtype_of, is_scalar, ufunc_of
from ..program import reduced_by
from .blocks import Frame
from .elementary import ELEMENTARY
from .fusion import Step
from .ir import Builder, Value
from .lowering import combine, emit, identity, is_nan
from .vectors import (
    any_of,
    at,
    cast,
    constant,
    constants,
    counting,
    fill,
    index,
    load,
    memcpy,
    pack,
    shuffle,
    shuffled,
    splat,
    store,
    times,
    unpack,
)  # fmt: skip

APART = 4
"""Sums that go on at the same time, as each has to wait for its last addition."""
BLOCK = 128
"""Vectors that are added up before what they gave is added to memory."""
ORDER = {np.maximum: ">", np.minimum: "<"}
"""How what an extreme keeps compares to what it drops."""


@dataclass
class Access:
    """How a loop walks an array: where it begins, how many bytes to the next along each axis."""

    pointer: Value
    strides: list[int]
    dtype: np.dtype


class Kernel:
    """One loop, as it is emitted.

    Args:
        frame: the function of the loop.
        step: its operations.
        hidden: the nodes that are not stored.
    """

    def __init__(self, frame: Frame, step: Step, hidden: set[int]) -> None:
        assert step.shape is not None
        self.frame, self.b = frame, frame.b
        self.step = step
        self.shape = step.shape
        self.array_of = frame.array_of
        self.inside = {node.order for node in step.nodes if reduced_by(node) is None}
        self.stored = [n for n in step.nodes if n.order in self.inside and n.order not in hidden]
        self.reductions = [node for node in step.nodes if reduced_by(node) is not None]
        self.accesses = self.find_accesses()
        self.sizes = self.collapse()
        widest = max((dtype_of(n).itemsize for n in step.nodes), default=8)
        self.lanes = max(1, frame.width // max(widest, 4))
        # What is added by functions such as exp takes longer than an addition.
        sums = any(self.accesses[r.order].strides[-1] == 0 for r in self.reductions)
        if sums and not any(ufunc_of(node) in ELEMENTARY for node in step.nodes):
            self.lanes *= APART
        written = {node.order for node in (*self.stored, *self.reductions)}
        self.numbers = {
            key: load(self.b, access.pointer, access.dtype, 1)
            for key, access in self.accesses.items()
            if key not in written and not any(access.strides)
        }

    def find_accesses(self) -> dict[int, Access]:
        """All arrays that are read or written, by the order of their node, or by `name_of`."""
        found = {}
        for node in self.step.nodes:
            for x in node.inputs:
                if not is_scalar(x) and not (isinstance(x, Node) and x.order in self.inside):
                    wide = np.broadcast_to(self.array_of(x), self.shape)
                    found[name_of(x)] = self.access(x, wide.strides)
        for node in self.stored:
            found[node.order] = self.access(node, self.array_of(node).strides)
        for node in self.reductions:
            axes = node.settings["axis"]
            kept = [1 if k in axes else n for k, n in enumerate(self.shape)]
            wide = np.broadcast_to(self.array_of(node).reshape(kept), self.shape)
            found[node.order] = self.access(node, wide.strides)
        return found

    def access(self, x: Any, strides: tuple[int, ...]) -> Access:
        array = self.array_of(x)
        return Access(self.frame.pointer_to(array), list(strides), array.dtype)

    def collapse(self) -> list[int]:
        """The sizes of the axes that are left when those that can be walked as one are joined."""
        sizes = [n for n in self.shape if n != 1]
        walks = [access.strides for access in self.accesses.values()]
        for strides in walks:
            strides[:] = [s for s, n in zip(strides, self.shape, strict=True) if n != 1]
        for k in reversed(range(len(sizes) - 1)):
            if all(strides[k] == strides[k + 1] * sizes[k + 1] for strides in walks):
                sizes[k] *= sizes.pop(k + 1)
                for strides in walks:
                    strides.pop(k)
        for strides in walks if not sizes else ():
            strides.append(0)
        return sizes or [1]

    def emit(self) -> None:
        short = [r for r in self.reductions if 1 < self.array_of(r).size <= self.lanes]
        results = [self.accesses[r.order].pointer for r in short]
        for r in short:  # which LLVM makes a register
            self.accesses[r.order].pointer = self.b.room(self.array_of(r).nbytes)
        for node in self.reductions:
            if not self.is_at_once(node):
                self.clear(node)
        pointers = {key: access.pointer for key, access in self.accesses.items()}
        self.walk(0, pointers)
        for r, result in zip(short, results, strict=True):
            memcpy(self.b, result, pointers[r.order], self.array_of(r).nbytes)

    def clear(self, node: Node) -> None:
        """Puts what a reduction begins with where its result is to stand."""
        start, dtype = self.accesses[node.order].pointer, dtype_of(node)
        first = identity(reduced_by(node), dtype)
        fill(self.b, start, self.array_of(node).size, dtype, first, self.lanes)

    def is_at_once(self, node: Node) -> bool:
        """Whether all that a reduction combines is in one stretch of the last axis."""
        *outer, last = self.accesses[node.order].strides
        return last == 0 and 0 not in outer and self.sizes[-1] < 2 * BLOCK * self.lanes

    def walk(self, axis: int, pointers: dict[int, Value]) -> None:
        """Loops over an axis and those within it."""
        if axis == len(self.sizes) - 1:
            self.innermost(pointers)
            return
        with counting(self.b, self.sizes[axis]) as (i, _, _):
            self.walk(axis + 1, self.moved(pointers, axis, i))

    def moved(self, pointers: dict[int, Value], axis: int, i: Value) -> dict[int, Value]:
        b = self.b
        return {
            key: at(b, p, times(b, i, stride))
            if (stride := self.accesses[key].strides[axis])
            else p
            for key, p in pointers.items()
        }

    def innermost(self, pointers: dict[int, Value]) -> None:
        """The last axis; if it is summed, in blocks, so that no sum in a register becomes long."""
        n, block = self.sizes[-1], BLOCK * self.lanes
        inner = [r for r in self.reductions if self.accesses[r.order].strides[-1] == 0]
        if not inner or n < 2 * block:
            self.stretch(pointers, n, inner)
            return
        with counting(self.b, n // block) as (j, _, _):
            start = self.b.mul(j, index(block))
            self.stretch(self.moved(pointers, -1, start), block, inner)
        if n % block:
            rest = self.moved(pointers, -1, index(n // block * block))
            self.stretch(rest, n % block, inner)

    def stretch(self, pointers: dict[int, Value], n: int, inner: list[Node]) -> None:
        """n elements: full vectors, then one for the rest; sums over them stay in registers."""
        b = self.b
        whole = n // self.lanes * self.lanes
        partial: dict[int, list[Value]] = {r.order: [] for r in inner}
        if whole:
            starts = [
                constant(dtype_of(r), identity(reduced_by(r), dtype_of(r)), self.lanes)
                for r in inner
            ]
            with counting(b, whole, self.lanes, starts) as (i, sums, ends):
                values = self.body(self.moved(pointers, -1, i), self.lanes)
                for r, total in zip(inner, sums, strict=True):
                    ends.append(combine(b, reduced_by(r), dtype_of(r), total, values[r.order]))
            for r, total in zip(inner, ends, strict=True):
                partial[r.order].append(total)
        if n > whole:
            values = self.body(self.moved(pointers, -1, index(whole)), n - whole)
            for r in inner:
                partial[r.order].append(values[r.order])
        for r in inner:
            self.add_up(r, partial[r.order], pointers[r.order])

    def add_up(self, r: Node, parts: list[Value], pointer: Value) -> None:
        """Combines what was gathered in registers, with what stands in memory if there is more."""
        b, ufunc, dtype = self.b, reduced_by(r), dtype_of(r)
        totals = [] if self.is_at_once(r) else [load(b, pointer, dtype, 1)]
        totals += [across(b, ufunc, dtype, part) for part in parts]
        store(b, reduce(lambda x, y: combine(b, ufunc, dtype, x, y), totals), pointer, dtype)

    def body(self, pointers: dict[int, Value], lanes: int) -> dict[int, Value]:
        """Computes all nodes for some elements, and stores those that are needed elsewhere.

        Returns:
            All values; for a reduction over the last axis what is to be reduced.
        """
        values: dict[int, Value] = {}

        def fetch(x: Any, dtype: np.dtype) -> Value:
            key, given = name_of(x), dtype_of(x)
            if key in self.numbers:
                return splat(self.b, cast(self.b, self.numbers[key], given, dtype), lanes)
            if key not in values:
                access = self.accesses[key]
                along = access.strides[-1] == access.dtype.itemsize
                if isinstance(x, np.ndarray) and along and x.size == lanes == self.sizes[-1]:
                    values[key] = constants(access.dtype, x.ravel().tolist())
                else:
                    values[key] = load_along(self.b, pointers[key], access, lanes)
            return cast(self.b, values[key], given, dtype)

        waiting: list[Node] = []
        for node in self.step.nodes:
            if reduced_by(node) is None:
                values[node.order] = emit(self.b, node, lanes, fetch)
                continue
            value = fetch(node.inputs[0], dtype_of(node))
            if self.accesses[node.order].strides[-1] == 0:
                values[node.order] = value
            else:
                access = self.accesses[node.order]
                old = load_along(self.b, pointers[node.order], access, lanes)
                values[node.order] = combine(self.b, reduced_by(node), dtype_of(node), old, value)
                waiting.append(node)
        for node in (*self.stored, *waiting):
            put(self.b, values[node.order], pointers[node.order], self.accesses[node.order])
        return values


def name_of(x: Any) -> int:
    return x.order if isinstance(x, Node) else -id(x)


def load_along(b: Builder, pointer: Value, access: Access, lanes: int) -> Value:
    """Elements of an array along the last axis."""
    stride, dtype = access.strides[-1], access.dtype
    if stride == dtype.itemsize or lanes == 1:
        return load(b, pointer, dtype, lanes)
    if stride == 0:
        return splat(b, load(b, pointer, dtype, 1), lanes)
    return pack(b, [load(b, at(b, pointer, k * stride), dtype, 1) for k in range(lanes)])


def put(b: Builder, x: Value, pointer: Value, access: Access) -> None:
    stride, dtype = access.strides[-1], access.dtype
    if stride == dtype.itemsize or x.type.count == 1:
        store(b, x, pointer, dtype)
        return
    for k, part in enumerate(unpack(b, x)):
        store(b, part, at(b, pointer, k * stride), dtype)


def across(b: Builder, ufunc: Any, dtype: np.dtype, x: Value) -> Value:
    """The lanes of a vector, reduced to one number."""
    n = x.type.count
    whole = 1 << (n - 1).bit_length()
    if whole > n:
        filler = constant(dtype, identity(ufunc, dtype), n)
        x = shuffle(b, x, filler, [*range(n), *[n] * (whole - n)])
    if dtype.kind == "f" and ufunc in ORDER:  # NaN is looked for once, not in each comparison
        sign = ORDER[ufunc]
        found = halved(b, x, lambda x, y: b.select(b.fcmp_ordered(sign, x, y), x, y))
        return b.select(any_of(b, is_nan(b, x)), constant(dtype, np.nan), found)
    return halved(b, x, lambda x, y: combine(b, ufunc, dtype, x, y))


def halved(b: Builder, x: Value, pair: Callable[[Value, Value], Value]) -> Value:
    """The lanes of a vector, made one: halves are paired, then halves of those."""
    whole = x.type.count
    while whole > 1:
        whole //= 2
        x = pair(shuffled(b, x, range(whole)), shuffled(b, x, range(whole, 2 * whole)))
    return x
