"""LLVM in our words: numbers and vectors of NumPy's dtypes, places in memory, calls of functions.

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
    Constant,
    Function,
    Signature,
    Value,
    Vector,
    Whole,
    filled,
    undefined,
)  # fmt: skip

FLOATS = {np.dtype(np.float64): DOUBLE, np.dtype(np.float32): FLOAT}


def is_lowered(dtype: np.dtype) -> bool:
    """Whether there is a type in LLVM for a dtype."""
    return dtype.isnative and (dtype in FLOATS or dtype.kind in "biu")


def number(dtype: np.dtype) -> Any:
    """The type of one number in a register."""
    if dtype in FLOATS:
        return FLOATS[dtype]
    return BIT if dtype.kind == "b" else Whole(8 * dtype.itemsize)


def lanes(type: Any, n: int) -> Any:
    return type if n == 1 else Vector(type, n)


def count(x: Value) -> int:
    """How many lanes a value has."""
    return x.type.count if isinstance(x.type, Vector) else 1


def constant(dtype: np.dtype, value: Any, n: int = 1) -> Value:
    """A constant in every lane."""
    exact = dtype.type(value)
    return filled(lanes(number(dtype), n), float(exact) if dtype.kind == "f" else int(exact))


@cache
def mask(*positions: int) -> Value:
    """Which lanes of two vectors, one behind the other, a shuffle takes."""
    type = Vector(FLAG, len(positions))
    return Constant(type, positions, "" if any(positions) else "zeroinitializer")


def index(value: int) -> Value:
    return Constant(INDEX, int(value))


def constants(dtype: np.dtype, values: Sequence[Any]) -> Value:
    """A constant of its own in every lane."""
    if len(values) == 1:
        return constant(dtype, values[0])
    return Constant(Vector(number(dtype), len(values)), [dtype.type(x) for x in values])


def load(b: Builder, pointer: Value, dtype: np.dtype, n: int) -> Value:
    """n numbers that stand one after the other in memory."""
    stored = BYTE if dtype.kind == "b" else number(dtype)
    x = b.load(pointer, lanes(stored, n), dtype.itemsize)
    return b.trunc(x, lanes(BIT, n)) if dtype.kind == "b" else x


def store(b: Builder, x: Value, pointer: Value, dtype: np.dtype) -> None:
    """Puts the lanes one after the other into memory."""
    if dtype.kind == "b":
        x = b.zext(x, lanes(BYTE, count(x)))
    b.store(x, pointer, dtype.itemsize)


def room(b: Builder, type: Any) -> Value:
    """A pointer to a place on the stack for a value of this type."""
    return b.room(type, 64)


def at(b: Builder, pointer: Value, offset: Value | int) -> Value:
    """A pointer some bytes further on."""
    if isinstance(offset, int):
        if not offset:
            return pointer
        offset = index(offset)
    return b.offset(pointer, offset)


def known(n: Value | int) -> Value:
    return index(n) if isinstance(n, int) else n


def times(b: Builder, i: Value, n: Value | int) -> Value | int:
    """i·n, as an offset; computed now if both are known."""
    if isinstance(i, Constant) and isinstance(n, int):
        return int(i.constant * n)
    return b.mul(i, known(n))


def shuffle(b: Builder, x: Value, y: Value, positions: Iterable[int]) -> Value:
    """The lanes at these positions, of x and then y."""
    return b.shuffle_vector(x, y, mask(*positions))


def shuffled(b: Builder, x: Value, positions: Iterable[Any]) -> Value:
    """The lanes of x at these positions."""
    n = count(x)
    positions = [int(i) for i in positions]
    if len(positions) == n and positions == list(range(n)):
        return x
    if len(positions) == 1:
        return b.extract_element(x, index(positions[0]))
    if n == 1:
        return splat(b, x, len(positions))
    return shuffle(b, x, undefined(x.type), positions)


def splat(b: Builder, x: Value, n: int) -> Value:
    """One number in every lane."""
    if n == 1:
        return x
    type = Vector(x.type, n)
    first = b.insert_element(undefined(type), x, index(0))
    vector = shuffle(b, first, undefined(type), [0] * n)
    vector.number = x  # for `cast`
    return vector


def joined(b: Builder, numbers: Sequence[Value]) -> Value:
    """A vector of these numbers."""
    if len(numbers) == 1:
        return numbers[0]
    x = undefined(Vector(numbers[0].type, len(numbers)))
    for k, part in enumerate(numbers):
        x = b.insert_element(x, part, index(k))
    return x


def parted(b: Builder, x: Value) -> list[Value]:
    """The numbers in a vector."""
    n = count(x)
    if n == 1:
        return [x]
    return [b.extract_element(x, index(k)) for k in range(n)]


def any_of(b: Builder, x: Value) -> Value:
    """Whether one of some bits is set."""
    if count(x) == 1:
        return x
    return b.call(declared(b, f"llvm.vector.reduce.or.v{count(x)}i1", [x.type], BIT), [x])


def intrinsic(b: Builder, name: str, *operands: Value) -> Value:
    """An intrinsic of LLVM, on numbers or vectors."""
    type = operands[0].type
    n = f"v{type.count}" if isinstance(type, Vector) else ""
    one = type.element if n else type
    suffix = {DOUBLE: "f64", FLOAT: "f32"}.get(one, one.text)
    full = f"llvm.{name}.{n}{suffix}"
    return b.call(declared(b, full, [type] * len(operands), type), operands)


def cast(b: Builder, x: Value, given: np.dtype, wanted: np.dtype) -> Value:
    """The same numbers in another dtype, as `astype` does it."""
    if given == wanted:
        return x
    if x.number is not None:
        return splat(b, cast(b, x.number, given, wanted), count(x))
    type = lanes(number(wanted), count(x))
    if wanted.kind == "b":
        zero = filled(x.type, 0)
        return (
            b.fcmp_unordered("!=", x, zero) if given.kind == "f" else b.icmp_signed("!=", x, zero)
        )
    if given.kind == "f" and wanted.kind == "f":
        return b.fpext(x, type) if wanted.itemsize > given.itemsize else b.fptrunc(x, type)
    if given.kind == "f":
        return b.fptosi(x, type) if wanted.kind == "i" else b.fptoui(x, type)
    if wanted.kind == "f":
        return b.sitofp(x, type) if given.kind == "i" else b.uitofp(x, type)
    if wanted.itemsize * 8 == number(given).width:
        return x
    if wanted.itemsize < given.itemsize:
        return b.trunc(x, type)
    return b.sext(x, type) if given.kind == "i" else b.zext(x, type)


def declared(b: Builder, name: str, given: Sequence[Any], made: Any = NOTHING) -> Any:
    """The function of this name, in the module that is built."""
    known = b.module.functions.get(name)
    return known or Function(b.module, Signature(made, given), name)


def called(
    b: Builder,
    name: str,
    values: Sequence[Value],
    emit: Callable[..., None],
    inline: bool = False,
) -> None:
    """Calls a function of these values; where there is none of this name, it is emitted first.

    Args:
        emit: emits its instructions: emit(b, *values).
        inline: put them where it is called, as a call takes longer than some hundred instructions.
    """
    function = declared(b, name, [x.type for x in values])
    if not function.blocks:
        function.is_internal = True
        function.marks.append("alwaysinline" if inline else "noinline")
        inner = function.begin()
        emit(inner, *function.args)
        inner.ret_void()
    b.call(function, values)


def leave_if(b: Builder, fails: Value, leave: Callable[[], object]) -> None:
    """Goes on only if a bit is not set; else it does what leaves the function."""
    left, on = b.append_block(), b.append_block()
    b.cbranch(fails, left, on, likely=False)
    b.position_at_end(left)
    leave()
    b.position_at_end(on)


def memcpy(b: Builder, target: Value, source: Value, size: Value | int) -> None:
    """Copies bytes from one place in memory to another."""
    function = declared(b, "llvm.memcpy.p0.p0.i64", [POINTER, POINTER, INDEX, BIT])
    b.call(function, [target, source, known(size), Constant(BIT, 0)])


def prefetch(b: Builder, pointer: Value) -> None:
    """Has the caches bring what stands there, to be written."""
    written, near, data = (Constant(FLAG, n) for n in (1, 3, 1))
    function = declared(b, "llvm.prefetch.p0", [POINTER, *[FLAG] * 3])
    b.call(function, [pointer, written, near, data])
