"""Derivatives of the functions that make fewer numbers of many, and of cumsum and sort.

A reduction over some axes sends its cotangent back to every element it read: `spread` puts the
axes back that the reduction removed.
"""

import math

import numpy as np

from ..graph import Node, differentiable
from ..rule import POSITIVE, REAL, aliases, composite, declare, linear
from .arguments import axes_of, only, setting
from .calculus import over, side

FLOAT16 = np.dtype(np.float16)


def calls(f, x):
    """The calls that every reduction is tried on."""
    return [f(x(2, 3)), f(x(2, 3), axis=0), f(x(2, 3, 2), axis=(0, -1), keepdims=True), f(x(4), 0)]


def kept(g, x, axis):
    """g with the axes back, of length 1, that a reduction of x removed."""
    if axis is None:
        return g.reshape((1,) * x.ndim)
    axes = [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    return g.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])


def spread(g, x, axis, keepdims):
    """g repeated to the shape of x along the axes that a reduction of x removed."""
    return np.broadcast_to(g if keepdims or not x.ndim else kept(g, x, axis), x.shape)


def count(x, axis):
    """How many elements of x each element of its reduction was made of."""
    if axis is None:
        return x.size
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod([x.shape[a] for a in axes])


LONG = 1024  # a column of fewer rows keeps five digits of float32 however it is added up
BLOCK = 64


def add_up(x, axis=None, *, keepdims=False):
    """Σ x. Long columns in blocks of rows, so that the rounding of one does not reach the next; of
    several axes one after the other.

    NumPy adds halves together only along the last axis; along the others it adds row after row.
    """
    if x.size < LONG or x.ndim < 2 or axis is None or isinstance(x, Node):  # whose rule comes here
        return np.add.reduce(x, axis, keepdims=keepdims)
    axes = axes_of(axis, x.ndim)
    n = math.prod([x.shape[a] for a in axes])
    if n < LONG or axes == [x.ndim - 1] or len(axes) == x.ndim:
        return np.add.reduce(x, axis=axis, keepdims=keepdims)
    if len(axes) > 1:  # the last one first: along it halves are added
        *others, last = sorted(axes)
        y = add_up(add_up(x, last, keepdims=True), tuple(others), keepdims=True)
        return y if keepdims else np.squeeze(y, axis=tuple(axes))
    a = axes[0]
    before, n, after = x.shape[:a], x.shape[a] // BLOCK, x.shape[a + 1 :]
    whole = (slice(None),) * a
    blocks = np.reshape(x[*whole, : BLOCK * n], (*before, BLOCK, n, *after))
    y = add_up(np.add.reduce(blocks, axis=a), axis, keepdims=keepdims)
    rest = x[*whole, BLOCK * n :]
    return y + add_up(rest, axis, keepdims=keepdims) if rest.size else y


linear(
    np.sum, "Σ x",
    lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims),
    examples=calls, run=add_up,
)  # fmt: skip


def mean(x, axis=None, *, keepdims=False):
    """np.mean, of an array in a third of its time."""
    if x.dtype is FLOAT16:  # which ends at 65504: NumPy adds it up in float32
        return np.mean(x, axis=axis, keepdims=keepdims)
    return add_up(x, axis, keepdims=keepdims) / count(x, axis)


linear(
    np.mean, "Σ x / n",
    lambda g, y, x, axis=None, *, keepdims=False: spread(g / count(x, axis), x, axis, keepdims),
    examples=calls, run=mean,
)  # fmt: skip


def extremal(g, y, x, axis=None, *, keepdims=False):
    """The cotangent goes to the extreme element, or to NaN; those in a tie share it evenly."""
    chosen = np.equal(x, spread(y, x, axis, keepdims)) | np.isnan(x)
    return shared(chosen, g, x, axis, keepdims)


def shared(chosen, g, x, axis, keepdims):
    """The cotangent of a reduction of x, shared evenly by the elements that are chosen."""
    ties = np.add.reduce(chosen, axis=axis, keepdims=True)
    return np.where(chosen, spread(g, x, axis, keepdims) / np.maximum(ties, 1), 0)


declare(np.max, "max x", extremal, domain=REAL, examples=calls)
declare(np.min, "min x", extremal, domain=REAL, examples=calls)
aliases(np.max, np.amax)
aliases(np.min, np.amin)


def ptp_slope(g, y, x, axis=None, *, keepdims=False):
    """g at the largest, −g at the smallest; 0 where all are equal, and one is both."""
    ends = (f(x, axis=axis, keepdims=True) for f in (np.max, np.min))
    most, least = (extremal(np.ones_like(x), end, x, axis, keepdims=True) for end in ends)
    part = (most - least) * side(spread(y, x, axis, keepdims))
    return only(np.not_equal(part, 0), spread(g, x, axis, keepdims)) * part


declare(np.ptp, "max x − min x", ptp_slope, domain=REAL, examples=calls)


