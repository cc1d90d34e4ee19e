"""Derivatives of the functions that only move elements: each is linear, and its transpose moves
the cotangents back to where the elements came from, adding up those of elements used twice.
"""

import operator

import numpy as np

from ..graph import differentiable
from ..rule import REAL, aliases, composite, linear
from ..tensor import cast
from .arguments import axis_of, setting, shaped

# --- reading and writing by index ---


def basic(index):
    """Whether an index is made of integers, slices, None and ... alone, so reads nothing twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        isinstance(i, int | np.integer | slice | type(None) | type(...)) and not isinstance(i, bool)
        for i in parts
    )


@differentiable(
    lambda g, y, x, index=(), shape=(): g[index],
    form="linear",
    domain=REAL,
    examples=lambda f, x: [
        f(x(2), index=(slice(1, 3),), shape=(4,)),
        f(x(3, 2), index=np.array([0, 2, 0]), shape=(4, 2)),
    ],
)
def scatter(x, index=(), shape=()):
    """zeros, with x added at index      ∂x = g[index]"""
    y = result = np.zeros_like(x, shape=shape, order="C")  # in one row it is still the same memory
    if basic(index):
        y[index] = x
        return y
    if isinstance(index, tuple) and not isinstance(y, np.ndarray):  # CuPy adds at no tuples
        y, index = y.reshape(-1), np.arange(y.size, like=y).reshape(y.shape)[index]
    np.add.at(y, index, x)
    return result


linear(
    operator.getitem,
    "x[index]",
    lambda g, y, x, index=(): scatter(g, index=index, shape=x.shape),
    run=lambda x, index=(): x[index],
    examples=lambda f, x: [
        *(f(x(3, 2), 1), f(x(3, 2), (slice(None, None, -1), 0)), f(x(3), ([0, 2, 0],))),
        *(f(x(4), [1, 1]), f(x(2, 3), (..., np.newaxis, 1))),
        f(x(2, 2), np.array([[True, False], [True, True]])),
        f(x(3, 3), (np.array([0, 1, 0]), np.array([2, 1, 2]))),
    ],
)


@composite(
    np.take,
    "x[…indices…]",
    examples=lambda f, x: [f(x(2, 3), [0, 5, 0]), f(x(2, 3), np.array([[2, 2]]), axis=1)],
)
def take(x, indices, axis=None):
    indices = shaped(indices)
    if axis is None:
        return x.reshape(-1)[indices]
    return x[(slice(None),) * axis_of(axis, x.ndim) + (indices,)]


@composite(
    np.take_along_axis,
    "x[indices] along an axis",
    examples=lambda f, x: [
        *(
            f(x(2, 3), np.array([[0, 0], [2, 1]]), axis=1),
            f(x(2, 3), np.array([[1, 0, 1]]), axis=0),
        ),
        *(f(x(2, 2), np.array([3, 3]), axis=None), f(x(3), np.array([2, 0]), axis=-1)),
    ],
)
def take_along_axis(x, indices, axis=-1):
    indices = shaped(indices)
    if axis is None:
        x, axis = x.reshape(-1), 0
    if indices.ndim != x.ndim:
        raise ValueError(
            f"np.take_along_axis: indices of {indices.ndim} axes for an array of {x.ndim}"
        )
    grid = list(np.ix_(*map(np.arange, x.shape)))
    grid[axis_of(axis, x.ndim)] = indices
    return x[tuple(grid)]


# --- the same elements in another shape, or with axes in another order ---

linear(
    np.reshape,
    "x in another shape",
    lambda g, y, x, shape=None: g.reshape(x.shape),
    run=lambda x, shape=None: x.reshape(shape),
    examples=lambda f, x: [f(x(2, 3), (3, 2)), f(x(2, 3), -1), f(x(1), ())],
)
linear(
    np.transpose,
    "x with its axes in another order",
    lambda g, y, x, axes=None: np.transpose(
        g, None if axes is None else np.argsort([a % x.ndim for a in np.atleast_1d(axes)])
    ),
    run=lambda x, axes=None: x.transpose(axes),
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3, 4), (1, 2, 0)), f(x(2, 3, 4), axes=(-1, 0, 1))],
)
linear(
    np.broadcast_to,
    "x repeated to a shape",
    lambda g, y, x, shape=None: g,
    examples=lambda f, x: [f(x(3), (2, 3)), f(x(2, 1), (3, 2, 3)), f(x(), (2,))],
)
linear(
    cast,
    "x in another dtype",
    lambda g, y, x, dtype=None: g,
    examples=lambda f, x: [f(x(2, 3), x(1).dtype)],
)


def plain(args, settings):
    """What a function takes beside x, without Tensors."""
    return tuple(map(setting, args)), {name: setting(value) for name, value in settings.items()}


def reshapes(function, formula, examples):
    """A function that only gives x another shape, the one that it gives to zeros."""

    def definition(x, *args, **settings):
        args, settings = plain(args, settings)
        return np.reshape(x, function(np.broadcast_to(0, x.shape), *args, **settings).shape)

    composite(function, formula, definition, examples=examples)


def permutes(function, formula, examples):
    """A function that only orders axes: as it orders 0, 1, 2, ..., the lengths of their axes."""

    def definition(x, *args, **settings):
        args, settings = plain(args, settings)
        return np.transpose(x, function(np.empty(range(x.ndim)), *args, **settings).shape)

    composite(function, formula, definition, examples=examples)


def moved(x, move):
    """y = x[where the positions of x are moved to]."""
    return np.reshape(x, -1)[move(np.arange(np.size(x)).reshape(np.shape(x)))]


def moves(function, formula, examples):
    """A function that only moves: it does so with positions as with x."""

    def definition(x, *args, **settings):
        args, settings = plain(args, settings)
        return moved(x, lambda positions: function(positions, *args, **settings))

    composite(function, formula, definition, examples=examples)


@composite(np.ravel, "x in one row", examples=lambda f, x: [f(x(2, 3)), f(x(2, 3), order="F")])
def ravel(x, order="C"):
    if order not in ("C", "F"):
        raise TypeError(
            f"np.ravel(order={order!r}) of a Tensor: there are 'C', row after row, and 'F', "
            "column after column, but none by how the elements lie in memory"
        )
    return np.reshape(np.transpose(x) if order == "F" else x, -1)


reshapes(
    np.squeeze,
    "x without axes of length 1",
    lambda f, x: [f(x(2, 1, 3)), f(x(1, 2, 1), axis=-1)],
)
reshapes(
    np.expand_dims,
    "x with new axes of length 1",
    lambda f, x: [f(x(2), 0), f(x(2, 3), axis=(0, -1))],
)
permutes(np.matrix_transpose, "xᵀ", lambda f, x: [f(x(2, 3)), f(x(2, 3, 4))])
permutes(
    np.moveaxis,
    "x with axes moved",
    lambda f, x: [f(x(2, 3, 4), 0, -1), f(x(2, 3, 4), (0, 1), (1, 2))],
)
permutes(
    np.rollaxis, "x with an axis rolled back", lambda f, x: [f(x(2, 3, 4), 2), f(x(2, 3), 0, 2)]
)
permutes(
    np.swapaxes,
    "x with two axes exchanged",
    lambda f, x: [f(x(2, 3, 4), 0, -1), f(x(2, 3), 0, 0)],
)
moves(np.flip, "x backwards", lambda f, x: [f(x(2, 3)), f(x(2, 3), 1), f(x(2, 3), axis=(0, 1))])
moves(np.fliplr, "x, left to right", lambda f, x: [f(x(2, 3))])
moves(np.flipud, "x, upside down", lambda f, x: [f(x(2, 3))])
moves(np.rot90, "x turned by 90°", lambda f, x: [f(x(2, 3)), f(x(2, 3), k=2)])
moves(
    np.roll,
    "x turned round",
    lambda f, x: [f(x(4), 1), f(x(2, 3), -1, axis=1), f(x(2, 3), (1, 2), axis=(0, 1))],
)
moves(np.tile, "x side by side with itself", lambda f, x: [f(x(2), 2), f(x(2, 3), (2, 1, 2))])
moves(
    np.repeat,
    "each element several times",
    lambda f, x: [f(x(3), 2), f(x(2, 3), 2, axis=1), f(x(2, 2), [1, 3], axis=0)],
)
moves(
    np.diagonal,
    "x[i, i+offset]",
    lambda f, x: [f(x(3, 3)), f(x(2, 3), offset=1), f(x(2, 3, 2), 0, 0, 2)],
)
moves(
    np.delete,
    "x without some elements",
    lambda f, x: [f(x(4), 1), f(x(2, 3), [0, -1], axis=1), f(x(5), slice(0, 4, 2))],
)
moves(
    np.lib.stride_tricks.sliding_window_view,
    "all windows of x",
    lambda f, x: [f(x(4), 2), f(x(3, 4), (2, 2)), f(x(2, 4), 3, axis=1)],
)


@composite(
    np.resize,
    "x again and again in another shape",
    examples=lambda f, x: [f(x(3), (2, 4)), f(x(2, 3), 4)],
)
def resize(x, new_shape):
    if not np.size(x):  # then NumPy fills it with zeros
        x = np.zeros_like(x, shape=1)
    return moved(x, lambda positions: np.resize(positions, new_shape))


@composite(
    np.compress,
    "x where a condition holds",
    examples=lambda f, x: [
        *(f([True, False, True], x(3)), f([False, True], x(2, 3), axis=0), f([0, 1, 1], x(2, 3))),
    ],
)
def compress(condition, a, axis=None):
    return moved(a, lambda positions: np.compress(setting(condition), positions, axis))


@composite(
    np.extract,
    "x where a condition holds",
    examples=lambda f, x: [f([True, False, True], x(3)), f([[0, 1, 1], [1, 0, 0]], x(2, 3))],
)
def extract(condition, arr):
    return moved(arr, lambda positions: np.extract(setting(condition), positions))


# --- diagonals, triangles, margins ---


@composite(
    np.trace,
    "Σ x[i, i]",
    examples=lambda f, x: [f(x(3, 3)), f(x(2, 3), 1), f(x(2, 3, 2), axis1=0, axis2=2)],
)
def trace(x, offset=0, axis1=0, axis2=1):
    return np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1)


composite(
    np.linalg.diagonal, "x[…, i, i+offset]",
    lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1),
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3, 3), offset=-1)],
)  # fmt: skip
composite(
    np.linalg.trace, "Σ x[…, i, i]",
    lambda x, /, *, offset=0: trace(x, offset, -2, -1),
    examples=lambda f, x: [f(x(2, 3)), f(x(2, 3, 3), offset=1)],
)  # fmt: skip
aliases(np.matrix_transpose, np.linalg.matrix_transpose)


def lower(x, k):
    return np.tril(np.ones_like(x, dtype=bool, shape=x.shape[-2:]), k)


@composite(np.tril, "the lower triangle", examples=lambda f, x: [f(x(3, 3)), f(x(2, 3), -1)])
def tril(x, k=0):
    return np.where(lower(x, k), x, np.zeros_like(x, shape=()))


@composite(np.triu, "the upper triangle", examples=lambda f, x: [f(x(3, 3)), f(x(2, 2, 3), k=1)])
def triu(x, k=0):
    return np.where(lower(x, k - 1), np.zeros_like(x, shape=()), x)


@composite(
    np.diag,
    "the diagonal, or a matrix of it",
    examples=lambda f, x: [f(x(3)), f(x(2), 1), f(x(2), -2), f(x(2, 3)), f(x(3, 3), k=-1)],
)
def diag(x, k=0):
    if x.ndim not in (1, 2):
        raise ValueError(f"np.diag takes a vector or a matrix, got an array of {x.ndim} axes")
    if x.ndim == 2:
        return np.diagonal(x, k)
    i = np.arange(x.size)
    n = x.size + abs(k)
    return scatter(x, index=(i + max(-k, 0), i + max(k, 0)), shape=(n, n))


@composite(
    np.diagflat,
    "a matrix with x on its diagonal",
    examples=lambda f, x: [f(x(3)), f(x(2, 2), k=1)],
)
def diagflat(v, k=0):
    return np.diag(np.reshape(v, -1), k)


@composite(
    np.pad,
    "x with a margin",
    examples=lambda f, x: [
        *(f(x(2), 1), f(x(2, 3), ((1, 0), (0, 2))), f(x(3), 2, "reflect")),
        *(f(x(3), 1, mode="wrap"), f(x(2, 2), 1, constant_values=7.0)),
        f(x(2), (0, 2), mode="edge"),
    ],
)
def pad(x, pad_width, mode="constant", *, constant_values=0):
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise TypeError(
            f"np.pad(mode={mode!r}) of a Tensor has no derivative rule; there are "
            "'constant', 'edge', 'reflect', 'symmetric' and 'wrap', which only move elements"
        )
    where = np.arange(x.size).reshape(x.shape)
    if mode != "constant":
        return np.reshape(x, -1)[np.pad(where, pad_width, mode)]
    inside = np.pad(np.ones_like(x, dtype=bool), pad_width)
    start = np.argwhere(inside)[0] if x.size else (0,) * x.ndim
    index = tuple(slice(int(a), int(a) + n) for a, n in zip(start, x.shape, strict=True))
    filler = np.pad(np.zeros_like(x), pad_width, constant_values=constant_values)
    return np.where(inside, scatter(x, index=index, shape=inside.shape), filler)
