"""Numbers and vectors of NumPy's dtypes, where they are in memory, and loops over them.

A vector of one lane is a number. A boolean is one bit in a register and one byte in memory.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from .ir import (
    BIT,
    BYTE,
    DOUBLE,
    FLAG,
    FLOAT,
    INDEX,
    NOTHING,
    POINTER,
    Builder,
    Function,
    Type,
    Value,
    filled,
    listed,
    undefined,
    vector,
    whole,
)  # fmt: skip

FLOATS = {np.dtype(np.float64): DOUBLE, np.dtype(np.float32): FLOAT}


def is_lowered(dtype: np.dtype) -> bool:
    """Whether there is a type in LLVM for a dtype."""
    return dtype.isnative and (dtype in FLOATS or dtype.kind in "biu")


def number(dtype: np.dtype, n: int = 1) -> Type:
    """The type of n numbers in a register."""
    one = FLOATS.get(dtype) or (BIT if dtype.kind == "b" else whole(8 * dtype.itemsize))
    return vector(one, n)


# --- constants ---


def constant(dtype: np.dtype, value: Any, n: int = 1) -> Value:
    """A constant in every lane."""
    exact = dtype.type(value)
    return filled(number(dtype, n), float(exact) if dtype.kind == "f" else int(exact))


def constants(dtype: np.dtype, values: Sequence[Any]) -> Value:
    """A constant of its own in every lane."""
    if len(values) == 1:
        return constant(dtype, values[0])
    return listed(number(dtype), [dtype.type(x) for x in values])


def index(value: int) -> Value:
    return filled(INDEX, int(value))


@cache
def mask(*positions: int) -> Value:
    """Which lanes of two vectors, one behind the other, a shuffle takes."""
    return listed(FLAG, positions)


# --- memory ---


def load(b: Builder, pointer: Value, dtype: np.dtype, n: int) -> Value:
    """n numbers that are one after the other in memory."""
    if dtype.kind != "b":
        return b.load(pointer, number(dtype, n), dtype.itemsize)
    return b.trunc(b.load(pointer, vector(BYTE, n), 1), vector(BIT, n))


def store(b: Builder, x: Value, pointer: Value, dtype: np.dtype) -> None:
    """Puts the lanes one after the other into memory."""
    if dtype.kind == "b":
        x = b.zext(x, vector(BYTE, x.type.count))
    b.store(x, pointer, dtype.itemsize)


def at(b: Builder, pointer: Value, offset: Value | int) -> Value:
    """A pointer some bytes further on."""
    if isinstance(offset, int):
        return b.offset(pointer, index(offset)) if offset else pointer
    return b.offset(pointer, offset)


def times(b: Builder, i: Value, n: Value | int) -> Value | int:
    """i·n, as an offset; computed now if both are known."""
    if isinstance(n, int):
        return int(i.constant * n) if i.constant is not None else b.mul(i, index(n))
    return b.mul(i, n)


def memcpy(b: Builder, target: Value, source: Value, size: int) -> None:
    """Copies bytes from one place in memory to another."""
    function = declare(b, "llvm.memcpy.p0.p0.i64", [POINTER, POINTER, INDEX, BIT])
    b.call(function, [target, source, index(size), filled(BIT, 0)])


def fill(b: Builder, pointer: Value, size: int, dtype: np.dtype, number: Any, lanes: int) -> None:
    """Puts a number into memory so many times, some at a time."""

    def put(b: Builder, i: Value, n: int) -> None:
        store(b, constant(dtype, number, n), at(b, pointer, times(b, i, dtype.itemsize)), dtype)

    in_chunks(b, size, lanes, put)


def prefetch(b: Builder, pointer: Value) -> None:
    """Has the caches bring what is there, to be written."""
    written, near, data = (filled(FLAG, n) for n in (1, 3, 1))
    function = declare(b, "llvm.prefetch.p0", [POINTER, *[FLAG] * 3])
    b.call(function, [pointer, written, near, data])


# --- vectors ---


def shuffle(b: Builder, x: Value, y: Value, positions: Iterable[int]) -> Value:
    """The lanes at these positions, of x and then y."""
    return b.shuffle_vector(x, y, mask(*positions))


def shuffled(b: Builder, x: Value, positions: Iterable[Any]) -> Value:
    """The lanes of x at these positions."""
    n, positions = x.type.count, [int(i) for i in positions]
    if positions == list(range(n)):
        return x
    if len(positions) == 1:
        return b.extract_element(x, positions[0])
    if n == 1:
        return splat(b, x, len(positions))
    return shuffle(b, x, undefined(x.type), positions)


def splat(b: Builder, x: Value, n: int) -> Value:
    """One number in every lane."""
    if n == 1:
        return x
    nothing = undefined(vector(x.type, n))
    return shuffle(b, b.insert_element(nothing, x, 0), nothing, [0] * n)


def pack(b: Builder, numbers: Sequence[Value]) -> Value:
    """A vector of these numbers."""
    if len(numbers) == 1:
        return numbers[0]
    x = undefined(vector(numbers[0].type, len(numbers)))
    for k, part in enumerate(numbers):
        x = b.insert_element(x, part, k)
    return x


def unpack(b: Builder, x: Value) -> list[Value]:
    """The numbers in a vector."""
    return [shuffled(b, x, [k]) for k in range(x.type.count)]


def cast(b: Builder, x: Value, given: np.dtype, wanted: np.dtype) -> Value:
    """The same numbers in another dtype, as `astype` does it."""
    if given == wanted:
        return x
    type = number(wanted, x.type.count)
    of_floats, signed = given.kind == "f", given.kind == "i"
    if wanted.kind == "b":
        unequal = b.fcmp_unordered if of_floats else b.icmp_signed
        return unequal("!=", x, filled(x.type, 0))
    if wanted.kind == "f":
        if of_floats:
            return b.fpext(x, type) if wanted.itemsize > given.itemsize else b.fptrunc(x, type)
        return b.sitofp(x, type) if signed else b.uitofp(x, type)
    if of_floats:
        return b.fptosi(x, type) if wanted.kind == "i" else b.fptoui(x, type)
    if type.width == x.type.width:
        return x
    if type.width < x.type.width:
        return b.trunc(x, type)
    return b.sext(x, type) if signed else b.zext(x, type)


# --- functions ---


def declare(b: Builder, name: str, given: Sequence[Type], made: Type = NOTHING) -> Function:
    """The function of this name, in the module that is built."""
    return b.module.functions.get(name) or Function(b.module, name, made, given)


def intrinsic(b: Builder, name: str, *operands: Value) -> Value:
    """An intrinsic of LLVM, on numbers or vectors."""
    type = operands[0].type
    suffix = {DOUBLE: "f64", FLOAT: "f32"}.get(type.one, type.one.text)
    full = f"llvm.{name}.{f'v{type.count}' if type.count > 1 else ''}{suffix}"
    return b.call(declare(b, full, [type] * len(operands), type), operands)


def any_of(b: Builder, x: Value) -> Value:
    """Whether one of some bits is set."""
    if x.type.count == 1:
        return x
    name = f"llvm.vector.reduce.or.v{x.type.count}i1"
    return b.call(declare(b, name, [x.type], BIT), [x])


def call(
    b: Builder,
    name: str,
    values: Sequence[Value],
    emit: Callable[..., None],
    marks: str = "noinline",
    argument_marks: str = "",
) -> None:
    """Calls a function of these values; where there is none of this name, it is emitted first.

    Args:
        emit: emits its instructions: emit(b, *values).
    """
    function = b.module.functions.get(name)
    if function is None:
        types = [x.type for x in values]
        function = Function(b.module, name, NOTHING, types, marks, False, argument_marks)
        inner = function.begin()
        emit(inner, *function.args)
        inner.ret()
    b.call(function, values)


# --- where it goes on ---


def leave_if(b: Builder, fails: Value, leave: Callable[[], object]) -> None:
    """Goes on only if a bit is not set; else it does what leaves the function."""
    left, on = b.append_block(), b.append_block()
    b.cbranch(fails, left, on, unlikely=True)
    b.position_at_end(left)
    leave()
    b.position_at_end(on)


class counting:
    """A loop of i from 0 to n by steps, as a context; with values that are handed on, if given.

    Yields i, the values now, and a list for the values of the next round, and leaves in that list
    what they are after the loop.
    """

    def __init__(self, b: Builder, n: int | Value, by: int = 1, starts: Sequence[Value] = ()):
        self.b, self.by, self.starts = b, by, starts
        self.n = index(n) if isinstance(n, int) else n

    def __enter__(self) -> tuple[Value, list[Any], list[Value]]:
        b = self.b
        self.before, self.body, self.after = b.block, b.append_block(), b.append_block()
        b.branch(self.body)
        b.position_at_end(self.body)
        self.i = b.phi(INDEX)
        self.values = [b.phi(x.type) for x in self.starts]
        self.ends: list[Value] = []
        return self.i, self.values, self.ends

    def __exit__(self, *exception: object) -> None:
        b = self.b
        following, last = b.add(self.i, index(self.by)), b.block
        starts, ends = [index(0), *self.starts], [following, *self.ends]
        for phi, start, end in zip([self.i, *self.values], starts, ends, strict=False):
            phi.add_incoming(start, self.before)
            phi.add_incoming(end, last)
        b.cbranch(b.icmp_signed("<", following, self.n), self.body, self.after, unlikely=False)
        b.position_at_end(self.after)


def in_chunks(b: Builder, n: int, lanes: int, act: Callable[[Builder, Value, int], None]) -> None:
    """Acts on n elements, some at a time, and then on the rest: act(b, first, how many)."""
    most = n // lanes * lanes
    if most:
        with counting(b, most, lanes) as (i, _, _):
            act(b, i, lanes)
    if n > most:
        act(b, index(most), n - most)