def first(x, axis):
    """x with the axes to reduce flattened into one, and that one first."""
    if axis is None:
        return x.reshape(-1)
    axes = axes_of(axis, x.ndim)
    rest = [a for a in range(x.ndim) if a not in axes]
    return np.transpose(x, [*axes, *rest]).reshape([count(x, axis), *(x.shape[a] for a in rest)])


@composite(np.prod, "Π x", examples=calls)
def prod(x, axis=None, *, keepdims=False):
    """Halves multiplied together, so that all derivatives are right also where factors are 0."""
    if x.dtype.kind in "biu":  # NumPy's choice: small integers are multiplied as large ones
        x = x.astype(np.prod(np.ones(1, x.dtype)).dtype)
    y = first(x, axis)
    if not len(y):
        y = np.ones((1, *y.shape[1:]), dtype=x.dtype)
    while len(y) > 1:
        half = len(y) // 2
        product = y[:half] * y[half : 2 * half]
        y = np.concatenate([product, y[2 * half :]]) if len(y) % 2 else product
    return kept(y[0], x, axis) if keepdims else y[0]


def modulus(x):
    """|x| of complex numbers, whose squares are to be added; all others as they are."""
    return np.absolute(x) if x.dtype.kind == "c" else x


def deviation(x, axis):
    return x - np.mean(x, axis=axis, keepdims=True)


def freedom(x, axis, ddof, correction):
    """The number of independent deviations, by which their squares are divided."""
    return max(count(x, axis) - (ddof if correction is None else correction), 0)


def with_ddof(f, x):
    return [*calls(f, x), f(x(2, 3), axis=1, ddof=1)]


@composite(np.var, "Σ (x − mean x)² / n", examples=with_ddof)
def var(x, axis=None, *, ddof=0, correction=None, keepdims=False):
    squares = np.square(modulus(deviation(x, axis)))
    return np.sum(squares, axis=axis, keepdims=keepdims) / freedom(x, axis, ddof, correction)


@composite(np.std, "√(var x)", examples=with_ddof)
def std(x, axis=None, *, ddof=0, correction=None, keepdims=False):
    y = euclidean(modulus(deviation(x, axis)), axis=axis, keepdims=keepdims)
    return y / math.sqrt(freedom(x, axis, ddof, correction))


@composite(
    np.sort,
    "x in order",
    examples=lambda f, x: [f(x(2, 3)), f(x(3, 2), axis=0), f(x(2, 2), axis=None)],
)
def sort(x, axis=-1, kind=None, *, stable=None):
    if axis is None:
        x, axis = x.reshape(-1), -1
    given = {k: v for k, v in (("kind", kind), ("stable", stable)) if v is not None}
    return np.take_along_axis(x, np.argsort(x, axis=axis, **given), axis)


@composite(np.median, "the middle of x in order", examples=calls)
def median(x, axis=None, *, keepdims=False):
    ordered = np.sort(first(x, axis), axis=0)
    n = len(ordered)
    if not n:
        return np.mean(x, axis=axis, keepdims=keepdims)  # NaN, and NumPy's warning
    y = ordered[(n - 1) // 2] / 2 + ordered[n // 2] / 2
    y = np.where(np.isnan(ordered[-1]), ordered[-1], y)
    return kept(y, x, axis) if keepdims else y


def reversed_cumsum(g, x, axis):
    if axis is None:
        return np.flip(np.cumsum(np.flip(g))).reshape(x.shape)
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


linear(
    np.cumsum, "the sums of the first x",
    lambda g, y, x, axis=None: reversed_cumsum(g, x, axis),
    examples=lambda f, x: [f(x(4)), f(x(2, 3)), f(x(2, 3), axis=1)],
)  # fmt: skip


def cumprod_slope(g, y, x, axis=None):
    """(x₁⋯xᵢ₋₁) · rᵢ with rᵢ = gᵢ + xᵢ₊₁ rᵢ₊₁, which divides by no x: they may be 0.

    r of spans of 1, 2, 4, ... elements, each of two halves: r = r' + (the product of x)' · r''.
    """
    if axis is None:
        return cumprod_slope(g, y, x.reshape(-1), 0).reshape(x.shape)
    r, y, x = (np.moveaxis(a, axis, 0) for a in (g, y, x))
    end = np.zeros_like(x[:1])
    span, product = 1, np.concatenate([x[1:], end])
    while span < len(x):
        r = np.concatenate([r[:-span] + product[:-span] * r[span:], r[-span:]])
        product = np.concatenate([product[:-span] * product[span:], product[-span:]])
        span *= 2
    return np.moveaxis(np.concatenate([r[:1], y[:-1] * r[1:]]), 0, axis)


declare(
    np.cumprod, "the products of the first x", cumprod_slope,
    domain=REAL, examples=lambda f, x: [f(x(5)), f(x(2, 3)), f(x(2, 3), axis=1)],
)  # fmt: skip


@differentiable(
    # At 0, the corner of the norm, the slope is taken as 0.
    lambda g, y, x, axis=None, keepdims=False: (
        spread(only(np.not_equal(y, 0), g), x, axis, keepdims)
        * over(x, spread(y, x, axis, keepdims))
    ),
    domain=REAL,
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), axis=0), f(x(2, 3), axis=(0, 1), keepdims=True)],
)
def euclidean(x, axis=None, keepdims=False):
    """√(Σ x²)      ∂x = g · x/y"""
    return np.sqrt(add_up(x * x, axis, keepdims=keepdims))


