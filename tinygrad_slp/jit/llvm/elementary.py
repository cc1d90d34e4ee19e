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
from typing import Any, Union

import numpy as np

from .ir import DOUBLE, Builder, Value, filled, vector, whole
from .vectors import any_of, intrinsic

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
    def ln2(self) -> tuple[float, float]:
        """ln(2) as the sum of two numbers of this format: the nearest, and what is missing."""
        high = float(np.dtype(f"f{self.width // 8}").type(float(LN2)))
        return high, float(LN2 - Fraction(high))


LN2 = Fraction("0.693147180559945309417232121458176568075500134360255254")

OF_64_BITS = Format(
    width=64,
    digits=52,
    bias=1023,
    exp=(  # error 1.8e-17
        0.50000000000000055446, 0.16666666666666686063, 0.041666666666573689372,
        0.0083333333333145607758, 0.0013888888932356804843, 0.00019841269903080035444,
        2.4801504473701564582e-05, 2.7557227921978320197e-06, 2.762631496776087296e-07,
        2.5114480070657119288e-08,
    ),
    log=(  # error 2.5e-18
        0.66666666666667344122, 0.39999999999414665547, 0.28571428742392647654,
        0.22222198572480920354, 0.18183564371676917877, 0.15314049170522001926,
        0.14795965550306527953,
    ),
    tanh=(  # error 2.6e-18
        (-0.33333333333333298052, -0.020492841860827303832, -0.00019891435452601991926),
        (1.0, 0.46147852558243758581, 0.023283391392410440259, 0.00020625135282320687449),
    ),
)  # fmt: skip

OF_32_BITS = Format(
    width=32,
    digits=23,
    bias=127,
    exp=(  # error 1.3e-8
        0.50000000618443708817, 0.16666543022726938732, 0.041666282407320849318,
        0.0083665793450397338385, 0.0013946423571497054824,
    ),
    log=(0.66666776379442098418, 0.39977541716613122711, 0.29871727683647645831),  # error 1.6e-9
    tanh=((-0.3333328631412624932, -0.0015308886338405101268), (1.0, 0.40457367039412883584)),
    # error 1.0e-8
)  # fmt: skip

# --- formulas of numbers in lanes ---

Term = Union["Lanes", float]


def by_instruction(write: Callable[..., Value]) -> Callable[["Lanes", Term], "Lanes"]:
    """An operator between numbers in lanes."""
    return lambda x, y: Lanes(x.b, write(x.b, x.value, x.of(y)))


class Lanes:
    """A number, or each of a vector, in formulas: a float in them is a constant in every lane."""

    __slots__ = ("b", "value")

    def __init__(self, b: Builder, value: Value) -> None:
        self.b, self.value = b, value

    @property
    def format(self) -> Format:
        return OF_64_BITS if self.value.type.one is DOUBLE else OF_32_BITS

    def of(self, x: Term) -> Value:
        return x.value if isinstance(x, Lanes) else filled(self.value.type, x)

    __add__, __sub__ = by_instruction(Builder.fadd), by_instruction(Builder.fsub)
    __mul__, __truediv__ = by_instruction(Builder.fmul), by_instruction(Builder.fdiv)

    def __rsub__(self, y: float) -> "Lanes":
        return Lanes(self.b, self.b.fsub(self.of(y), self.value))

    def __neg__(self) -> "Lanes":
        return Lanes(self.b, self.b.fneg(self.value))

    def __abs__(self) -> "Lanes":
        return self.intrinsic("fabs")

    def intrinsic(self, name: str, *others: Term) -> "Lanes":
        return Lanes(self.b, intrinsic(self.b, name, self.value, *map(self.of, others)))

    def is_(self, sign: str, y: float) -> Value:
        """Where it compares so to y; NaN does nowhere."""
        return self.b.fcmp_ordered(sign, self.value, self.of(y))

    def where(self, condition: Value, other: Term) -> "Lanes":
        """Itself where the condition holds, else the other."""
        return Lanes(self.b, self.b.select(condition, self.value, self.of(other)))

    def at_most(self, bound: float) -> "Lanes":
        """min(x, bound); NaN stays."""
        return self.constant(bound).where(self.is_(">", bound), self)

    def constant(self, x: float) -> "Lanes":
        return Lanes(self.b, self.of(x))

    # --- as bits ---

    def whole(self, n: int) -> Value:
        """A whole constant in every lane."""
        return filled(vector(whole(self.format.width), self.value.type.count), n)

    @property
    def bits(self) -> Value:
        return self.b.bitcast(self.value, self.whole(0).type)

    def from_bits(self, bits: Value) -> "Lanes":
        """The number that has these bits."""
        return Lanes(self.b, self.b.bitcast(bits, self.value.type))

    def power(self, k: Value, less: int = 0) -> "Lanes":
        """The number whose exponent bits are k − less: 2**(k − less − bias)."""
        k = self.b.sub(k, self.whole(less)) if less else k
        return self.from_bits(self.b.shl(k, self.whole(self.format.digits)))


