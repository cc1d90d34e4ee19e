"""The lowering of elementwise functions: NumPy's function beside the instructions that compute it.

Each is given a builder, the kind of its operands (f, i, u or b) and the operands, all of one dtype,
as numbers or vectors. What NumPy does with NaN, infinities and signed zeros is done here too.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .elementary import ELEMENTARY
from .ir import BIT, DOUBLE, FLOAT, Builder, Constant, Value, Vector, filled
from .lanes import count, declared, intrinsic, joined, lanes, parted

Lowering = Callable[..., Value]


def fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """x·y + z, rounded once."""
    return intrinsic(b, "fma", x, y, z)


def const(x: Value, value: float) -> Value:
    return filled(x.type, value)


def by_name(b: Builder, name: str, *operands: Value) -> Value:
    """The instruction that a builder has under this name."""
    made: Value = getattr(b, name)(*operands)
    return made


def arithmetic(floats: str, integers: str, booleans: str | None = None) -> Lowering:
    """An instruction for each kind of operands."""

    def lower(b: Builder, kind: str, *operands: Value) -> Value:
        name = floats if kind == "f" else booleans if kind == "b" else integers
        if name is None:
            raise NotImplementedError
        return by_name(b, name, *operands)

    return lower


def floats_only(f: Callable[..., Value]) -> Lowering:
    def lower(b: Builder, kind: str, *operands: Value) -> Value:
        if kind != "f":
            raise NotImplementedError
        return f(b, *operands)

    return lower


def compare(sign: str) -> Lowering:
    """A comparison; of NaN it is false, but for ≠."""

    def lower(b: Builder, kind: str, x: Value, y: Value) -> Value:
        if kind == "f":
            return (b.fcmp_unordered if sign == "!=" else b.fcmp_ordered)(sign, x, y)
        return (b.icmp_signed if kind == "i" else b.icmp_unsigned)(sign, x, y)

    return lower


def is_nan(b: Builder, x: Value) -> Value:
    return b.fcmp_unordered("!=", x, x)


def extremum(sign: str, ignores_nan: bool) -> Lowering:
    """maximum and minimum, which hand on NaN, fmax and fmin, which ignore it."""

    def lower(b: Builder, kind: str, x: Value, y: Value) -> Value:
        chosen = b.select(compare(sign)(b, kind, x, y), x, y)
        if kind != "f":
            return chosen
        if ignores_nan:
            return b.select(is_nan(b, y), x, chosen)
        return b.select(is_nan(b, x), x, chosen)

    return lower


def clip(b: Builder, kind: str, x: Value, low: Value, high: Value) -> Value:
    """No lower than low, then no higher than high, as NumPy has it; NaN is handed on."""
    return extremum("<=", False)(b, kind, extremum(">=", False)(b, kind, x, low), high)


def negative(b: Builder, kind: str, x: Value) -> Value:
    return b.fneg(x) if kind == "f" else b.sub(const(x, 0), x)


def absolute(b: Builder, kind: str, x: Value) -> Value:
    if kind == "f":
        return intrinsic(b, "fabs", x)
    if kind != "i":
        return x
    return b.select(b.icmp_signed("<", x, const(x, 0)), b.sub(const(x, 0), x), x)


def sign(b: Builder, kind: str, x: Value) -> Value:
    """−1, 0, 1, or NaN."""
    if kind != "f":
        raise NotImplementedError
    one, zero = const(x, 1.0), const(x, 0.0)
    y = b.select(b.fcmp_ordered(">", x, zero), one, zero)
    y = b.select(b.fcmp_ordered("<", x, zero), const(x, -1.0), y)
    return b.select(is_nan(b, x), x, y)


with np.errstate(invalid="ignore"):
    ROOT_OF_INFINITY = np.power([-np.inf], 0.5)[0]
    """∞, as C has it, or NaN where NumPy takes the square root for a power of ½."""


def power(b: Builder, kind: str, x: Value, y: Value) -> Value:
    """xʸ, by multiplication for the small whole exponents that are most of them."""
    if kind != "f":
        raise NotImplementedError
    if isinstance(y, Constant) and isinstance(y.constant, float):
        whole = y.constant
        if whole in (2.0, 3.0):
            square = b.fmul(x, x)
            return square if whole == 2.0 else b.fmul(square, x)
        if whole == 1.0:
            return x
        if whole == 0.5 and np.inf != ROOT_OF_INFINITY:
            return intrinsic(b, "sqrt", x)
    return by_libm("pow")(b, kind, x, y)


def by_libm(name: str) -> Lowering:
    """A function of the C library, lane by lane, in float64."""

    def lower(b: Builder, kind: str, *operands: Value) -> Value:
        if kind != "f":
            raise NotImplementedError
        function = declared(b, name, [DOUBLE] * len(operands), DOUBLE)
        narrow = str(operands[0].type).find("float") >= 0
        results = []
        for numbers in zip(*[parted(b, x) for x in operands], strict=True):
            wide = [b.fpext(x, DOUBLE) if narrow else x for x in numbers]
            y = b.call(function, wide)
            results.append(b.fptrunc(y, FLOAT) if narrow else y)
        return joined(b, results)

    return lower


def remainder(b: Builder, x: Value, y: Value) -> Value:
    """x − y⌊x/y⌋, with the sign of y, as NumPy has it from Python."""
    r = b.frem(x, y)
    zero = const(r, 0.0)
    other_side = b.xor(b.fcmp_ordered("<", r, zero), b.fcmp_ordered("<", y, zero))
    moved = b.select(other_side, b.fadd(r, y), r)
    return b.select(b.fcmp_ordered("==", r, zero), intrinsic(b, "copysign", zero, y), moved)


def scaled(factor: float) -> Lowering:
    return floats_only(lambda b, x: b.fmul(x, const(x, factor)))


def finite(b: Builder, kind: str, x: Value) -> Value:
    if kind != "f":
        return filled(lanes(BIT, count(x)), 1)
    return b.fcmp_ordered("<", intrinsic(b, "fabs", x), const(x, math.inf))


def infinite(b: Builder, kind: str, x: Value) -> Value:
    if kind != "f":
        return filled(lanes(BIT, count(x)), 0)
    return b.fcmp_ordered("==", intrinsic(b, "fabs", x), const(x, math.inf))


def nan(b: Builder, kind: str, x: Value) -> Value:
    return is_nan(b, x) if kind == "f" else filled(lanes(BIT, count(x)), 0)


def logical(name: str) -> Lowering:
    """A function of truths: each operand is asked whether it is not 0."""

    def lower(b: Builder, kind: str, *operands: Value) -> Value:
        if kind != "b":
            operands = tuple(compare("!=")(b, kind, x, const(x, 0)) for x in operands)
        return by_name(b, name, *operands)

    return lower


def shift(left: bool) -> Lowering:
    """A shift; by as many bits as there are, or more, nothing is left but the sign."""

    def lower(b: Builder, kind: str, x: Value, y: Value) -> Value:
        if kind == "b":
            raise NotImplementedError
        one = x.type.element if isinstance(x.type, Vector) else x.type
        last = const(x, one.width - 1)
        inside = b.icmp_unsigned("<=", y, last)
        if kind == "i" and not left:
            return b.ashr(x, b.select(inside, y, last))
        moved = (b.shl if left else b.lshr)(x, b.select(inside, y, last))
        return b.select(inside, moved, const(x, 0))

    return lower


def rounded(name: str) -> Lowering:
    return lambda b, kind, x: intrinsic(b, name, x) if kind == "f" else x


ELEMENTWISE: dict[Any, Lowering] = {
    np.add: arithmetic("fadd", "add", "or_"),
    np.subtract: arithmetic("fsub", "sub"),
    np.multiply: arithmetic("fmul", "mul", "and_"),
    np.true_divide: floats_only(lambda b, x, y: b.fdiv(x, y)),
    np.negative: negative,
    np.positive: lambda b, kind, x: x,
    np.conjugate: lambda b, kind, x: x,
    np.absolute: absolute,
    np.fabs: absolute,
    np.sign: sign,
    np.square: lambda b, kind, x: b.fmul(x, x) if kind == "f" else b.mul(x, x),
    np.reciprocal: floats_only(lambda b, x: b.fdiv(const(x, 1.0), x)),
    np.sqrt: floats_only(lambda b, x: intrinsic(b, "sqrt", x)),
    np.power: power,
    np.float_power: by_libm("pow"),
    np.remainder: floats_only(remainder),
    np.maximum: extremum(">", False),
    np.minimum: extremum("<", False),
    np.fmax: extremum(">=", True),
    np.fmin: extremum("<=", True),
    np.clip: clip,
    np.floor: rounded("floor"),
    np.ceil: rounded("ceil"),
    np.trunc: rounded("trunc"),
    np.rint: rounded("rint"),
    np.copysign: floats_only(lambda b, x, y: intrinsic(b, "copysign", x, y)),
    np.deg2rad: scaled(math.pi / 180),
    np.rad2deg: scaled(180 / math.pi),
    np.less: compare("<"),
    np.less_equal: compare("<="),
    np.greater: compare(">"),
    np.greater_equal: compare(">="),
    np.equal: compare("=="),
    np.not_equal: compare("!="),
    np.isfinite: finite,
    np.isinf: infinite,
    np.isnan: nan,
    np.logical_and: logical("and_"),
    np.logical_or: logical("or_"),
    np.logical_xor: logical("xor"),
    np.logical_not: logical("not_"),
    np.bitwise_and: arithmetic("", "and_", "and_"),
    np.bitwise_or: arithmetic("", "or_", "or_"),
    np.bitwise_xor: arithmetic("", "xor", "xor"),
    np.invert: arithmetic("", "not_", "not_"),
    np.left_shift: shift(left=True),
    np.right_shift: shift(left=False),
    **{f: floats_only(emit) for f, emit in ELEMENTARY.items()},
    **{
        f: by_libm(name)
        for f, name in {
            np.sin: "sin", np.cos: "cos", np.tan: "tan", np.arcsin: "asin", np.arccos: "acos",
            np.arctan: "atan", np.sinh: "sinh", np.cosh: "cosh", np.arcsinh: "asinh",
            np.arccosh: "acosh", np.arctanh: "atanh", np.cbrt: "cbrt", np.arctan2: "atan2",
            np.hypot: "hypot",
        }.items()
    },
}  # fmt: skip
