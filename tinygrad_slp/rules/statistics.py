"""Derivatives of weighted means, quantiles and covariances: each by its formula."""

import numpy as np

from ..rule import POSITIVE, composite
from ..tensor import unwrapped
from .arguments import axes_of, setting, shaped


@composite(
    np.average, "Σ w·x / Σ w", domain=POSITIVE,
    examples=lambda f, x: [
        f(x(2, 3)), f(x(2, 3), axis=0), f(x(3), None, x(3)), f(x(2, 3), 1, x(3)),
        f(x(2, 2), 0, x(2, 2)),
    ],
)  # fmt: skip
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = shaped(a)
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.ones_like(y) * (a.size / max(np.size(y), 1))
        return (y, total) if returned else y
    w = shaped(weights)
    if w.shape != a.shape:
        if axis is None:
            raise TypeError(
                "np.average: axis must be specified when shapes of a and weights differ"
            )
        axes = axes_of(axis, a.ndim)
        if w.shape != tuple(a.shape[i] for i in axes):
            raise ValueError(
                f"np.average: weights of shape {w.shape} for the axes {axes} of shape {a.shape}"
            )
        order = np.argsort(axes).tolist()
        w = np.reshape(
            np.transpose(w, order), [n if i in axes else 1 for i, n in enumerate(a.shape)]
        )
    total = np.sum(w * np.ones_like(a), axis=axis, keepdims=keepdims)
    known = unwrapped(total)
    if issubclass(type(known), np.ndarray | np.generic) and np.any(known == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    y = np.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (y, total) if returned else y


def quantile_at(a, q, axis, keepdims, method):
    """The value between the sorted ones at place q·(n − 1): Hyndman and Fan, Sample quantiles in
    statistical packages, 1996, definition 7."""
    if method != "linear":
        raise ValueError(f"a quantile of a Tensor takes method='linear', got {method!r}")
    a, shares = shaped(a), np.asarray(setting(q), float)
    if np.any((shares < 0) | (shares > 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    axes = axes_of(axis, a.ndim)
    free = [i for i in range(a.ndim) if i not in axes]
    ordered = np.sort(
        np.reshape(np.transpose(a, [*axes, *free]), (-1, *[a.shape[i] for i in free])), axis=0
    )
    found = [between(ordered, share * (len(ordered) - 1)) for share in shares.ravel().tolist()]
    if keepdims:
        shape = [1 if i in axes else n for i, n in enumerate(a.shape)]
        found = [np.reshape(y, shape) for y in found]
    return np.reshape(np.stack(found), (*shares.shape, *np.shape(found[0])))


def between(ordered, place):
    """What is at a place between whole numbers, NaN if there is one: it is sorted to the end."""
    low = int(place)
    part = place - low
    y = ordered[low] if not part else ordered[low] * (1 - part) + ordered[low + 1] * part
    return np.where(np.isnan(ordered[-1]), ordered[-1], y)


@composite(
    np.quantile, "the value that a share q is below",
    examples=lambda f, x: [
        f(x(5), 0.3), f(x(2, 4), [0.25, 0.9], axis=1), f(x(2, 3), 0.6, (0, 1), keepdims=True),
    ],
)  # fmt: skip
def quantile(a, q, axis=None, *, method="linear", keepdims=False):
    return quantile_at(a, q, axis, keepdims, method)


@composite(
    np.percentile, "the value that q of a hundred are below",
    examples=lambda f, x: [f(x(5), 30), f(x(2, 4), [25, 90], axis=0)],
)  # fmt: skip
def percentile(a, q, axis=None, *, method="linear", keepdims=False):
    return quantile_at(a, np.asarray(setting(q), float) / 100, axis, keepdims, method)


@composite(
    np.cov, "Σ (x − x̄)(y − ȳ) / (n − 1)",
    examples=lambda f, x: [
        f(x(2, 4)), f(x(4), x(4)), f(x(4, 2), rowvar=False), f(x(2, 3), bias=True), f(x(5), ddof=0),
    ],
)  # fmt: skip
def cov(m, y=None, rowvar=True, bias=False, ddof=None):
    rows = as_rows(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, as_rows(y, rowvar)], axis=0)
    away = rows - np.mean(rows, axis=1, keepdims=True)
    ddof = (0 if bias else 1) if ddof is None else ddof
    found = away @ away.mT / (rows.shape[1] - ddof)
    return found[0, 0] if rows.shape[0] == 1 else found


def as_rows(x, rowvar):
    """Variables as rows of a matrix."""
    x = shaped(x) * 1.0
    if x.ndim > 2:
        raise ValueError("np.cov: m has more than 2 dimensions")
    if x.ndim < 2:
        return np.reshape(x, (1, -1))
    return x if rowvar or x.shape[0] == 1 else x.mT


@composite(
    np.corrcoef, "cov(x, y) / (sₓ·s_y)",
    examples=lambda f, x: [f(x(2, 5)), f(x(5), x(5)), f(x(4, 2), rowvar=False)],
)  # fmt: skip
def corrcoef(x, y=None, rowvar=True):
    c = cov(x, y, rowvar)
    if not np.ndim(c):
        return c / c
    s = np.sqrt(np.diagonal(c))
    return np.clip(c / (s[:, np.newaxis] * s[np.newaxis]), -1, 1)
