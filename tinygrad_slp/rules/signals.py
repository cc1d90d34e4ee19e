"""Derivatives of the functions of samples along a line: differences, integrals, interpolation,
convolution."""

import operator

import numpy as np

from ..rule import REAL, composite, declare, linear
from .arguments import axes_of, axis_of, only, setting, shaped
from .movement import scatter

# --- differences ---


@composite(
    np.diff,
    "xᵢ₊₁ − xᵢ",
    examples=lambda f, x: [
        *(f(x(4)), f(x(2, 4), 2), f(x(3, 2), axis=0), f(x(3), 1, -1, x(2), x(1))),
        f(x(3), 1, -1, x(1)),
    ],
)
def diff(a, n=1, axis=-1, prepend=None, append=None):
    a = shaped(a)
    if n < 0 or not a.ndim:
        return np.diff(a.array, n)  # which says what is wrong
    axis = axis_of(axis, a.ndim)
    one = tuple(1 if i == axis else k for i, k in enumerate(a.shape))
    parts = [x if x is None else shaped(x) for x in (prepend, append)]
    before, after = ([] if x is None else [x if x.ndim else np.broadcast_to(x, one)] for x in parts)
    if n and (before or after):
        a = np.concatenate([*before, a, *after], axis=axis)
    a = np.moveaxis(a, axis, 0)
    for _ in range(n):
        a = a[1:] != a[:-1] if a.dtype == bool else a[1:] - a[:-1]
    return np.moveaxis(a, 0, axis)


@composite(
    np.ediff1d,
    "xᵢ₊₁ − xᵢ, between ends",
    examples=lambda f, x: [f(x(4)), f(x(2, 2), to_begin=0.0), f(x(3), x(2), x(1))],
)
def ediff1d(x, to_end=None, to_begin=None):
    x = np.reshape(shaped(x), -1)
    ends = [None if end is None else np.reshape(shaped(end), -1) for end in (to_begin, to_end)]
    for end in ends:
        if end is not None and not np.can_cast(end.dtype, x.dtype, "same_kind"):
            raise TypeError(f"np.ediff1d: an end of {end.dtype} beside an array of {x.dtype}")
    before, after = ([] if end is None else [end.astype(x.dtype)] for end in ends)
    return np.concatenate([*before, x[1:] - x[:-1], *after])


def edge(f, h, order):
    """The slope at the first of the samples f, by a parabola through three, or a line through two:
    h are the distances between them (Quarteroni, Sacco and Saleri, 2007)."""
    if order == 1:
        return (f[1] - f[0]) / h[0]
    a, b = h[0], h[1]
    return (b + 2 * a) / (a * (a + b)) * -f[0] + (a + b) / (a * b) * f[1] - a / (b * (a + b)) * f[2]


def slopes(f, h, axis, order):
    """The slopes of samples f at distances h, a number or one for each pair of neighbours."""
    f = np.moveaxis(f, axis, 0)
    if np.ndim(h):
        h = np.reshape(h, (-1,) + (1,) * (f.ndim - 1))
        a, b = h[:-1], h[1:]
        inside = f[1:-1] * ((b - a) / (a * b)) - f[:-2] * (b / (a * (a + b)))
        inside, near, far = inside + f[2:] * (a / (b * (a + b))), h, h[::-1]
    else:
        inside, near, far = (f[2:] - f[:-2]) / (2.0 * h), (h, h), (h, h)
    first, last = edge(f, near, order), -edge(f[::-1], far, order)
    return np.moveaxis(np.concatenate([first[None], inside, last[None]]), 0, axis)