def power_norm_slope(g, y, x, p=3, axis=None, keepdims=False):
    """g · sign(x)·(|x|/y)ᵖ⁻¹, and 0 where x = 0, or y = 0: for p < 0, where another x is."""
    r = over(x, spread(y, x, axis, keepdims))
    size, at_0 = np.absolute(r), np.equal(r, 0)
    slope = r * size ** (p - 2) if p > 2 else side(r) * np.where(at_0, 1, size) ** (p - 1)
    return only(~at_0, spread(g, x, axis, keepdims)) * slope


@differentiable(
    power_norm_slope,
    domain=POSITIVE,
    examples=lambda f, x: [f(x(3)), f(x(2, 3), p=1.5, axis=0), f(x(2, 3), -1, -1, keepdims=True)],
)
def power_norm(x, p=3, axis=None, keepdims=False):
    """(Σ |x|ᵖ)^(1/p)      ∂x = g · sign(x)·(|x|/y)ᵖ⁻¹"""
    return add_up(np.absolute(x) ** p, axis, keepdims=keepdims) ** (1 / p)


@composite(
    np.linalg.norm,
    "(Σ |x|ᵖ)^(1/p)",
    domain=POSITIVE,
    examples=lambda f, x: [
        *(f(x(3)), f(x(2, 3)), f(x(2, 3), axis=1, keepdims=True), f(x(3), 3), f(x(3), 1)),
        *(f(x(3), np.inf), f(x(2, 3), 1), f(x(2, 3), -np.inf, keepdims=True), f(x(2, 3), "fro")),
    ],
)
def norm(x, ord=None, axis=None, keepdims=False):
    """Norms of every order, of vectors and of matrices."""
    if x.dtype.kind in "biu":
        x = x.astype(float)
    ord, axes = setting(ord), axes_of(axis, x.ndim)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        y = np.sum(s, axis=-1) if ord == "nuc" else (np.max if ord > 0 else np.min)(s, axis=-1)
        return kept(y, x, tuple(axes)) if keepdims else y
    x = modulus(x)
    if len(axes) not in (1, 2) and not (ord is None and axis is None):
        raise ValueError(
            f"np.linalg.norm is of one axis (a vector) or two (a matrix), not of {axes}"
        )
    matrix = len(axes) == 2
    if ord is None or (ord == "fro" and matrix) or (ord == 2 and not matrix):
        return euclidean(x, axis=axis, keepdims=keepdims)
    if matrix and ord in (1, -1, np.inf, -np.inf):
        rows, columns = axes
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        y = np.sum(np.absolute(x), axis=inner, keepdims=True)
        y = (np.max if ord > 0 else np.min)(y, axis=outer, keepdims=True)
        return y if keepdims else np.squeeze(y, axis=(rows, columns))
    if matrix or not isinstance(ord, int | float):
        raise TypeError(
            f"np.linalg.norm(ord={ord!r}) of a matrix has no derivative rule; "
            "there are None, 'fro', 'nuc', 1, -1, 2, -2, inf and -inf"
        )
    if abs(ord) == np.inf:
        return (np.max if ord > 0 else np.min)(np.absolute(x), axis=axis, keepdims=keepdims)
    if ord == 0:  # how many are not 0
        return np.sum(np.where(x == 0, np.sign(x), 1), axis=axis, keepdims=keepdims)
    return power_norm(x, p=ord, axis=axis, keepdims=keepdims)


@composite(
    np.linalg.vector_norm, "(Σ |x|ᵖ)^(1/p)", domain=POSITIVE,
    examples=lambda f, x: [
        f(x(2, 3)), f(x(2, 3), axis=1, ord=3), f(x(2, 3, 2), axis=(0, 2), keepdims=True, ord=1),
    ],
)  # fmt: skip
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    y = norm(first(x, axis), ord, axis=0)
    return kept(y, x, axis) if keepdims else y


# Singular values that tie share the cotangent of a norm of order 2 or -2, as in np.max.
@composite(
    np.linalg.matrix_norm, "the norm of each matrix", domain=POSITIVE,
    examples=lambda f, x: [
        f(x(2, 3)), f(x(2, 2, 3), ord="nuc", keepdims=True), f(x(2, 3), ord=2), f(x(3, 2), ord=-2),
        f(x(2, 3), ord=1),
    ],
)  # fmt: skip
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return norm(x, ord, axis=(-2, -1), keepdims=keepdims)