def fma(x: Lanes, y: Term, z: Term) -> Lanes:
    """x y + z, rounded once."""
    return x.intrinsic("fma", y, z)


def polynomial(coefficients: Sequence[float], x: Lanes) -> Lanes:
    """c₀ + c₁ x + c₂ x² + …, by Estrin's scheme: neighbours pair up, then the pairs do."""
    terms = [x.constant(c) for c in coefficients]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [fma(high, x, low) for low, high in pairs] + terms[len(terms) // 2 * 2 :]
        x = x * x if len(terms) > 1 else x
    return terms[0]


# --- exponentials: x = k ln(2) + r, so exp(x) = 2**k exp(r) ---


def nearest(x: Lanes) -> tuple[Value, Lanes]:
    """The whole number k nearest to x/ln(2): as bits that hold k + 2 bias, and as a number."""
    shifted = fma(x, float(1 / LN2), x.format.magic)
    return shifted.bits, shifted - x.format.magic


def exp_plus(bits: Value, x: Lanes, k: Lanes, one: float) -> Lanes:
    """2**k exp(r) + one, for a 2**k that is a number and a one that is 1 or -1."""
    scale, (high, low) = x.power(bits, x.format.bias), x.format.ln2
    # Exact, since it is less than 1/2 and a multiple of the last bit of x or of 2**-digits/2.
    head = fma(k, -high, x)
    r = fma(k, -low, head)
    small = fma(k, -low, r * r * polynomial(x.format.exp, r))
    # The great parts meet first, nearly always exactly, and the small one comes last.
    return fma(scale, small, fma(scale, head, scale + one))


def exp(b: Builder, value: Value) -> Value:
    """exp(x). Nothing waits that need not: a step of training often waits for an exp."""
    x = Lanes(b, value)
    bits, k = nearest(x)
    high, low = x.format.ln2
    r = fma(k, -high, x)
    lost = k * -low  # exp(r + lost) = exp(r) + lost exp(r), where a cubic will do
    cubic = fma(r * r, fma(r, 1 / 6, 1 / 2), r + 1.0)
    y = fma(r * r, polynomial(x.format.exp, r), fma(lost, cubic, r))
    scale = x.power(bits, x.format.bias)
    normal = fma(y, scale, scale)
    small = abs(x).is_("<", (x.format.bias - 1) * float(LN2))
    before = b.block
    with b.if_rare(any_of(b, b.not_(small))):
        extreme = limited(x, times_power(bits, y))
        rarely = b.block
    result = b.phi(value.type)
    result.add_incoming(normal.value, before)
    result.add_incoming(extreme.value, rarely)
    return result


def times_power(bits: Value, y: Lanes) -> Lanes:
    """(1 + y) 2**k. 2**k alone may not be a number: 2**(k//2) comes first, then the rest."""
    half = y.b.lshr(bits, y.whole(1))
    scale = y.power(half)
    return fma(y, scale, scale) * y.power(y.b.sub(bits, half))  # rounded as 1 + y is


def limited(x: Lanes, y: Lanes) -> Lanes:
    """y; but for x where exp(x) is zero or infinite, that."""
    least = -(x.format.bias + x.format.digits + 0.25) * float(LN2)  # 2**this rounds to zero
    most = (x.format.bias + 1.25) * float(LN2)
    y = y.constant(0.0).where(x.is_("<", least), y)
    return y.constant(inf).where(x.is_(">", most), y)


def expm1(b: Builder, value: Value) -> Value:
    """exp(x) - 1."""
    x = Lanes(b, value)
    # Below -(digits + 5) ln(2) all results are -1.
    least = -(x.format.digits + 5) * float(LN2)
    bounded = x.constant(least).where(x.is_("<", least), x)
    bounded = bounded.at_most((x.format.bias + 1.25) * float(LN2))
    bits, k = nearest(bounded)
    # The greatest results have k = bias + 1, and 2**k is no number: they are halved till the end.
    last = k.is_(">", x.format.bias)
    bits = b.select(last, b.sub(bits, x.whole(1)), bits)
    y = exp_plus(bits, bounded, k, -1.0)
    return (y + y).where(last, y).intrinsic("copysign", x).value  # for -0


def tanh(b: Builder, value: Value) -> Value:
    """tanh(x): x + x³ P(x²)/Q(x²) near zero, else 1 - 2/(exp(2x) + 1); one division for both."""
    x = Lanes(b, value)
    a = abs(x)
    P, Q = (polynomial(c, a * a) for c in x.format.tanh)
    # Beyond (digits + 6) ln(2) all results are 1.
    twice = (a + a).at_most((x.format.digits + 6) * float(LN2))
    bits, k = nearest(twice)
    far = exp_plus(bits, twice, k, 1.0)
    near = a.is_("<", 0.7)
    y = a.where(near, 1.0) + (a * (a * a) * P).where(near, -2.0) / Q.where(near, far)
    return y.intrinsic("copysign", x).value


# --- logarithms: x = 2**k (1 + f) with 1 + f from √½ to √2, so log(x) = k log(2) + log(1 + f) ---


def split(x: Lanes) -> tuple[Value, Lanes, Lanes]:
    """k + bias, as a whole number and as 2**digits more, and 1 + f, for a positive normal x."""
    b, digits, bias = x.b, x.format.digits, x.format.bias
    one = bias << digits
    # The mantissa of √½, so that the exponent changes at √2 rather than at 2.
    root = one - (1 << digits) + int((2 * sqrt(0.5) - 1) * 2**digits)
    shifted = b.add(x.bits, x.whole(one - root))
    exponent = b.lshr(shifted, x.whole(digits))
    mantissa = b.and_(shifted, x.whole((1 << digits) - 1))
    number = b.or_(exponent, x.whole((bias + digits) << digits))  # the bits of 2**digits
    return exponent, x.from_bits(number), x.from_bits(b.add(mantissa, x.whole(root)))


def combined(k: Lanes, f: Lanes, lost: Term) -> Lanes:
    """k ln(2) + log(1 + f + lost); small ones meet first.

    log(1 + f) = f − w with w = f²/2 − s (f²/2 + s² q(s²)), where s = f/(2 + f).
    """
    high, low = f.format.ln2
    g = f + lost
    s = g / (g + 2.0)
    half = g * 0.5 * g
    w = fma(-s, fma(s * s, polynomial(f.format.log, s * s), half), half)
    return fma(k, high, f + (fma(k, low, lost) - w))


def defined(x: Lanes, y: Lanes) -> Lanes:
    """y where x is positive and finite; else what a logarithm of x is there."""
    y = y.where(x.is_("<", inf), x)
    y = y.constant(nan).where(x.is_("<", 0.0), y)
    return y.constant(-inf).where(x.is_("==", 0.0), y)


def log(b: Builder, value: Value) -> Value:
    """log(x)."""
    x = Lanes(b, value)
    digits, bias = x.format.digits, x.format.bias
    subnormal = x.is_("<", 2.0 ** (1 - bias))
    _, number, m = split((x * 2.0 ** (digits + 1)).where(subnormal, x))
    above = 2.0**digits + bias
    k = number - x.constant(above + digits + 1).where(subnormal, above)
    # −0 is what LLVM may leave out of a sum, unlike 0.
    return defined(x, combined(k, m - 1.0, -0.0)).value


def log1p(b: Builder, value: Value) -> Value:
    """log(1 + x)."""
    x = Lanes(b, value)
    digits, bias = x.format.digits, x.format.bias
    u = x + 1.0
    # 1 + x = u + lost exactly (Knuth's two-sum).
    back = u - 1.0
    lost = (x - back) + (1.0 - (u - back))
    exponent, number, m = split(u)
    # 2**(1 - k) rather than 2**-k, which the greatest k has not.
    scale = x.power(b.sub(x.whole(2 * bias + 1), exponent))
    y = combined(number - (2.0**digits + bias), m - 1.0, lost * scale * 0.5)
    return defined(u, y).intrinsic("copysign", x).value  # for -0


ELEMENTARY: dict[np.ufunc, Callable[[Any, Value], Value]] = {
    np.exp: exp,
    np.expm1: expm1,
    np.log: log,
    np.log1p: log1p,
    np.tanh: tanh,
}
