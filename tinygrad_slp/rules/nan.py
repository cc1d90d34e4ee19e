"""Derivatives of the functions that leave NaN out, or replace it: an element that is NaN gets 0."""

import numpy as np

from ..rule import REAL, composite, declare
from .arguments import only, setting
from .calculus import over
from .reductions import shared, spread


def gap(x):
    """x with NaN as its first element."""
    x[(0,) * x.ndim] = np.nan
    return x


def calls(f, x):
    """The calls that every reduction of these is tried on."""
    return [
        *(f(x(2, 3)), f(gap(x(3, 3)), axis=0), f(gap(x(4)), 0)),
        f(gap(x(2, 3, 2)), axis=(0, -1), keepdims=True),
    ]


def filled(x, value):
    """x with a value for NaN."""
    return np.where(np.isnan(x), value, x) if x.dtype.kind in "fc" else x


def count(x, axis):
    """How many elements of each part that is reduced are not NaN, with the axes kept; at least 1.

    A part without any has no gradient to divide.
    """
    return np.maximum(
        np.sum(np.where(np.isnan(x), 0, np.ones_like(x)), axis=axis, keepdims=True), 1
    )


declare(
    np.nansum, "Σ x, without NaN",
    lambda g, y, x, axis=None, *, keepdims=False: (
        only(~np.isnan(x), spread(g, x, axis, keepdims))
    ),
    domain=REAL, examples=calls,
)  # fmt: skip
declare(
    np.nanmean, "Σ x / n, without NaN",
    lambda g, y, x, axis=None, *, keepdims=False: (
        only(~np.isnan(x), spread(g, x, axis, keepdims) / count(x, axis))
    ),
    domain=REAL, examples=calls,
)  # fmt: skip


def extremal(g, y, x, axis=None, *, keepdims=False):
    """The cotangent goes to the extreme element; those in a tie share it evenly."""
    chosen = np.equal(x, spread(y, x, axis, keepdims))
    return shared(chosen, g, x, axis, keepdims)


declare(np.nanmax, "max x, without NaN", extremal, domain=REAL, examples=calls)
declare(np.nanmin, "min x, without NaN", extremal, domain=REAL, examples=calls)


@composite(np.nanprod, "Π x, without NaN", examples=calls)
def nanprod(x, axis=None, *, keepdims=False):
    return np.prod(filled(x, 1), axis=axis, keepdims=keepdims)


def deviation(x, axis):
    """x − mean x, and 0 for NaN."""
    mean = np.sum(filled(x, 0), axis=axis, keepdims=True) / count(x, axis)
    return filled(x - mean, 0)


def freedom(x, axis, ddof, correction):
    """The number of independent deviations, by which their squares are divided."""
    return count(x, axis) - (ddof if correction is None else correction)


def with_ddof(f, x):
    return [*calls(f, x), f(gap(x(2, 3)), axis=1, ddof=1), f(gap(x(4)), correction=1)]


def var_slope(g, y, x, axis=None, *, ddof=0, correction=None, keepdims=False):
    """g · 2(x − mean x) / n"""
    g = spread(g, x, axis, keepdims) / freedom(x, axis, ddof, correction)
    return only(~np.isnan(x), g) * 2 * deviation(x, axis)


def std_slope(g, y, x, axis=None, *, ddof=0, correction=None, keepdims=False):
    """g · (x − mean x) / (n·y), and 0 where all x are equal"""
    y = spread(y, x, axis, keepdims)
    g = spread(g, x, axis, keepdims) / freedom(x, axis, ddof, correction)
    there = ~np.isnan(x)
    return only(there & np.not_equal(y, 0), g) * over(deviation(x, axis), np.where(there, y, 1))


declare(np.nanvar, "var x, without NaN", var_slope, domain=REAL, examples=with_ddof)
declare(np.nanstd, "std x, without NaN", std_slope, domain=REAL, examples=with_ddof)


def along(f, x):
    return [f(gap(x(4))), f(x(2, 3)), f(gap(x(2, 3)), axis=1)]


@composite(np.nancumsum, "the sums of the first x, without NaN", examples=along)
def nancumsum(x, axis=None):
    return np.cumsum(filled(x, 0), axis=axis)


@composite(np.nancumprod, "the products of the first x, without NaN", examples=along)
def nancumprod(x, axis=None):
    return np.cumprod(filled(x, 1), axis=axis)


@composite(
    np.nan_to_num,
    "x with numbers for NaN and ±∞",
    examples=lambda f, x: [f(gap(x(2, 3))), f(gap(x(3)), nan=2.0, posinf=5.0)],
)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    if x.dtype.kind != "f":
        return x
    lowest, highest = np.finfo(x.dtype).min, np.finfo(x.dtype).max
    for where, value in (
        (np.isnan(x), nan),
        (np.isposinf(x), highest if posinf is None else posinf),
        (np.isneginf(x), lowest if neginf is None else neginf),
    ):
        value = setting(value)
        x = np.where(where, np.full_like(x, value, shape=np.shape(value)), x)
    return x