@composite(
    np.gradient,
    "the slopes of samples",
    examples=lambda f, x: [
        *(f(x(4)), f(x(3, 4), 0.5)[1], f(x(3, 3), 2, np.array([0, 1, 3]))[1], f(x(3, 2), axis=0)),
        *(f(x(4), edge_order=2), f(x(4), np.array([0, 1, 3, 7]), edge_order=2)),
    ],
)
def gradient(f, *varargs, axis=None, edge_order=1):
    f = shaped(f)
    if f.dtype.kind in "biu":
        f = f.astype(float)
    axes = axes_of(axis, f.ndim)
    edge_order = operator.index(setting(edge_order))
    steps = list(varargs)
    if not steps or (len(steps) == 1 and not np.ndim(steps[0])):
        steps = [*steps, 1.0][:1] * len(axes)
    if len(steps) != len(axes):
        raise TypeError(f"np.gradient: {len(steps)} distances for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise ValueError(f"np.gradient: edge_order is 1 or 2, got {edge_order}")
    found = []
    for a, h in zip(axes, steps, strict=True):
        if f.shape[a] <= edge_order:
            raise ValueError(
                f"np.gradient(edge_order={edge_order}): an axis of {f.shape[a]} is too short"
            )
        if np.ndim(h) and np.shape(h) != (f.shape[a],):
            raise ValueError(
                f"np.gradient: positions of shape {np.shape(h)} for an axis of {f.shape[a]}"
            )
        y = slopes(f, np.diff(shaped(h) * 1.0) if np.ndim(h) else h, a, edge_order)
        found.append(y if y.dtype == f.dtype else y.astype(f.dtype))
    return found[0] if len(found) == 1 else tuple(found)


# --- integrals and interpolation ---


@composite(
    np.trapezoid,
    "Σ (xᵢ₊₁ − xᵢ)·(yᵢ + yᵢ₊₁)/2",
    examples=lambda f, x: [
        *(f(x(4)), f(x(2, 3), dx=0.5, axis=0), f(x(2, 3), x(3)), f(x(3, 2), x(3), axis=0)),
        f(x(2, 3), x(2, 3)),
    ],
)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    y = shaped(y)
    axis = axis_of(axis, y.ndim)
    y = np.moveaxis(y, axis, -1)
    if x is not None:
        x = shaped(x)
        dx = np.diff(x if x.ndim == 1 else np.moveaxis(x, axis, -1))
    return np.sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


def segment(x, xp, left, right, period):
    """The points before and after each x, as indices; their distance; the part w of it before x, in
    0 ... 1; whether x is between points, and whether y depends on them."""
    if period is not None:
        x, xp, period = x % abs(period), xp % abs(period), abs(period)
    index = np.argsort(xp)
    if period is not None:
        xp = xp[index]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        index = np.concatenate([index[-1:], index, index[:1]])
    i = np.maximum(np.minimum(np.searchsorted(xp, x, side="right"), len(xp) - 1) - 1, 0)
    j = np.minimum(i + 1, len(xp) - 1)
    below, above = x < xp[0], x > xp[-1]
    between = (x >= xp[0]) & (x <= xp[-1])
    width = np.where(np.equal(xp[j], xp[i]), 1, xp[j] - xp[i])
    w = np.where(between, (x - xp[i]) / width, above)
    counts = between
    if period is not None or left is None:
        counts = counts | below
    if period is not None or right is None:
        counts = counts | above
    return index[i], index[j], width, w, between, counts


def at_points(g, i, j, w, like):
    """(1 − w)·g added at i, and w·g at j"""
    shape = np.shape(like)
    first, second = only(np.not_equal(w, 1), g) * (1 - w), only(np.not_equal(w, 0), g) * w
    return scatter(first, index=i, shape=shape) + scatter(second, index=j, shape=shape)


def slope_in_x(g, y, x, xp, fp, left=None, right=None, period=None):
    """g times the slope of the line between its neighbours; 0 outside."""
    i, j, width, _, between, _ = segment(x, xp, left, right, period)
    rise = (fp[j] - fp[i]) / width
    return only(between & np.not_equal(rise, 0), g) * rise


def slope_in_xp(g, y, x, xp, fp, left=None, right=None, period=None):
    """A point moved along its line is that line moved the other way."""
    i, j, width, w, between, _ = segment(x, xp, left, right, period)
    rise = (fp[j] - fp[i]) / width
    return at_points(-only(between & np.not_equal(rise, 0), g) * rise, i, j, w, xp)


def slope_in_fp(g, y, x, xp, fp, left=None, right=None, period=None):
    """To the neighbours of x, by how near they are; outside to the last one."""
    i, j, _, w, _, counts = segment(x, xp, left, right, period)
    return at_points(only(counts, g), i, j, w, fp)


POINTS = np.array([-2, 0, 1, 2])

declare(
    np.interp, "f(x) of the line through the points (xp, fp)", slope_in_x, slope_in_xp, slope_in_fp,
    domain=REAL,
    examples=lambda f, x: [
        *(f(x(6), POINTS, x(4)), f(x(2, 3), POINTS, x(4), left=1, right=2)),
        *(f(x(4), POINTS, x(4), period=1.9), f(x(), POINTS, x(4)), f(x(2), POINTS[2:3], x(1))),
    ],
)  # fmt: skip
declare(
    np.unwrap, "x + multiples of 2π, without jumps",
    lambda g, y, x, discont=None, axis=-1, *, period=2 * np.pi: g, domain=REAL,
    examples=lambda f, x: [f(x(4)), f(x(3, 2), axis=0, period=1.0)],
)  # fmt: skip

# --- products ---


def whole(g, a, v, swapped=False):
    """The cotangent of the convolution of a and v in its full length, of which y was the middle."""
    n = np.size(a) + np.size(v) - 1
    start = (n - len(g) + swapped) // 2
    return scatter(g, index=slice(start, start + len(g)), shape=(n,))


def convolve_slope(g, a, v, like):
    return np.reshape(np.correlate(whole(g, a, v), np.reshape(v, -1), "valid"), np.shape(like))


MODES = [(4, 3), (3, 4), (4, 2), (2, 5)]

linear(
    np.convolve, "Σ aᵢ vₖ₋ᵢ",
    lambda g, y, a, v, mode="full": convolve_slope(g, a, v, a),
    lambda g, y, a, v, mode="full": convolve_slope(g, v, a, v),
    examples=lambda f, x: [
        f(x(n), x(m), mode=mode) for n, m in MODES for mode in ("full", "same", "valid")
    ],
)  # fmt: skip


def correlate_left(g, y, a, v, mode="valid"):
    G = whole(g, a, v, np.size(a) < np.size(v))
    return np.reshape(np.convolve(G, np.reshape(v, -1), "valid"), np.shape(a))


def correlate_right(g, y, a, v, mode="valid"):
    G = whole(g, a, v, np.size(a) < np.size(v))
    return np.reshape(np.correlate(G, np.reshape(a, -1), "valid")[::-1], np.shape(v))


linear(
    np.correlate, "Σ aₖ₊ᵢ vᵢ", correlate_left, correlate_right,
    examples=lambda f, x: [
        f(x(n), x(m), mode=mode) for n, m in MODES for mode in ("full", "same", "valid")
    ],
)  # fmt: skip


@composite(
    np.polyval,
    "Σ pₖ xⁿ⁻ᵏ",
    examples=lambda f, x: [f(x(3), x(2, 2)), f(x(3), x())],
)
def polyval(p, x):
    """By Horner's rule."""
    p = shaped(p)
    y = np.zeros_like(x)
    for k in range(len(p)):
        y = y * x + p[k]
    return y


@composite(
    np.apply_along_axis,
    "f(x) of each row along an axis",
    examples=lambda f, x: [f(np.prod, 0, x(3, 2)), f(np.cumsum, 1, x(2, 3, 2))],
)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    arr = shaped(arr)
    axis = axis_of(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    outside = rows.shape[:-1]
    if 0 in outside:
        raise ValueError(f"np.apply_along_axis: no rows along axis {axis} of shape {arr.shape}")
    results = [func1d(rows[i], *args, **kwargs) for i in np.ndindex(outside)]
    y = np.stack([shaped(result) for result in results])
    y = np.reshape(y, (*outside, *y.shape[1:]))
    # The axes of a result take the place of the axis.
    order = range(len(outside), y.ndim)
    return np.moveaxis(y, order, range(axis, axis + len(order)))
