"""What there is native code for: NumPy's functions beside the instructions that compute them.

The instructions are given a builder and operands of one dtype, as numbers or vectors. What NumPy
does with NaN, infinities and signed zeros is done here too.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..dtypes import COPIES, dtype_of, is_scalar, loop_dtypes, ufunc_of
from .elementary import ELEMENTARY
from .ir import BIT, DOUBLE, FLOAT, Builder, Value, filled, vector
from .vectors import cast, constant, declare, intrinsic, pack, unpack

Lowering = Callable[..., Value]


def const(x: Value, value: float) -> Value:
    return filled(x.type, value)


def fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """x·y + z, rounded once."""
    return intrinsic(b, "fma", x, y, z)


def is_nan(b: Builder, x: Value) -> Value:
    return b.fcmp_unordered("!=", x, x)


# --- what becomes more than one instruction ---


def same(b: Builder, x: Value) -> Value:
    return x


def by_llvm(name: str) -> Lowering:
    """An intrinsic."""
    return lambda b, *operands: intrinsic(b, name, *operands)


def by_libm(name: str) -> Lowering:
    """A function of the C library, lane by lane, in float64."""

    def lower(b: Builder, *operands: Value) -> Value:
        function = declare(b, name, [DOUBLE] * len(operands), DOUBLE)
        narrow = operands[0].type.one is FLOAT
        results = []
        for numbers in zip(*[unpack(b, x) for x in operands], strict=True):
            y = b.call(function, [b.fpext(x, DOUBLE) if narrow else x for x in numbers])
            results.append(b.fptrunc(y, FLOAT) if narrow else y)
        return pack(b, results)

    return lower


def compared(sign: str) -> dict[str, Lowering]:
    """A comparison; of NaN it is false, but for ≠."""
    floats = Builder.fcmp_unordered if sign == "!=" else Builder.fcmp_ordered
    return {
        "f": lambda b, x, y: floats(b, sign, x, y),
        "i": lambda b, x, y: b.icmp_signed(sign, x, y),
        "ub": lambda b, x, y: b.icmp_unsigned(sign, x, y),
    }


def extremum(sign: str, ignores_nan: bool = False) -> dict[str, Lowering]:
    """maximum and minimum, which hand on NaN, fmax and fmin, which ignore it."""

    def chosen(compare: Lowering) -> Lowering:
        return lambda b, x, y: b.select(compare(b, x, y), x, y)

    def of_floats(b: Builder, x: Value, y: Value) -> Value:
        return b.select(is_nan(b, y if ignores_nan else x), x, found["f"](b, x, y))

    found = {kinds: chosen(compare) for kinds, compare in compared(sign).items()}
    return {**found, "f": of_floats}


def clipped() -> dict[str, Lowering]:
    """No lower than low, then no higher than high, as NumPy has it; NaN is handed on."""
    above, below = extremum(">="), extremum("<=")

    def clip(kinds: str) -> Lowering:
        return lambda b, x, low, high: below[kinds](b, above[kinds](b, x, low), high)

    return {kinds: clip(kinds) for kinds in above}


def truths(act: Lowering) -> dict[str, Lowering]:
    """A function of truths: each operand is asked whether it is not 0."""

    def of(unequal: Lowering) -> Lowering:
        return lambda b, *operands: act(b, *(unequal(b, x, const(x, 0)) for x in operands))

    return {kinds: of(unequal) for kinds, unequal in compared("!=").items()} | {"b": act}


def same_for_all(truth: bool) -> Lowering:
    return lambda b, x: filled(vector(BIT, x.type.count), int(truth))


def absolute(b: Builder, x: Value) -> Value:
    return b.select(b.icmp_signed("<", x, const(x, 0)), b.sub(const(x, 0), x), x)


def sign(b: Builder, x: Value) -> Value:
    """−1, 0, 1, or NaN."""
    one, zero = const(x, 1.0), const(x, 0.0)
    y = b.select(b.fcmp_ordered(">", x, zero), one, zero)
    y = b.select(b.fcmp_ordered("<", x, zero), const(x, -1.0), y)
    return b.select(is_nan(b, x), x, y)


with np.errstate(invalid="ignore"):
    ROOT_OF_INFINITY = np.power([-np.inf], 0.5)[0]
    """∞, as C has it, or NaN where NumPy takes the square root for a power of ½."""


def power(b: Builder, x: Value, y: Value) -> Value:
    """xʸ, by multiplication for the small whole exponents that are most of them."""
    known = y.constant
    if known == 1.0:
        return x
    if known in (2.0, 3.0):
        square = b.fmul(x, x)
        return square if known == 2.0 else b.fmul(square, x)
    if known == 0.5 and np.inf != ROOT_OF_INFINITY:
        return intrinsic(b, "sqrt", x)
    return by_libm("pow")(b, x, y)


def remainder(b: Builder, x: Value, y: Value) -> Value:
    """x − y⌊x/y⌋, with the sign of y, as NumPy has it from Python."""
    r = b.frem(x, y)
    zero = const(r, 0.0)
    other_side = b.xor(b.fcmp_ordered("<", r, zero), b.fcmp_ordered("<", y, zero))
    moved = b.select(other_side, b.fadd(r, y), r)
    return b.select(b.fcmp_ordered("==", r, zero), intrinsic(b, "copysign", zero, y), moved)


def is_infinite(b: Builder, x: Value) -> Value:
    return b.fcmp_ordered("==", intrinsic(b, "fabs", x), const(x, math.inf))


def is_finite(b: Builder, x: Value) -> Value:
    return b.fcmp_ordered("<", intrinsic(b, "fabs", x), const(x, math.inf))


def shifted(shift: Callable[[Builder, Value, Value], Value], keeps_sign: bool) -> Lowering:
    """A shift; by as many bits as there are, or more, nothing is left but the sign."""

    def lower(b: Builder, x: Value, y: Value) -> Value:
        last = const(x, x.type.width - 1)
        inside = b.icmp_unsigned("<=", y, last)
        moved = shift(b, x, b.select(inside, y, last))
        return moved if keeps_sign else b.select(inside, moved, const(x, 0))

    return lower


# --- the table ---

LEFT, RIGHT = shifted(Builder.shl, False), shifted(Builder.lshr, False)
BITWISE = {np.bitwise_and: "and_", np.bitwise_or: "or_", np.bitwise_xor: "xor", np.invert: "not_"}
LOGICAL: dict[Any, Lowering] = {
    np.logical_and: Builder.and_, np.logical_or: Builder.or_, np.logical_xor: Builder.xor,
    np.logical_not: Builder.not_,
}  # fmt: skip
COMPARED = {
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==",
    np.not_equal: "!=",
}  # fmt: skip
ROUNDED = {np.floor: "floor", np.ceil: "ceil", np.trunc: "trunc", np.rint: "rint"}
LIBM = {
    np.sin: "sin", np.cos: "cos", np.tan: "tan", np.arcsin: "asin", np.arccos: "acos",
    np.arctan: "atan", np.sinh: "sinh", np.cosh: "cosh", np.arcsinh: "asinh", np.arccosh: "acosh",
    np.arctanh: "atanh", np.cbrt: "cbrt", np.arctan2: "atan2", np.hypot: "hypot",
    np.float_power: "pow", np.exp2: "exp2", np.log2: "log2", np.log10: "log10",
}  # fmt: skip

ELEMENTWISE: dict[Any, dict[str, Lowering]] = {
    np.add: {"f": Builder.fadd, "iu": Builder.add, "b": Builder.or_},
    np.subtract: {"f": Builder.fsub, "iu": Builder.sub},
    np.multiply: {"f": Builder.fmul, "iu": Builder.mul, "b": Builder.and_},
    np.true_divide: {"f": Builder.fdiv},
    np.negative: {"f": Builder.fneg, "iu": lambda b, x: b.sub(const(x, 0), x)},
    np.positive: {"fiub": same},
    np.conjugate: {"fiub": same},
    np.absolute: {"f": by_llvm("fabs"), "i": absolute, "ub": same},
    np.fabs: {"f": by_llvm("fabs")},
    np.sign: {"f": sign},
    np.square: {"f": lambda b, x: b.fmul(x, x), "iu": lambda b, x: b.mul(x, x)},
    np.reciprocal: {"f": lambda b, x: b.fdiv(const(x, 1.0), x)},
    np.sqrt: {"f": by_llvm("sqrt")},
    np.power: {"f": power},
    np.remainder: {"f": remainder},
    np.maximum: extremum(">"),
    np.minimum: extremum("<"),
    np.fmax: extremum(">=", ignores_nan=True),
    np.fmin: extremum("<=", ignores_nan=True),
    np.clip: clipped(),
    np.copysign: {"f": by_llvm("copysign")},
    np.deg2rad: {"f": lambda b, x: b.fmul(x, const(x, math.pi / 180))},
    np.rad2deg: {"f": lambda b, x: b.fmul(x, const(x, 180 / math.pi))},
    np.isfinite: {"f": is_finite, "iub": same_for_all(True)},
    np.isinf: {"f": is_infinite, "iub": same_for_all(False)},
    np.isnan: {"f": is_nan, "iub": same_for_all(False)},
    np.left_shift: {"iu": LEFT},
    np.right_shift: {"i": shifted(Builder.ashr, True), "u": RIGHT},
    **{f: {"f": by_llvm(name), "iub": same} for f, name in ROUNDED.items()},
    **{f: {"iub": getattr(Builder, name)} for f, name in BITWISE.items()},
    **{f: truths(act) for f, act in LOGICAL.items()},
    **{f: compared(sign) for f, sign in COMPARED.items()},
    **{f: {"f": emit} for f, emit in ELEMENTARY.items()},
    **{f: {"f": by_libm(name)} for f, name in LIBM.items()},
}


def lowering(function: Any, kind: str) -> Lowering | None:
    """The instructions for numbers of this kind (f, i, u or b), if there are any."""
    return next((f for kinds, f in ELEMENTWISE.get(function, {}).items() if kind in kinds), None)


def emit(b: Builder, node: Node, lanes: int, fetch: Callable[[Any, Any], Value]) -> Value:
    """The instructions of an elementwise node.

    Args:
        fetch: the value of an input of the node, in a dtype, in that many lanes.
    """
    function = ufunc_of(node)
    wanted, made = loop_dtypes(node)
    operands = [
        constant(dtype, x, lanes) if is_scalar(x) else fetch(x, dtype)
        for x, dtype in zip(node.inputs, wanted, strict=False)
    ]
    if function is np.where:
        y = b.select(*operands)
    elif function in COPIES:
        y = operands[0]
    else:
        act = lowering(function, wanted[0].kind)
        assert act is not None
        y = act(b, *operands)
    return cast(b, y, made, dtype_of(node))


def combine(b: Builder, ufunc: Any, dtype: np.dtype, x: Value, y: Value) -> Value:
    """One step of a reduction."""
    act = lowering(ufunc, dtype.kind)
    assert act is not None
    return act(b, x, y)


def identity(ufunc: Any, dtype: np.dtype) -> Any:
    """What a reduction begins with; None, if there is nothing."""
    if ufunc in (np.maximum, np.minimum):
        least = ufunc is np.maximum
        if dtype.kind == "b":
            return not least
        if dtype.kind == "f":
            return -np.inf if least else np.inf
        return np.iinfo(dtype).min if least else np.iinfo(dtype).max
    return {np.add: 0, np.multiply: 1, np.logical_or: False, np.logical_and: True}.get(ufunc)
