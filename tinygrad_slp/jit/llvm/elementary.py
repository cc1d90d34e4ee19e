"""exp, log, tanh and their kin as LLVM instructions: inline, branch-free, on a number or a vector.

Each function takes a builder b and a value x, float or double or a vector of either, and returns
a value of the type of x. Results are within 1.5 ulp, subnormal ones too; NaN, infinities and signed
zeros are as in C. There is no table, no conversion out of range and no fast-math flag. Every lane
takes the same path, and what a lane has no use for is dropped by a select at the end. Only exp has
a branch: for results that are no normal numbers.

Polynomials are minimax: found by Remez exchange in 60 digits, with the weight said beside them.
The intervals are wider by 1e-5 than is said, as a bound may be rounded to its other side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan, sqrt
from typing import Any

import numpy as np

from .ir import Builder, Value, Vector, Whole, filled
from .lanes import any_of, intrinsic

# --- the two precisions, and what was fitted to each ---


@dataclass(frozen=True)
class Format:
    """A floating-point format, and the polynomials short and long enough for it."""

    width: int
    digits: int
    """Bits of the mantissa that are stored."""
    bias: int
    """What the stored exponent is above the true one."""
    exp: Sequence[float]
    """q of exp(r) = 1 + r + r² q(r), for |r| ≤ ln(2)/2; minimax error relative to r."""
    log: Sequence[float]
    """q of log((1 + s)/(1 - s)) = 2s + s³ q(s²), for |s| ≤ (√2 - 1)/(√2 + 1); relative to s."""
    tanh: tuple[Sequence[float], Sequence[float]]
    """P and Q of tanh(x) = x + x³ P(x²)/Q(x²), for |x| ≤ 0.7; relative to x."""

    @property
    def magic(self) -> float:
        """Added to a number, it leaves the nearest whole k in the last bits, as k + 2 bias."""
        return 1.5 * 2.0**self.digits + 2 * self.bias

    @property
    def zero(self) -> float:
        """2 to this power is a little less than half the least number, and rounds to zero."""
        return -(self.bias + self.digits + 0.25)

    def split(self, value: Fraction) -> tuple[float, float]:
        """A constant as the sum of two numbers of this format: the nearest, and what is missing."""
        cast = float if self.width == 64 else np.float32
        high = float(cast(float(value)))
        return high, float(value - Fraction(high))


DOUBLE = Format(
    width=64,
    digits=52,
    bias=1023,
    exp=(  # error 1.8e-17
        0.50000000000000055446,
        0.16666666666666686063,
        0.041666666666573689372,
        0.0083333333333145607758,
        0.0013888888932356804843,
        0.00019841269903080035444,
        2.4801504473701564582e-05,
        2.7557227921978320197e-06,
        2.762631496776087296e-07,
        2.5114480070657119288e-08,
    ),
    log=(  # error 2.5e-18
        0.66666666666667344122,
        0.39999999999414665547,
        0.28571428742392647654,
        0.22222198572480920354,
        0.18183564371676917877,
        0.15314049170522001926,
        0.14795965550306527953,
    ),
    tanh=(  # error 2.6e-18
        (-0.33333333333333298052, -0.020492841860827303832, -0.00019891435452601991926),
        (1.0, 0.46147852558243758581, 0.023283391392410440259, 0.00020625135282320687449),
    ),
)

SINGLE = Format(
    width=32,
    digits=23,
    bias=127,
    exp=(  # error 1.3e-8
        0.50000000618443708817,
        0.16666543022726938732,
        0.041666282407320849318,
        0.0083665793450397338385,
        0.0013946423571497054824,
    ),
    log=(0.66666776379442098418, 0.39977541716613122711, 0.29871727683647645831),  # error 1.6e-9
    tanh=((-0.3333328631412624932, -0.0015308886338405101268), (1.0, 0.40457367039412883584)),
    # error 1.0e-8
)

LN2 = Fraction("0.693147180559945309417232121458176568075500134360255254")
LOG2_E = 1 / LN2
LOG10_E = Fraction("0.434294481903251827651128918916605082294397005803666566")
LOG10_2 = LN2 * LOG10_E


class Lanes:
    """Instructions on one number, or on each of a vector: the type says how many there are."""

    def __init__(self, b: Builder, type: Any) -> None:
        self.b = b
        self.type = type
        vector = isinstance(type, Vector)
        number = type.element if vector else type
        self.format = {"double": DOUBLE, "float": SINGLE}[str(number)]
        whole = Whole(self.format.width)
        self.bits = Vector(whole, type.count) if vector else whole

    def number(self, value: float) -> Value:
        """A constant in every lane."""
        return filled(self.type, value)

    def whole(self, value: int) -> Value:
        """A whole constant in every lane."""
        return filled(self.bits, value)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        return intrinsic(self.b, name, *operands)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x y + z, rounded once."""
        return self.intrinsic("fma", x, y, z)

    def to_bits(self, x: Value) -> Value:
        """The bits of x, as a whole number."""
        return self.b.bitcast(x, self.bits)

    def from_bits(self, bits: Value) -> Value:
        """The number that has these bits."""
        return self.b.bitcast(bits, self.type)

    def to_exponent(self, k: Value) -> Value:
        """The number whose exponent bits are k: 2**(k - bias)."""
        return self.from_bits(self.b.shl(k, self.whole(self.format.digits)))

    def choose(self, comparison: str, x: Value, y: float, yes: Value, no: Value) -> Value:
        """Yes where x compares so to y, else no; nothing compares to NaN."""
        condition = self.b.fcmp_ordered(comparison, x, self.number(y))
        return self.b.select(condition, yes, no)

    def at_most(self, x: Value, bound: float) -> Value:
        """min(x, bound); NaN stays."""
        return self.choose(">", x, bound, self.number(bound), x)

    def at_least(self, x: Value, bound: float) -> Value:
        """max(x, bound); NaN stays."""
        return self.choose("<", x, bound, self.number(bound), x)

    def polynomial(self, coefficients: Sequence[float], x: Value) -> Value:
        """c₀ + c₁ x + c₂ x² + …, by Estrin's scheme: neighbours pair up, then the pairs do."""
        terms = [self.number(c) for c in coefficients]
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            rest = terms[len(terms) // 2 * 2 :]
            terms = [self.fma(high, x, low) for low, high in pairs] + rest
            x = self.b.fmul(x, x) if len(terms) > 1 else x
        return terms[0]


# --- exponentials: x = k ln(2) + r, so exp(x) = 2**k exp(r) ---


def nearest(lanes: Lanes, x: Value, factor: float) -> tuple[Value, Value]:
    """The whole number k nearest to factor x: as bits that hold k + 2 bias, and as a number."""
    magic = lanes.number(lanes.format.magic)
    shifted = lanes.fma(x, lanes.number(factor), magic)
    return lanes.to_bits(shifted), lanes.b.fsub(shifted, magic)


def remainder(lanes: Lanes, x: Value, k: Value) -> tuple[Value, Value]:
    """r = x - k ln(2), first exactly but for the low part of ln(2), then rounded to a number."""
    high, low = lanes.format.split(LN2)
    # Exact, since it is less than 1/2 and a multiple of the last bit of x or of 2**-digits/2.
    head = lanes.fma(k, lanes.number(-high), x)
    return head, lanes.fma(k, lanes.number(-low), head)


def less_one(lanes: Lanes, r: Value, lost: Value | None = None) -> Value:
    """exp(r + lost) - 1, for a lost that is less than rounding r to fewer digits would lose."""
    b = lanes.b
    square = b.fmul(r, r)
    rest = r
    if lost is not None:  # exp(r + lost) = exp(r) + lost exp(r), where a cubic will do
        cubic = lanes.fma(r, lanes.number(1 / 6), lanes.number(1 / 2))
        cubic = lanes.fma(square, cubic, b.fadd(r, lanes.number(1.0)))
        rest = lanes.fma(lost, cubic, r)
    return lanes.fma(square, lanes.polynomial(lanes.format.exp, r), rest)


def times_power(lanes: Lanes, bits: Value, y: Value) -> Value:
    """(1 + y) 2**k. 2**k alone may not be a number: 2**(k//2) comes first, then the rest."""
    b = lanes.b
    half = b.lshr(bits, lanes.whole(1))
    scale = lanes.to_exponent(half)
    y = lanes.fma(y, scale, scale)  # rounded as 1 + y is
    return b.fmul(y, lanes.to_exponent(b.sub(bits, half)))


def exp_plus(lanes: Lanes, bits: Value, x: Value, k: Value, one: float) -> Value:
    """2**k exp(r) + one, for a 2**k that is a number and a one that is 1 or -1."""
    b = lanes.b
    scale = lanes.to_exponent(b.sub(bits, lanes.whole(lanes.format.bias)))
    head, r = remainder(lanes, x, k)
    _, low = lanes.format.split(LN2)
    small = b.fmul(b.fmul(r, r), lanes.polynomial(lanes.format.exp, r))
    small = lanes.fma(k, lanes.number(-low), small)
    # The great parts meet first, nearly always exactly, and the small one comes last.
    y = lanes.fma(scale, head, b.fadd(scale, lanes.number(one)))
    return lanes.fma(scale, small, y)


def within(lanes: Lanes, x: Value, least: float, unit: float) -> Value:
    """Bounds x to least, and to where exp is just infinite, both in multiples of the unit."""
    return lanes.at_most(lanes.at_least(x, least * unit), (lanes.format.bias + 1.25) * unit)


def exp(b: Builder, x: Value) -> Value:
    """exp(x). Nothing waits that need not: a step of training often waits for an exp."""
    lanes = Lanes(b, x.type)
    bits, k = nearest(lanes, x, float(LOG2_E))
    high, low = lanes.format.split(LN2)
    r = lanes.fma(k, lanes.number(-high), x)
    y = less_one(lanes, r, b.fmul(k, lanes.number(-low)))
    scale = lanes.to_exponent(b.sub(bits, lanes.whole(lanes.format.bias)))
    normal = lanes.fma(y, scale, scale)
    bound = lanes.number((lanes.format.bias - 1) * float(LN2))
    small = b.fcmp_ordered("<", lanes.intrinsic("fabs", x), bound)
    before = b.block
    with b.if_then(any_of(b, b.not_(small)), likely=False):
        extreme = limited(lanes, x, times_power(lanes, bits, y))
        rarely = b.block
    result = b.phi(x.type)
    result.add_incoming(normal, before)
    result.add_incoming(extreme, rarely)
    return result


def limited(lanes: Lanes, x: Value, y: Value) -> Value:
    """y; but for x where exp(x) is zero or infinite, that."""
    b = lanes.b
    least = lanes.number(lanes.format.zero * float(LN2))
    most = lanes.number((lanes.format.bias + 1.25) * float(LN2))
    outside = b.or_(b.fcmp_ordered("<", x, least), b.fcmp_ordered(">", x, most))
    limit = lanes.choose(">", x, 0.0, lanes.number(inf), lanes.number(0.0))
    return b.select(outside, limit, y)


def exp2(b: Builder, x: Value) -> Value:
    """2**x."""
    lanes = Lanes(b, x.type)
    x = within(lanes, x, lanes.format.zero, 1.0)
    bits, k = nearest(lanes, x, 1.0)
    return times_power(lanes, bits, less_one(lanes, b.fmul(b.fsub(x, k), lanes.number(float(LN2)))))


def expm1(b: Builder, x: Value) -> Value:
    """exp(x) - 1."""
    lanes = Lanes(b, x.type)
    # Below -(digits + 5) ln(2) all results are -1.
    bounded = within(lanes, x, -(lanes.format.digits + 5), float(LN2))
    bits, k = nearest(lanes, bounded, float(LOG2_E))
    # The greatest results have k = bias + 1, and 2**k is no number: they are halved till the end.
    last = b.fcmp_ordered(">", k, lanes.number(lanes.format.bias))
    bits = b.select(last, b.sub(bits, lanes.whole(1)), bits)
    y = exp_plus(lanes, bits, bounded, k, -1.0)
    y = b.select(last, b.fadd(y, y), y)
    return lanes.intrinsic("copysign", y, x)  # for -0


def tanh(b: Builder, x: Value) -> Value:
    """tanh(x): x + x³ P(x²)/Q(x²) near zero, else 1 - 2/(exp(2x) + 1); one division for both."""
    lanes = Lanes(b, x.type)
    a = lanes.intrinsic("fabs", x)
    square = b.fmul(a, a)
    P, Q = (lanes.polynomial(c, square) for c in lanes.format.tanh)
    near = b.fmul(b.fmul(a, square), P)
    # Beyond (digits + 6) ln(2) all results are 1.
    twice = lanes.at_most(b.fadd(a, a), (lanes.format.digits + 6) * float(LN2))
    bits, k = nearest(lanes, twice, float(LOG2_E))
    far = exp_plus(lanes, bits, twice, k, 1.0)
    small = b.fcmp_ordered("<", a, lanes.number(0.7))
    correction = b.fdiv(b.select(small, near, lanes.number(-2.0)), b.select(small, Q, far))
    y = b.fadd(b.select(small, a, lanes.number(1.0)), correction)
    return lanes.intrinsic("copysign", y, x)


# --- logarithms: x = 2**k (1 + f) with 1 + f from √½ to √2, so log(x) = k log(2) + log(1 + f) ---


def parted(lanes: Lanes, x: Value) -> tuple[Value, Value, Value]:
    """k + bias, as a whole number and as 2**digits more, and 1 + f, for a positive normal x."""
    b, digits = lanes.b, lanes.format.digits
    one = lanes.format.bias << digits
    # The mantissa of √½, so that the exponent changes at √2 rather than at 2.
    root = one - (1 << digits) + int((2 * sqrt(0.5) - 1) * 2**digits)
    shifted = b.add(lanes.to_bits(x), lanes.whole(one - root))
    exponent = b.lshr(shifted, lanes.whole(digits))
    mantissa = b.and_(shifted, lanes.whole((1 << digits) - 1))
    power = lanes.whole((lanes.format.bias + digits) << digits)  # the bits of 2**digits
    number = lanes.from_bits(b.or_(exponent, power))
    return exponent, number, lanes.from_bits(b.add(mantissa, lanes.whole(root)))


def missing(lanes: Lanes, f: Value) -> Value:
    """f - log(1 + f) = f²/2 - s (f²/2 + s² q(s²)), where s = f/(2 + f)."""
    b = lanes.b
    s = b.fdiv(f, b.fadd(f, lanes.number(2.0)))
    square = b.fmul(s, s)
    half = b.fmul(b.fmul(f, lanes.number(0.5)), f)
    rest = lanes.fma(square, lanes.polynomial(lanes.format.log, square), half)
    return lanes.fma(b.fneg(s), rest, half)


def combined(lanes: Lanes, k: Value, f: Value, lost: Value, e: Fraction, two: Fraction) -> Value:
    """k log(2) + log(1 + f + lost), given the logarithms of e and of 2; small ones meet first."""
    b = lanes.b
    w = missing(lanes, b.fadd(f, lost))
    (e_high, e_low), (two_high, two_low) = lanes.format.split(e), lanes.format.split(two)
    low = lanes.fma(k, lanes.number(two_low), lost)
    if e == 1:
        return lanes.fma(k, lanes.number(two_high), b.fadd(f, b.fsub(low, w)))
    low = lanes.fma(f, lanes.number(e_low), low)
    low = lanes.fma(w, lanes.number(-e_high), low)
    return lanes.fma(k, lanes.number(two_high), lanes.fma(f, lanes.number(e_high), low))


def defined(lanes: Lanes, x: Value, y: Value) -> Value:
    """y where x is positive and finite; else what a logarithm of x is there."""
    y = lanes.choose("<", x, inf, y, x)
    y = lanes.choose("<", x, 0.0, lanes.number(nan), y)
    return lanes.choose("==", x, 0.0, lanes.number(-inf), y)


def logarithm(b: Builder, x: Value, e: Fraction, two: Fraction) -> Value:
    """log(x) to the base in which these are the logarithms of e and of 2."""
    lanes = Lanes(b, x.type)
    digits, bias = lanes.format.digits, lanes.format.bias
    subnormal = b.fcmp_ordered("<", x, lanes.number(2.0 ** (1 - bias)))
    scaled = b.fmul(x, lanes.number(2.0 ** (digits + 1)))
    _, number, m = parted(lanes, b.select(subnormal, scaled, x))
    above = 2.0**digits + bias
    less = b.select(subnormal, lanes.number(above + digits + 1), lanes.number(above))
    k = b.fsub(number, less)
    f = b.fsub(m, lanes.number(1.0))
    nothing = lanes.number(-0.0)  # which LLVM may leave out of a sum, unlike 0
    return defined(lanes, x, combined(lanes, k, f, nothing, e, two))


def log(b: Builder, x: Value) -> Value:
    """log(x)."""
    return logarithm(b, x, Fraction(1), LN2)


def log2(b: Builder, x: Value) -> Value:
    """log(x)/log(2)."""
    return logarithm(b, x, LOG2_E, Fraction(1))


def log10(b: Builder, x: Value) -> Value:
    """log(x)/log(10)."""
    return logarithm(b, x, LOG10_E, LOG10_2)


def log1p(b: Builder, x: Value) -> Value:
    """log(1 + x)."""
    lanes = Lanes(b, x.type)
    digits, bias, one = lanes.format.digits, lanes.format.bias, lanes.number(1.0)
    u = b.fadd(x, one)
    # 1 + x = u + lost exactly (Knuth's two-sum).
    back = b.fsub(u, one)
    lost = b.fadd(b.fsub(x, back), b.fsub(one, b.fsub(u, back)))
    exponent, number, m = parted(lanes, u)
    k = b.fsub(number, lanes.number(2.0**digits + bias))
    # 2**(1 - k) rather than 2**-k, which the greatest k has not.
    scale = lanes.to_exponent(b.sub(lanes.whole(2 * bias + 1), exponent))
    lost = b.fmul(b.fmul(lost, scale), lanes.number(0.5))
    y = defined(lanes, u, combined(lanes, k, b.fsub(m, one), lost, Fraction(1), LN2))
    return lanes.intrinsic("copysign", y, x)  # for -0


ELEMENTARY: dict[np.ufunc, Callable[[Any, Value], Value]] = {
    np.exp: exp,
    np.exp2: exp2,
    np.expm1: expm1,
    np.log: log,
    np.log2: log2,
    np.log10: log10,
    np.log1p: log1p,
    np.tanh: tanh,
}
